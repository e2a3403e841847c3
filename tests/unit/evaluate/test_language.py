"""Bits per byte of language models: figures and their difference, against plain sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.errors import InputError
from acclimate.evaluate.language import TextLosses, bits_difference, text_losses
from acclimate.models.causal import CausalModel
from tests.causal import make_causal


def test_bits_per_byte_are_those_of_the_model_itself(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = CausalModel(str(make_causal(tmp_path)), device="cpu")
    texts = ["the nurse was good", "a visit"]
    found = text_losses(model, texts)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    for row, text in enumerate(texts):
        ids = torch.from_numpy(model.tokens(text).ids.astype(np.int64))[None]
        with torch.no_grad():
            nats = torch.nn.functional.cross_entropy(plain(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="sum").item()
        assert found.bits[row] == pytest.approx(nats / np.log(2), rel=1e-4)
    assert found.per_byte == pytest.approx(found.bits.sum() / found.bytes.sum())
    assert 0 < found.bytes[0] <= len(texts[0].encode())


def test_the_interval_covers_a_difference_of_nothing_and_not_a_clear_one() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(50, 300, 80)
    one = TextLosses(sizes * rng.normal(1.2, 0.2, 80), sizes)
    noise = TextLosses(one.bits + sizes * rng.normal(0, 0.1, 80), sizes)
    clear = TextLosses(one.bits + sizes * rng.normal(0.1, 0.1, 80), sizes)
    nothing, shown = bits_difference(noise, one), bits_difference(clear, one)
    assert nothing.low < 0 < nothing.high
    assert 0 < shown.low < shown.mean < shown.high
    assert shown.mean == pytest.approx(clear.per_byte - one.per_byte)


def test_the_intervals_width_is_that_of_the_ratio_estimator() -> None:
    """Against the delta method for a ratio of means."""
    rng = np.random.default_rng(2)
    sizes = rng.integers(50, 300, 400)
    one, other = (TextLosses(sizes * rng.normal(level, 0.2, 400), sizes) for level in (1.0, 1.1))
    interval = bits_difference(one, other, resamples=4000)
    difference = one.bits - other.bits
    residual = difference - interval.mean * sizes
    error = np.sqrt(residual.var(ddof=1) / len(sizes)) / sizes.mean()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_different_texts_cannot_be_compared_and_nothing_to_predict_has_no_figure() -> None:
    with pytest.raises(InputError, match="different texts"):
        bits_difference(TextLosses(np.ones(2), np.array([1, 2])), TextLosses(np.ones(2), np.array([2, 1])))
    with pytest.raises(InputError, match="anything to predict"):
        _ = TextLosses(np.zeros(1), np.zeros(1, dtype=np.int64)).per_byte

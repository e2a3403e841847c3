"""What every gap method must do, run over all of them."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import orjson
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.gap import METHODS
from acclimate.gap.base import GapMethod, GapResult, Sample
from acclimate.gap.perplexity import Perplexity
from acclimate.models.causal import CausalModel
from tests.causal import make_causal

#: Words for both domains, in several scripts; the farther apart, the more a domain keeps to its own half.
WORDS = ["dog", "köln", "今", "привет", "नमस्ते", "fly", "wine", "zoë", "東", "мир", "שלום", "run"]


def sample(distance: float, seed: int, rows: int = 120) -> Sample:
    """A domain ``distance`` away from that of distance 0: in means, in scale, in words and in the balance of two classes."""
    rng = np.random.default_rng(seed)
    positive = rng.random(rows) < 0.5 + 0.4 * distance
    vectors = rng.normal(size=(rows, 6)) * (1 + distance)
    vectors[:, 0] = np.where(positive, 4, -4) + rng.normal(size=rows)
    vectors[:, 1] += 3 * distance
    half = rng.random((rows, 8)) < 0.5 + 0.5 * distance
    texts = [" ".join(WORDS[rng.integers(6) + 6 * int(own)] for own in row) for row in half]
    labels = ["+" if value else "-" for value in positive]
    return Sample(from_columns(f"distance {distance}", texts, labels), vectors.astype(np.float32))


HERE, TWIN, NEAR, FAR = sample(0, 0), sample(0, 1), sample(0.4, 2), sample(1, 3)

every_method = pytest.mark.parametrize("name", METHODS)


def make(name: str) -> GapMethod:
    """The method as its name alone makes it, but with a tiny language model."""
    return Perplexity(tiny_model()) if name == "perplexity" else METHODS[name]()


@functools.cache
def tiny_model() -> CausalModel:
    return CausalModel(str(make_causal(Path(tempfile.mkdtemp()))), device="cpu")


def measure(name: str, source: Sample, target: Sample, seed: int = 0) -> GapResult:
    return make(name).measure(source, target, seed=seed)


def unlabelled(part: Sample) -> Sample:
    return Sample(part.domain.without_labels(), part.vectors)


@every_method
def test_a_result_carries_its_name_and_is_ready_for_json(name: str) -> None:
    result = measure(name, HERE, unlabelled(NEAR))
    assert result.method == name
    assert np.isfinite(result.value)
    assert orjson.loads(orjson.dumps(dataclasses.asdict(result)))["method"] == name


@every_method
def test_identical_samples_are_about_zero_and_not_significant(name: str) -> None:
    same, far = measure(name, HERE, unlabelled(HERE)), measure(name, HERE, unlabelled(FAR))
    assert abs(same.value) < 0.05 * far.value
    assert same.p_value is None or same.p_value > 0.5


@every_method
def test_two_samples_of_one_distribution_are_not_significant(name: str) -> None:
    result = measure(name, HERE, unlabelled(TWIN))
    assert result.p_value is None or result.p_value > 0.05
    assert result.low is None or result.low == 0


@every_method
def test_farther_is_larger_and_significant(name: str) -> None:
    near, far = measure(name, HERE, unlabelled(NEAR)), measure(name, HERE, unlabelled(FAR))
    assert measure(name, HERE, unlabelled(TWIN)).value < near.value < far.value
    assert far.p_value is None or far.p_value < 0.02
    assert far.low is None or 0 < far.low <= far.value
    assert far.high is None or far.high >= far.value


@every_method
def test_the_seed_decides_and_nothing_else(name: str) -> None:
    first = dataclasses.asdict(measure(name, HERE, unlabelled(NEAR), seed=7))
    assert dataclasses.asdict(measure(name, HERE, unlabelled(NEAR), seed=7)) == first


@every_method
def test_labels_of_the_target_are_never_read(name: str) -> None:
    labelled = measure(name, HERE, NEAR)
    assert dataclasses.asdict(labelled) == dataclasses.asdict(measure(name, HERE, unlabelled(NEAR)))


@every_method
@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_rows_on_a_side_are_an_input_error(name: str, rows: int) -> None:
    few = Sample(HERE.domain.take(range(rows)), HERE.embedded()[:rows].astype(np.float32))
    for source, target in ((few, NEAR), (NEAR, few)):
        with pytest.raises(InputError, match=f"has {rows} row"):
            measure(name, source, target)


@every_method
def test_small_sides_are_warned_about(name: str) -> None:
    few = Sample(NEAR.domain.take(range(20)), NEAR.embedded()[:20].astype(np.float32))
    assert measure(name, HERE, few).warning


@every_method
def test_rows_that_are_all_the_same_are_no_gap_or_said_to_be_undecidable(name: str) -> None:
    ones = Sample(from_columns("ones", ["one word"] * 8, ["a", "b"] * 4), np.ones((8, 3), dtype=np.float32))
    result = measure(name, ones, unlabelled(ones))
    assert abs(result.value) < 1e-6 or "cannot be told" in result.warning
    assert result.p_value is None or result.p_value > 0.5


@every_method
def test_what_a_method_says_it_needs_is_what_it_needs(name: str) -> None:
    method = METHODS[name]
    without_vectors = [Sample(part.domain) for part in (HERE, NEAR)]
    if method.needs_embeddings:
        with pytest.raises(InputError, match="has no vectors"):
            make(name).measure(*without_vectors)
    else:
        make(name).measure(*without_vectors)
    if method.uses_source_labels:
        with pytest.raises(InputError, match="labelled rows by class are: none"):
            make(name).measure(unlabelled(HERE), NEAR)
    else:
        assert make(name).measure(unlabelled(HERE), NEAR) == make(name).measure(HERE, NEAR)


@every_method
def test_a_method_says_what_it_is(name: str) -> None:
    method = METHODS[name]
    assert all((method.paper, method.summary, method.summary_zh))
    assert set(method.modality) <= {"text", "image", "chat"}


def test_texts_without_words_are_an_input_error() -> None:
    signs: Domain = from_columns("signs", ["!!", "…", "--"])
    with pytest.raises(InputError, match="hold no word"):
        measure("divergence", HERE, Sample(signs))

"""The verb: what it measures, on which rows, what it refuses, and that no label of the target reaches it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import orjson
import pytest
from sklearn.decomposition import PCA

from acclimate.data.domain import Domain, concatenate, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.gap.base import Sample
from acclimate.gap.coral import Coral
from acclimate.gap.domain_map import draw_map, principal_plane
from acclimate.gap.measure import gap
from acclimate.gap.mmd import Mmd


class LetterEmbed:
    """A real, tiny embedding: how often each of twelve letters occurs; remembers each request."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.requests.append(list(texts))
        return np.array([[text.count(letter) for letter in "abcdefghijkl"] for text in texts], dtype=np.float32)


def domain(name: str, letters: str, rows: int, seed: int) -> Domain:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(list(letters), 6)) for _ in range(rows)]
    return from_columns(name, texts, [["neg", "pos"][int("a" in text)] for text in texts])


SOURCE = concatenate("pool", [domain("near", "abcdefgh", 90, 0), domain("far", "abijkl", 80, 1)])


def target(labels: Sequence[str] = ("neg", "pos")) -> Target:
    rows = domain("clinic", "abcdefg", 100, 2)
    relabelled = from_columns("clinic", rows.texts, [labels[row % len(labels)] for row in range(100)], ids=rows.ids)
    test = Sealed(relabelled.take(range(80, 100)), "test")
    return Target("clinic", relabelled.take(range(20)), relabelled.take(range(20, 80)).without_labels(), test, ("neg", "pos"))


def test_the_whole_source_and_each_domain_are_measured_and_ranked_rightly() -> None:
    report = gap(SOURCE, target(), embed=LetterEmbed())
    assert (report.source, report.target, report.notes) == ("pool", "clinic", ())
    assert list(report.results) == ["mmd", "proxy-a", "coral", "divergence", "wasserstein", "frechet", "label-shift"]
    assert list(report.by_domain) == ["near", "far"]
    for method in ("mmd", "proxy-a", "divergence"):
        assert report.by_domain["near"][method].value < report.by_domain["far"][method].value
    assert orjson.loads(orjson.dumps(report.to_dict()))["by_domain"]["far"]["mmd"]["p_value"] < 0.01


def test_values_are_those_of_the_methods_on_the_same_rows() -> None:
    embed, there = LetterEmbed(), target().inputs
    report = gap(SOURCE, target(), embed=embed, methods=["mmd"])
    whole, clinic = Sample(SOURCE, embed(SOURCE.texts)), Sample(there, embed(there.texts))
    assert report.results["mmd"].value == pytest.approx(Mmd().measure(whole, clinic).value)


def test_every_distinct_text_is_embedded_once_and_none_of_the_test() -> None:
    embed = LetterEmbed()
    gap(SOURCE, target(), embed=embed, methods=["coral"])
    assert len(embed.requests) == 1
    assert sorted(embed.requests[0]) == sorted({*SOURCE.texts, *target().inputs.texts})


def test_the_sample_is_bounded_seeded_and_shared_between_the_whole_and_its_domains() -> None:
    embed = LetterEmbed()
    first = gap(SOURCE, target(), embed=embed, sample=40, seed=1)
    assert len(embed.requests[0]) <= 3 * 40
    assert gap(SOURCE, target(), embed=embed, sample=40, seed=1).to_dict() == first.to_dict()
    assert gap(SOURCE, target(), embed=embed, sample=40, seed=2).to_dict() != first.to_dict()


def test_a_source_of_one_domain_is_measured_once() -> None:
    report = gap(domain("alone", "abcd", 50, 0), target(), embed=LetterEmbed(), methods=["coral"])
    assert report.by_domain["alone"] is report.results


def test_labels_of_the_target_change_nothing() -> None:
    honest, corrupted = (gap(SOURCE, target(labels), embed=LetterEmbed()) for labels in (("neg", "pos"), ("pos", "neg", "neg")))
    assert honest.to_dict() == corrupted.to_dict()
    assert honest.map is not None
    assert corrupted.map is not None
    assert honest.map.labels == corrupted.map.labels


def test_no_model_is_needed_for_words_alone() -> None:
    report = gap(SOURCE, target(), methods=["divergence"], model="./no-such-model")
    assert report.map is None
    assert set(report.results) == {"divergence"}


def test_what_does_not_apply_is_noted_by_default_and_refused_when_asked_for() -> None:
    bare = SOURCE.without_labels()
    report = gap(bare, target(), embed=LetterEmbed())
    assert "label-shift" not in report.results
    assert [note.split(" from ")[0] for note in report.notes] == ["label-shift was not measured"] * 3
    with pytest.raises(InputError, match="labelled rows by class"):
        gap(bare, target(), embed=LetterEmbed(), methods=["label-shift"])


def test_a_tiny_domain_inside_a_large_source_is_noted() -> None:
    tiny = from_columns("tiny", ["one text"], ["pos"])
    report = gap(concatenate("pool", [SOURCE, tiny]), target(), embed=LetterEmbed(), methods=["mmd"])
    assert report.notes == ("mmd was not measured from 'tiny': 'tiny' has 1 row to measure a distance with",)
    assert report.by_domain["tiny"] == {}


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'proxy-a'"):
        gap(SOURCE, target(), methods=["proxy_a"])


@pytest.mark.parametrize("rows", [0, 1])
def test_a_source_of_fewer_than_two_rows_is_an_input_error(rows: int) -> None:
    with pytest.raises(InputError, match="at least 2 rows"):
        gap(SOURCE.take(range(rows)), target(), embed=LetterEmbed())


def test_coral_sees_covariances_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    texts = from_columns("some", ["text"] * 60)
    moved, stretched = (Coral().measure(Sample(texts, x), Sample(texts, other)) for other in (x + 5, 2 * x))
    assert moved.value == pytest.approx(0, abs=1e-9)
    assert stretched.value == pytest.approx(np.sum((3 * np.cov(x.T)) ** 2) / 36, rel=1e-4)
    assert stretched.details["relative"] == pytest.approx(3 / 5, rel=1e-4)


def test_the_plane_equals_principal_components_with_a_fixed_sign() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 5)) * [3, 1, 2, 0.5, 0.1] + 7
    points, shares = principal_plane(vectors)
    reference = PCA(2).fit(vectors)
    np.testing.assert_allclose(np.abs(points), np.abs(reference.transform(vectors)), atol=1e-9)
    np.testing.assert_allclose(shares, reference.explained_variance_ratio_)
    flipped, _ = principal_plane(-vectors)
    np.testing.assert_allclose(flipped, -points, atol=1e-9)


@pytest.mark.parametrize("width", [1, 2])
def test_a_plane_of_few_dimensions_or_no_variance_is_finite(width: int) -> None:
    points, shares = principal_plane(np.ones((4, width)))
    np.testing.assert_array_equal(points, np.zeros((4, 2)))
    np.testing.assert_array_equal(shares, [0, 0])


def test_the_map_draws_some_of_each_domain_and_hides_the_targets_labels() -> None:
    embed, there = LetterEmbed(), target().labelled
    samples = Sample(SOURCE, embed(SOURCE.texts)), Sample(there, embed(there.texts))
    drawn = draw_map(*samples, points=15, seed=0)
    assert [drawn.domains.count(name) for name in ("near", "far", "clinic")] == [15, 15, 15]
    assert drawn.points.shape == (45, 2)
    assert {label for label, name in zip(drawn.labels, drawn.domains, strict=True) if name == "clinic"} == {None}
    assert len(set(drawn.ids)) == 45
    everything, _ = principal_plane(np.concatenate([sample.embedded() for sample in samples]))
    row = SOURCE.ids.index(drawn.ids[20])
    np.testing.assert_allclose(drawn.points[20], everything[row])
    assert dataclasses.asdict(drawn)["texts"][20] == SOURCE.texts[row]

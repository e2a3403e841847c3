"""Traits say what the data are, by closed forms on bounded samples; nothing is trained and rows' order does not matter."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.data.domain import Domain, concatenate, from_columns, from_images
from acclimate.data.images import encoded
from acclimate.data.make import make_target, open_target
from acclimate.data.shards import pool as open_pool
from acclimate.data.target import Target
from acclimate.data.write import write
from acclimate.errors import InputError
from acclimate.strategy.advise import looks
from acclimate.strategy.advise.classes import balance, label_shift, wilson
from acclimate.strategy.advise.glimpse import glimpse
from acclimate.strategy.advise.measure import measure
from acclimate.strategy.advise.run import advise
from acclimate.strategy.advise.scripts import script
from acclimate.strategy.advise.traits import Traits
from tests.shift import pool, sentences


def clinic(count: int = 120) -> Target:
    return make_target(sentences("clinic", count, 5), test=0.25)


def plain(found: Traits) -> dict[str, Any]:
    return {**found.to_dict(), "accelerated": None, "cores": None}


def test_sizes_are_counted_and_the_test_is_left_out() -> None:
    target = clinic().draw(20, 0)
    found = measure(pool(200), target)
    assert (found.source_rows, found.source_labels, found.source_domains, found.source_classes) == (200, 200, 2, 2)
    assert (found.target_labels, found.target_unlabelled, found.target_classes, found.labels_per_class) == (20, 70, 2, 10)
    assert found.source_per_label == 10


def test_a_domain_is_near_to_itself_and_far_from_another() -> None:
    near = measure(sentences("clinic", 200, 1), clinic())
    far = measure(sentences("film", 200, 1), clinic())
    assert near.gap is not None
    assert far.gap is not None
    assert far.gap_low is not None
    assert near.gap < 0.5 < 1.5 < far.gap
    assert far.gap_low <= far.gap
    assert (near.word_gap or 0) < (far.word_gap or 0)


def test_source_domains_are_listed_nearest_first() -> None:
    source = concatenate("pool", [sentences("film", 100, 1), sentences("clinic", 100, 2, "ward"), from_columns("few", ["a b"] * 3)])
    found = measure(source, clinic())
    assert [part.name for part in found.parts] == ["ward", "film", "few"]
    assert found.parts[-1].gap is None
    assert found.gap_spread is not None
    assert found.gap_spread > 0.5


def test_a_source_that_says_the_opposite_is_seen_in_its_transfer() -> None:
    honest = sentences("shop", 300, 1)
    flipped = honest.with_strings("label", [{"good": "bad", "bad": "good"}[str(label)] for label in honest.labels])
    helps, misleads = (measure(source, clinic()) for source in (honest, flipped))
    assert helps.transfer is not None
    assert misleads.transfer is not None
    assert helps.transfer > 0.7
    assert misleads.transfer < 0.3
    assert misleads.transfer_lead is not None
    assert misleads.transfer_lead < -0.3
    assert helps.learnable == misleads.learnable


def test_without_target_labels_nothing_is_said_of_transfer_but_the_shift_is_estimated() -> None:
    source = sentences("clinic", 600, 1)
    goods = [row for row, label in enumerate(source.labels) if label == "good"]
    skewed = open_target(sentences("clinic", 400, 2).without_labels())
    found = measure(source, skewed)
    assert found.transfer is None
    assert found.learnable is None
    assert found.label_shift_from == "estimate"
    assert (found.label_shift_p or 0) > 0.05
    rare = source.take([*goods[:40], *(row for row in range(600) if row not in set(goods))])
    shifted = measure(rare, skewed)
    assert (shifted.label_shift or 0) > 0.2
    assert (shifted.label_shift_p or 1) < 0.05


def test_a_shift_seen_in_labels_is_the_total_variation_distance() -> None:
    source, target = sentences("shop", 200, 1), sentences("clinic", 200, 2)
    rows = [row for row, label in enumerate(target.labels) if label == "good"][:30] + [
        row for row, label in enumerate(target.labels) if label == "bad"
    ][:90]
    from acclimate.gap.base import Sample

    samples = [Sample(domain, looks.vectors(domain).astype(np.float32)) for domain in (source, target)]
    found = label_shift(samples[0], samples[1], [target.labels[row] for row in rows], 0)
    assert found is not None
    assert found.value == pytest.approx(0.25)
    assert found.origin == "labels"
    assert found.p is not None
    assert found.p < 0.05


def test_repetitions_are_counted_within_and_across_sides_and_the_test_counts_too() -> None:
    target = clinic()
    texts = [f"{text} and so on it goes again today" for text in sentences("shop", 60, 9).texts]
    known = target.test.inputs.texts[:15]
    source = from_columns("s", [*texts, *texts[:20], *known], ["good"] * 95)
    found = measure(source, target)
    assert found.repeated_across == pytest.approx(15 / 95)
    assert found.repeated_source >= 20 / 95
    assert measure(sentences("shop", 60, 9), target).repeated_across == 0


def test_a_uniform_target_is_less_diverse_than_its_source() -> None:
    dull = from_columns("dull", [f"the nurse was good {row % 3}" for row in range(100)], ["good", "bad"] * 50)
    found = measure(pool(200), make_target(dull, test=0.2))
    assert found.spread_ratio is not None
    assert found.spread_ratio < 0.7
    assert found.distinct_ratio is not None
    assert found.distinct_ratio < 0.5


def test_mean_distance_is_that_of_a_double_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 5))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = [1 - unit[i] @ unit[j] for i in range(7) for j in range(7) if i != j]
    assert looks.mean_distance(rows) == pytest.approx(np.mean(pairs))
    assert looks.mean_distance(rows[:1]) == 0


def test_balance_and_intervals_are_those_of_scipy() -> None:
    from scipy.stats import binomtest, entropy

    assert balance(["a"] * 30 + ["b"] * 10 + [None]) == pytest.approx(entropy([30, 10]) / np.log(2))
    expected = binomtest(17, 40).proportion_ci(method="wilson")
    assert wilson(17, 40) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["Привет мир"], "cyrillic"), (["今天很好", "ok"], "han"), (["ここはどこ"], "kana"), (["مرحبا"], "arabic"), ([], "")],
)
def test_scripts_are_told_apart(texts: list[str], expected: str) -> None:
    assert script(texts) == expected


def test_another_script_is_seen() -> None:
    chinese = from_columns("zh", [f"这家医院的护士很{'好' if row % 2 else '差'}{row}" for row in range(40)], ["good", "bad"] * 20)
    found = measure(pool(100), make_target(chinese, test=0.25))
    assert (found.source_script, found.target_script, found.same_script) == ("latin", "han", False)


def digits(name: str, dark: bool, count: int, seed: int) -> Domain:
    """Bars that lie or stand, on black or on white paper."""
    rng = np.random.default_rng(seed)
    pictures, labels = [], []
    for row in range(count):
        picture = rng.integers(0, 60, (16, 16), dtype=np.uint8)
        place = int(rng.integers(4, 12))
        (picture if row % 2 else picture.T)[place - 2 : place + 2] += 180
        pictures.append(encoded(picture if dark else 255 - picture // 3))
        labels.append("lies" if row % 2 else "stands")
    return from_images(name, pictures, labels)


def test_pictures_that_differ_in_style_alone_are_told_from_those_that_differ_in_content() -> None:
    found = measure(digits("white", False, 80, 0), make_target(digits("black", True, 80, 1), test=0.25))
    assert found.task == "image-classification"
    assert found.features == "thumbnails"
    assert found.style_gap is not None
    assert found.style_gap > 1.5
    same = measure(digits("black", True, 80, 2), make_target(digits("black too", True, 80, 1), test=0.25))
    assert same.style_gap is not None
    assert same.style_gap < 0.7
    assert same.transfer is not None
    assert same.transfer > 0.8


def test_texts_without_any_label_are_for_a_language_model_and_have_no_traits_of_classes() -> None:
    source, target = pool(100).without_labels(), open_target(sentences("clinic", 60, 3).without_labels())
    found = measure(source, target)
    assert found.task == "causal-lm"
    assert (found.transfer, found.label_shift, found.target_balance, found.target_labels) == (None, None, None, 0)
    advice = advise(source, target, prior=None)
    assert advice.best.arm.pretrain
    assert all(not suggestion.arm.target for suggestion in advice.suggestions)


def test_the_order_of_rows_changes_nothing() -> None:
    source, target = pool(120), clinic()
    turned = dataclasses.replace(target, labelled=target.labelled.take(np.arange(len(target.labelled))[::-1]))
    assert plain(measure(source, target, sample=50)) == plain(measure(source.take(np.arange(120)[::-1]), turned, sample=50))


def test_a_sample_is_what_the_seed_says_and_bounds_what_is_looked_at() -> None:
    source, target = pool(400), clinic()
    asked: list[int] = []

    def embed(texts: Any) -> np.ndarray:
        asked.append(len(texts))
        return looks.word_vectors(texts).astype(np.float32)

    found = [measure(source, target, sample=40, seed=seed, embed=embed, features="own") for seed in (0, 0, 1)]
    assert plain(found[0]) == plain(found[1])
    assert found[0].gap != found[2].gap
    assert found[0].features == "own"
    assert max(asked) <= 300
    assert found[0].sampled == 40


def test_nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import Trainer

    from acclimate.tune.probe import Probe

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was trained")

    monkeypatch.setattr(Probe, "fit", refuse)
    monkeypatch.setattr(Trainer, "train", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    for source, target in ((pool(100), clinic()), (digits("a", True, 40, 0), make_target(digits("b", False, 40, 1), test=0.25))):
        assert advise(source, target).suggestions


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.zst", "parquet", "csv"])
def test_a_pool_in_pieces_is_looked_into_at_many_places_and_counted_about(tmp_path: Path, ending: str) -> None:
    source = pool(3000)
    write(source, tmp_path / f"pool.{ending}")
    pieces = open_pool(tmp_path / f"pool.{ending}", shard_bytes=20_000)
    seen = glimpse(pieces)
    assert len(set(seen.ids)) == len(seen)
    if ending == "jsonl":
        assert len(pieces.shards) > 8
        assert set(seen.domains) == {"shop", "film"}
    advice, again = (advise(pieces, clinic(), prior=None) for _ in range(2))
    assert advice.traits == again.traits
    assert advice.traits.source_rows == pytest.approx(3000, rel=0.05)
    assert advice.traits.source_labels == advice.traits.source_rows
    assert sum(part.rows for part in advice.traits.parts) in (0, pytest.approx(3000, rel=0.05))


@pytest.mark.parametrize(
    ("source", "target", "settings", "said"),
    [
        (pool(4), clinic(), {}, "at least 10 rows"),
        (pool(100), make_target(sentences("clinic", 8, 1), test=0.25), {}, "at least 10 rows"),
        (pool(100), clinic(), {"sample": 1}, "at least 10 rows"),
        (pool(100), clinic(), {"task": "image-classification"}, "text-classification"),
        (pool(100), clinic(), {"task": "translation"}, "translation"),
        (
            pool(100).without_labels(),
            open_target(sentences("clinic", 30, 1).without_labels()),
            {"task": "text-classification"},
            "label",
        ),
        (digits("a", True, 20, 0), clinic(), {}, "pictures"),
    ],
)
def test_careless_input_is_one_clear_message(source: Domain, target: Target, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        advise(source, target, **settings)

"""How far a search's answer can be trusted: noise is called noise, an effect is not, and the luckiest of many is reckoned with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.evaluate.verdict import compare_paired
from acclimate.features.embeddings import Embedder
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.search.found import Found
from acclimate.strategy.search.run import search
from acclimate.strategy.search.space import Range
from acclimate.strategy.search.uncertainty import Luckiest, against_best, corrected, spread
from tests.searching import clinic, make_job


def cochran(right: np.ndarray) -> float:
    """Q as the paper writes it, in a loop: ``(m − 1)(m Σ Gⱼ² − (Σ Gⱼ)²) / (m Σ Lᵢ − Σ Lᵢ²)`` (Cochran 1950)."""
    n, m = right.shape
    columns = [sum(right[i, j] for i in range(n)) for j in range(m)]
    rows = [sum(right[i, j] for j in range(m)) for i in range(n)]
    above = (m - 1) * (m * sum(c * c for c in columns) - sum(columns) ** 2)
    return float(above / (m * sum(rows) - sum(r * r for r in rows)))


def test_the_test_of_all_trials_is_cochrans() -> None:
    from scipy.stats import chi2

    rng = np.random.default_rng(3)
    right = (rng.random((40, 6)) < np.linspace(0.5, 0.8, 6)).astype(float)
    assert spread(right).p_value == pytest.approx(chi2.sf(cochran(right), 5))


def _answers(rng: np.random.Generator, items: int, trials: int, effect: float) -> np.ndarray:
    """Trials that mostly answer alike, on items of different difficulty; the last one is better by ``effect``."""
    ease = rng.beta(4, 2, size=(items, 1))
    shared = rng.random((items, 1))
    own = rng.random((items, trials))
    level = np.where(rng.random((items, trials)) < 0.6, shared, own)
    chance = np.repeat(ease, trials, axis=1)
    chance[:, -1] = np.minimum(chance[:, -1] + effect, 1)
    return (level < chance).astype(np.int64)


def test_where_settings_make_no_difference_noise_is_found_in_nineteen_of_twenty_searches() -> None:
    rng = np.random.default_rng(0)
    false = [not spread(_answers(rng, 150, 20, 0.0).astype(float)).is_noise for _ in range(400)]
    assert 0.02 <= np.mean(false) <= 0.08
    plain = spread(_answers(rng, 150, 20, 0.0).astype(float))
    assert plain.observed == pytest.approx(plain.by_chance, rel=0.5)


def test_where_a_setting_helps_noise_is_not_found() -> None:
    rng = np.random.default_rng(1)
    assert not any(spread(_answers(rng, 200, 10, 0.3).astype(float)).is_noise for _ in range(20))


def test_the_luckiest_of_many_trials_passes_for_better_in_one_search_of_twenty() -> None:
    """The best of twenty equal trials against a twenty-first: uncorrected it is "better" far more often."""
    rng = np.random.default_rng(2)
    raw, kept = [], []
    for _ in range(150):
        right = _answers(rng, 120, 21, 0.0)
        default, trials = right[:, :1], right[:, 1:]
        best = int(trials.mean(axis=0).argmax())
        compared = compare_paired(str(best), "default", np.arange(120), np.zeros(120), trials[:, best] - default[:, 0])
        gain = corrected(compared, best, Luckiest.of((trials - default).astype(float)), 20)
        raw.append(compared.low > 0)
        kept.append(gain.low > 0)
        assert gain.low <= compared.low
        assert gain.high >= compared.high
    assert np.mean(raw) > 0.1
    assert np.mean(kept) <= 0.07


def test_trials_that_answer_alike_count_as_one() -> None:
    rng = np.random.default_rng(4)
    one = rng.choice([-1.0, 0.0, 1.0], size=(200, 1))
    alike, different = np.repeat(one, 50, axis=1), rng.choice([-1.0, 0.0, 1.0], size=(200, 50))
    assert Luckiest.of(alike).width == pytest.approx(1.96, abs=0.15)
    assert Luckiest.of(different).width > 2.8  # the 99.9% point of a normal distribution is 3.3
    assert Luckiest.of(np.zeros((10, 3))).p_value(0.0) == 1.0


@pytest.mark.parametrize("repeats", [1, 3])
def test_trials_that_may_be_the_best_contain_the_best(repeats: int) -> None:
    rng = np.random.default_rng(5)
    missed = []
    for _ in range(60):
        parts = [_answers(rng, 100, 8, 0.1) for _ in range(repeats)]
        right = np.concatenate(parts)
        items, draws = [str(i) for i in range(100)] * repeats, np.repeat(np.arange(repeats), 100)
        found = against_best(items, draws, right, int(right.mean(axis=0).argmax()))
        missed.append(not found[-1].may_be_best)  # the last one is truly best
    assert np.mean(missed) <= 0.05
    worse = np.concatenate([right, np.zeros((len(right), 1), dtype=np.int64)], axis=1)
    told = against_best(items, draws, worse, int(right.mean(axis=0).argmax()))[-1]
    assert not told.may_be_best
    assert told.high < 0


@pytest.fixture(scope="module")
def embed(encoder_folder: Path) -> Embedder:
    return Embedder(str(encoder_folder), cache=None, device="cpu")


def _search(embed: Embedder, folder: Path, **given: Any) -> Found:
    place = RunFolder(folder)
    with place.locked():
        return search(make_job(embed, **given), place)


def _warns(found: Found) -> bool:
    return any(note.startswith("the differences between the") and " are noise" in note for note in found.notes)


@pytest.mark.parametrize("seed", range(2))
def test_a_search_on_labels_that_mean_nothing_warns_and_recommends_nothing(embed: Embedder, tmp_path: Path, seed: int) -> None:
    space = {"C": Range(0.5, 8.0, log=True)}
    found = _search(embed, tmp_path, target=clinic(80, noise=True), space=space, trials=10, seed=seed, source=20)
    assert _warns(found)
    assert found.recommended == {}
    assert "no finalist was shown better than the recipe's settings; none is recommended" in found.notes


def test_a_setting_that_matters_is_found_and_recommended(embed: Embedder, tmp_path: Path) -> None:
    """The recipe's penalty is far too strong."""
    job = make_job(embed, target=clinic(120), space={"C": Range(1e-6, 100.0, log=True)}, trials=14, source=20)
    poor = dataclasses.replace(job, base=dataclasses.replace(job.base, C=1e-6))
    place = RunFolder(tmp_path)
    with place.locked():
        found = search(poor, place)
    assert not _warns(found)
    assert found.gain is not None
    assert found.gain.verdict == "helped"
    assert found.gain.low > 0
    assert found.recommended == found.best
    assert found.recommended["C"] > 1e-3
    assert found.importance == {"C": pytest.approx(1.0)}
    best = found.complete[0]
    assert best.against is not None
    assert best.against.may_be_best
    assert any(trial.against and not trial.against.may_be_best for trial in found.trials)


def test_the_labels_of_the_test_change_nothing_and_are_never_opened(embed: Embedder, tmp_path: Path) -> None:
    plain, corrupted = (
        _search(embed, tmp_path / str(corrupt), target=clinic(corrupt=corrupt), sampler="tpe", trials=12)
        for corrupt in (False, True)
    )
    assert plain.table.drop_columns(["seconds"]).equals(corrupted.table.drop_columns(["seconds"]))
    assert plain.gains == corrupted.gains
    assert plain.best == corrupted.best
    assert {opening["purpose"] for opening in plain.openings} == {"validation"}
    assert len(plain.openings) == 3 * (12 + 1 + 4 * 2)  # folds × (trials, the default, it and three finalists on fresh draws)


def test_a_finished_search_is_read_back(embed: Embedder, tmp_path: Path) -> None:
    first = _search(embed, tmp_path, storage=tmp_path / "t.db")
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "steps").iterdir())
    again = _search(embed, tmp_path, storage=tmp_path / "t.db")
    assert again.table.equals(first.table)
    assert again.gains == first.gains
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "steps").iterdir()) == before

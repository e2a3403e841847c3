"""faiss and numpy find the same neighbours, to the last bit, also among duplicates and near ties."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import from_columns
from acclimate.data.make import open_target
from acclimate.data.shards import pool
from acclimate.data.write import write
from acclimate.engine.base import engine
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget
from acclimate.select.pick import Pick
from acclimate.select.similarity import nearest
from acclimate.select.similarity.cosine import unit_rows
from acclimate.select.similarity.knn import Knn
from acclimate.select.similarity.nearest import Nearest
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.run import select_stream


def rows(count: int, seed: int, size: int = 48) -> NDArray[np.float64]:
    """Unit rows about a few centres: many are nearly alike, some equal, one is zero."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(12, size))
    made = centres[draw.integers(0, 12, count)] + draw.choice([0.0, 1e-9, 1e-4, 0.3, 1.0], (count, 1)) * draw.normal(
        size=(count, size)
    )
    made[0] = 0.0
    return unit_rows(made)


def checked(references: NDArray[np.float64], looked: NDArray[np.float64], k: int) -> None:
    """What is found, beside a loop over all references."""
    cosines, numbers = Nearest(references)(looked, k)
    for row, found, which in zip(looked, cosines, numbers, strict=True):
        every = references @ row
        assert np.array_equal(found, every[which])
        assert np.array_equal(np.sort(found)[-k:], np.sort(every)[-k:])
        assert which[found.argmax()] == every.argmax()
        assert (np.diff(which) > 0).all()


@pytest.fixture(params=["numpy", "faiss"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "faiss":
        pytest.importorskip("faiss", reason="the extra 'index' is not installed")
        monkeypatch.setattr(nearest, "SIEVED", 50)
    return str(request.param)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_the_nearest_are_those_of_a_loop_over_all(way: str, k: int) -> None:
    references = rows(600, 0)
    checked(references, rows(90, 1), k)
    spread = unit_rows(np.random.default_rng(3).normal(size=(700, 48)))
    checked(spread, unit_rows(np.random.default_rng(4).normal(size=(90, 48))), k)
    found = Nearest(spread)
    found(spread[:3], k)
    assert (found._index is not None) == (way == "faiss")


@pytest.mark.usefixtures("way")
def test_few_rows_or_few_references_are_no_special_case() -> None:
    checked(rows(7, 0), rows(3, 1), 5)
    cosines, numbers = Nearest(rows(600, 0))(np.zeros((0, 48)), 5)
    assert cosines.shape[0] == numbers.shape[0] == 0


@pytest.mark.usefixtures("way")
def test_a_vector_that_is_not_a_number_gives_no_number() -> None:
    looked = rows(5, 1)
    looked[2] = np.nan
    cosines, _ = Nearest(rows(600, 0))(looked, 5)
    assert np.isnan(cosines[2]).all()
    assert not np.isnan(cosines[[0, 1, 3, 4]]).any()


def test_most_rows_are_settled_by_the_sieve(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss", reason="the extra 'index' is not installed")
    monkeypatch.setattr(nearest, "SIEVED", 50)
    references = unit_rows(np.random.default_rng(3).normal(size=(2000, 48)))
    sure = Nearest(references)._sieved(unit_rows(np.random.default_rng(4).normal(size=(500, 48))), 5)[2]
    assert sure.mean() > 0.99


def embed(contents: Any) -> Any:
    """A stand-in for an encoder: a fixed draw for each word, added up; picklable, and a row depends on its text alone."""
    words = [[int(word[1:]) for word in text.split()] for text in contents]
    table = np.random.default_rng(5).normal(size=(400, 48))
    return np.array([table[one].sum(axis=0) for one in words], np.float32)


def texts(count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in draw.integers(0, 400, 6)) for _ in range(count)]


def test_a_selection_is_the_same_with_faiss_and_without_in_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss", reason="the extra 'index' is not installed")
    write(pa.table({"text": texts(600, 0)}), tmp_path / "pool.jsonl")
    target = open_target(from_columns("clinic", texts(1200, 1)))
    made = {}
    for name, sieved, workers in (("numpy", 10**9, 1), ("faiss", nearest.SIEVED, 1), ("two", nearest.SIEVED, 2)):
        monkeypatch.setattr(nearest, "SIEVED", sieved)
        asked = Choice("knn", {"contrast": 0.5}, Budget.parse(60), Pick())
        pieces = pool(tmp_path / "pool.jsonl", text="text", shard_bytes=6_000)
        done = select_stream(
            pieces, target, tmp_path / name, choice=asked, tools=Toolbox(embed=embed), engine=engine(workers=workers)
        )
        made[name] = [path.read_bytes() for path in done.paths]
    assert made["numpy"] == made["faiss"] == made["two"]


def test_what_was_looked_up_once_still_goes_to_another_process() -> None:
    target = open_target(from_columns("clinic", texts(1200, 1)))
    fitted = Knn(embed).fit(from_columns("pool", texts(5, 2)), target)
    batch = from_columns("pool", texts(40, 0))
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).score(batch), fitted.score(batch))
    again = pickle.loads(pickle.dumps(fitted))
    assert again.reasons(batch) == fitted.reasons(batch)

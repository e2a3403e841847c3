"""The cache gives back exactly what was computed, computes nothing twice, and outlives kills and damage."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from acclimate.features.cache import SHARD_ROWS, VectorCache, content_keys


class Counting:
    """A stand-in for a slow model: a text's vector is its first bytes; remembers what it was asked for."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.asked: list[str] = []
        self.stop_after = stop_after

    def __call__(self, texts: Sequence[str]) -> Iterator[tuple[int, np.ndarray]]:
        self.asked += texts
        for done, position in enumerate(reversed(range(len(texts)))):
            if done == self.stop_after:
                raise KeyboardInterrupt
            yield position, expected(texts[position])


def expected(text: str) -> np.ndarray:
    return np.frombuffer(text.encode().ljust(8, b"\0")[:8], dtype=np.uint8).astype(np.float32)


def check(vectors: np.ndarray, texts: Sequence[str]) -> None:
    np.testing.assert_array_equal(vectors, np.stack([expected(text) for text in texts]))


@pytest.mark.parametrize("on_disk", [True, False])
def test_only_distinct_unknown_texts_are_computed(tmp_path: Path, on_disk: bool) -> None:
    cache, compute = VectorCache(tmp_path if on_disk else None, "space"), Counting()
    check(cache.vectors(["b", "a", "b", ""], compute), ["b", "a", "b", ""])
    check(cache.vectors(["c", "a", "今天"], compute), ["c", "a", "今天"])
    assert compute.asked == ["b", "a", "", "c", "今天"]
    assert cache.computed == 5
    assert cache.dim == 8


def test_another_process_finds_what_was_stored_and_another_space_does_not(tmp_path: Path) -> None:
    early, late = VectorCache(tmp_path, "space"), VectorCache(tmp_path, "space")
    early.vectors(["a", "b"], Counting())
    compute = Counting()
    check(late.vectors(["b", "a"], compute), ["b", "a"])
    assert compute.asked == []
    VectorCache(tmp_path, "other").vectors(["a"], compute)
    assert compute.asked == ["a"]


def test_keys_that_end_in_zero_bytes_are_kept_apart() -> None:
    raw = np.frombuffer(b"x" * 14 + b"\0\0" + b"x" * 14 + b"\0y" + b"x" * 15 + b"\0", dtype="S16")
    assert len(np.unique(raw)) == 3
    assert content_keys(["a", "b"]).tobytes() == content_keys(["a"]).tobytes() + content_keys(["b"]).tobytes()


def test_a_kill_loses_at_most_one_shard(tmp_path: Path) -> None:
    texts = [f"{number:05d}" for number in range(2 * SHARD_ROWS + 100)]
    with pytest.raises(KeyboardInterrupt):
        VectorCache(tmp_path, "space").vectors(texts, Counting(stop_after=2 * SHARD_ROWS + 50))
    compute = Counting()
    check(VectorCache(tmp_path, "space").vectors(texts, compute), texts)
    assert len(compute.asked) == 100


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty"])
def test_a_damaged_shard_is_ignored_counted_and_computed_anew(tmp_path: Path, damage: str) -> None:
    texts = ["a", "b", "c"]
    VectorCache(tmp_path, "space").vectors(texts, Counting())
    (shard,) = (tmp_path / "space").iterdir()
    whole = shard.read_bytes()
    shard.write_bytes({"truncated": whole[:-5], "altered": whole[:-1] + b"\x7f", "empty": b""}[damage])
    cache, compute = VectorCache(tmp_path, "space"), Counting()
    check(cache.vectors(texts, compute), texts)
    assert (cache.damaged, compute.asked) == (1, texts)
    assert shard.read_bytes() == whole


def test_a_damaged_shard_does_not_hide_a_good_one(tmp_path: Path) -> None:
    VectorCache(tmp_path, "space").vectors(["a", "b"], Counting())
    other = VectorCache(tmp_path / "elsewhere", "space")
    other.vectors(["b", "c"], Counting())
    (good,) = (tmp_path / "elsewhere" / "space").iterdir()
    (bad,) = (tmp_path / "space").iterdir()
    good.rename(tmp_path / "space" / good.name)
    bad.write_bytes(bad.read_bytes()[:-1] + b"\x7f")
    cache, compute = VectorCache(tmp_path, "space"), Counting()
    check(cache.vectors(["a", "b", "c"], compute), ["a", "b", "c"])
    assert compute.asked == ["a"]


def test_concurrent_writers_of_overlapping_texts_leave_a_sound_cache(tmp_path: Path) -> None:
    texts = [f"{number}" for number in range(300)]

    def work(offset: int) -> None:
        VectorCache(tmp_path, "space").vectors(texts[offset : offset + 200], Counting())

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache, compute = VectorCache(tmp_path, "space"), Counting()
    check(cache.vectors(texts, compute), texts)
    assert (compute.asked, cache.damaged) == ([], 0)
    assert not list((tmp_path / "space").glob("*.part"))


def test_equal_content_makes_equal_files_whatever_the_order_of_computing(tmp_path: Path) -> None:
    VectorCache(tmp_path / "one", "space").vectors(["a", "b", "c"], Counting())
    VectorCache(tmp_path / "two", "space").vectors(["c", "a", "b"], Counting())
    names = [[path.name for path in (tmp_path / part / "space").iterdir()] for part in ("one", "two")]
    assert names[0] == names[1]

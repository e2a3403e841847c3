"""Sketches keep inner products, are the same on every machine, and cost one addition a component."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.errors import InputError
from acclimate.features.sketch import CountSketch, fnv1a

MASK = 2**64 - 1


def mixed(state: int) -> int:
    """SplitMix64's finaliser, written out in plain integers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
    return state ^ (state >> 31)


def test_cells_and_signs_are_those_of_the_published_hash() -> None:
    blocks = [("a.lora_A", 5), ("b", 3)]
    sketch = CountSketch(blocks, dim=7, salt=3)
    hashes = [mixed((mixed((mixed(3) + fnv1a(name)) & MASK) + i) & MASK) for name, size in blocks for i in range(size)]
    assert sketch.cells.tolist() == [value % 7 for value in hashes]
    assert sketch.signs.tolist() == [1 if value >> 63 else -1 for value in hashes]


def test_a_sketch_is_the_signed_sum_of_its_cells() -> None:
    sketch = CountSketch([("w", 50)], dim=8)
    vectors = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    expected = np.zeros((3, 8))
    for position in range(50):
        expected[:, sketch.cells[position]] += sketch.signs[position] * vectors[:, position]
    np.testing.assert_allclose(sketch(vectors), expected, rtol=1e-5, atol=1e-6)
    assert sketch(vectors[1:2]).tobytes() == sketch(vectors)[1:2].tobytes()


def test_inner_products_are_kept_without_bias() -> None:
    """Over 2,000 salts the mean of a sketched inner product lies within four standard errors of the true one."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 200)).astype(np.float32)
    x += y / 2
    found = np.array([np.dot(*CountSketch([("w", 200)], dim=64, salt=salt)(np.stack([x, y]))) for salt in range(2000)])
    assert abs(found.mean() - x @ y) < 4 * found.std() / np.sqrt(len(found))
    assert found.var() < 2 * (x @ x) * (y @ y) / 64


def test_cosines_of_long_vectors_err_as_little_as_those_of_a_dense_projection() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(40, 6_000)).astype(np.float32)  # 780 pairs whose errors are all but independent
    dense = vectors @ (rng.integers(0, 2, (6_000, 512)) * 2 - 1).astype(np.float32)

    def cosines(rows: np.ndarray) -> np.ndarray:
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return (units @ units.T)[np.triu_indices(len(rows), 1)]

    def error(rows: np.ndarray) -> float:
        return float(np.sqrt(np.mean((cosines(rows) - cosines(vectors)) ** 2)))

    assert error(CountSketch([("w", 6_000)], dim=512)(vectors)) < 1.1 * error(dense)


def test_the_same_parameter_has_the_same_cells_whatever_stands_before_it() -> None:
    alone = CountSketch([("b", 10)], dim=32)
    behind = CountSketch([("a", 4), ("b", 10)], dim=32)
    assert behind.cells[4:].tolist() == alone.cells.tolist()


def test_a_sketch_without_cells_is_refused() -> None:
    with pytest.raises(InputError, match="A sketch of 0 cells"):
        CountSketch([("w", 3)], dim=0)

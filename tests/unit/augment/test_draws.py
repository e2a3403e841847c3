"""Random numbers by counter: uniform, apart from each other, and without end."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import stats

from acclimate.augment.expand.draws import draw_for, draws, states_of, stream_of
from acclimate.engine.splitmix import mix64, uniforms

MASK = (1 << 64) - 1


def splitmix64(state: int) -> int:
    """As the reference (Steele et al. 2014, figure 17) writes it, with whole numbers of any size."""
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def test_numbers_are_those_of_splitmix64() -> None:
    found = uniforms(np.array([42], dtype=np.uint64), 50)[0]
    expected = [(splitmix64((42 + (k + 1) * 0x9E3779B97F4A7C15) & MASK) >> 11) / 2**53 for k in range(50)]
    assert found.tolist() == expected
    assert mix64(np.array([7], dtype=np.uint64))[0] == splitmix64(7)


def test_numbers_are_uniform_over_counters_copies_and_examples() -> None:
    states = states_of([stream_of(0, f"p:{row}", "text") for row in range(200)], range(1, 51))
    assert len(set(states.ravel().tolist())) == states.size
    for numbers in (uniforms(states.ravel()[:100], 500), uniforms(states.ravel(), 1), uniforms(states.ravel(), 37, 1)):
        assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
    pairs = uniforms(states.ravel(), 2)
    assert abs(np.corrcoef(pairs[:, 0], pairs[:, 1])[0, 1]) < 0.04


def test_a_stream_goes_on_past_its_first_block() -> None:
    states = states_of([5, 6], [1]).ravel()
    first, second = draws(states)
    taken = list(itertools.islice(iter(first, None), 700))
    assert taken == uniforms(states[:1], 700)[0].tolist()
    assert second() == uniforms(states[1:], 1)[0, 0]


def test_a_copy_has_the_same_numbers_alone_and_among_others() -> None:
    alone = draw_for(3, "p:1", "hello", 4)
    _, among = draws(states_of([stream_of(3, "p:1", "hello")], range(3, 5))[0])
    assert [alone() for _ in range(40)] == [among() for _ in range(40)]

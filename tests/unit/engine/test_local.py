"""Workers change nothing but the time."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from acclimate.engine.local import map_ordered
from acclimate.errors import InputError, RunError


def _square(number: int) -> int:
    return number * number


def _fail_on_three(number: int) -> int:
    if number == 3:
        raise InputError("three", fix="skip it")
    return number


def _die(number: int) -> int:
    os._exit(number + 9)


def test_results_and_order_do_not_depend_on_the_worker_count() -> None:
    assert list(map_ordered(_square, range(20), workers=2)) == list(map_ordered(_square, range(20))) == [n * n for n in range(20)]


def test_an_error_in_a_worker_is_raised_here_as_it_was() -> None:
    with pytest.raises(InputError) as caught:
        list(map_ordered(_fail_on_three, range(10), workers=2))
    assert (str(caught.value), caught.value.fix) == ("three. Fix: skip it.", "skip it")


def test_a_worker_that_dies_is_one_clear_error() -> None:
    with pytest.raises(RunError, match="worker process died"):
        list(map_ordered(_die, range(4), workers=2))


@pytest.mark.filterwarnings("ignore:.*have been cancelled")  # stopping early is the point
def test_items_are_read_no_faster_than_results_are_taken() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = map_ordered(_square, items(), workers=2)
    next(results)
    assert len(read) < 12
    results.close()


def test_no_worker_is_bad_input() -> None:
    with pytest.raises(InputError, match="0 workers"):
        list(map_ordered(_square, [1], workers=0))

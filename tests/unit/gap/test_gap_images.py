"""Gaps between pictures: every method that reads vectors measures them, the others say that they do not apply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_images
from acclimate.data.images import encoded, pixels
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.gap.measure import gap


def domain(name: str, brightness: int, count: int = 24) -> Domain:
    rng = np.random.default_rng(brightness)
    noise = rng.integers(0, 60, (count, 8, 8), dtype=np.uint8) + np.uint8(brightness)
    return from_images(name, [encoded(one) for one in noise], ["a", "b"] * (count // 2))


def see(pictures: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
    """Grey values as vectors."""
    return np.stack([pixels(one)[..., 0].ravel() for one in pictures if isinstance(one, bytes)]).astype(np.float32)


def target_of(domain: Domain) -> Target:
    empty = domain.take([])
    return Target(domain.name, domain, empty.without_labels(), Sealed(empty, "test"), domain.classes)


def test_pictures_that_differ_more_are_farther_apart() -> None:
    there = target_of(domain("there", 0))
    near, far = (gap(domain("here", brightness), there, methods=["mmd", "coral", "proxy-a"], embed=see) for brightness in (1, 150))
    assert near.results["mmd"].value < far.results["mmd"].value
    assert set(far.results) == {"mmd", "coral", "proxy-a"}


def test_methods_of_texts_are_noted_or_refused_and_the_map_describes_pictures() -> None:
    here, there = domain("here", 100), target_of(domain("there", 0))
    report = gap(here, there, embed=see)
    assert "divergence" not in report.results
    assert "mmd" in report.results
    assert any(
        note.startswith("divergence was not measured from 'here': The examples of 'here' are images") for note in report.notes
    )
    assert report.map is not None
    assert set(report.map.texts) == {"PNG, 8 × 8"}
    with pytest.raises(InputError, match="are images, without texts"):
        gap(here, there, methods=["divergence"])


def test_a_model_of_texts_is_refused_with_the_model_to_take(tiny_encoder: object) -> None:
    with pytest.raises(InputError, match="asset:efficientnet-lite0"):
        gap(domain("here", 100), target_of(domain("there", 0)), methods=["mmd"], model=str(tiny_encoder))

"""Both domains on one plane: the principal components of their vectors together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.images import described
from acclimate.gap.base import DomainMap, Sample, rows_by_domain


def principal_plane(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project ``(n, d)``, ``n ≥ 2``, onto its two principal components.

    A component's sign is arbitrary in mathematics; here its largest loading is positive, so that equal data give equal maps.

    Returns:
        points ``(n, 2)`` and the shares of the variance that the two axes show, ``(2,)``; zeros where there is no variance.
    """
    centred = vectors - vectors.mean(0)
    variances, components = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = components[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    points = np.zeros((len(vectors), 2))
    points[:, : axes.shape[1]] = centred @ axes
    shares = np.zeros(2)
    total = variances.sum()
    if total > 0:
        shares[: axes.shape[1]] = np.maximum(variances[::-1][:2], 0) / total
    return points, shares


def _shown(domain: Domain) -> list[str]:
    """What stands beside a point: the text, or the format and size of a picture."""
    return [described(picture) for picture in domain.images] if domain.modality == "image" else domain.texts


def draw_map(source: Sample, target: Sample, *, points: int, seed: int) -> DomainMap:
    """The map of both samples: the plane is fitted on all rows, and at most ``points`` of each domain are drawn."""
    plane, shares = principal_plane(np.concatenate([source.embedded(), target.embedded()]))
    rng = np.random.default_rng(seed)
    groups = [*rows_by_domain(source.domain).values(), np.arange(len(target))]
    kept = [np.sort(rng.permutation(rows)[:points]) for rows in groups]
    of_source = np.sort(np.concatenate(kept[:-1]))
    ours, theirs = source.domain.take(of_source), target.domain.take(kept[-1])
    return DomainMap(
        points=plane[np.concatenate([of_source, len(source) + kept[-1]])],
        ids=[*ours.ids, *theirs.ids],
        domains=[*ours.domains, *[target.domain.name] * len(theirs)],
        labels=[*ours.labels, *[None] * len(theirs)],
        texts=[*_shown(ours), *_shown(theirs)],
        explained=float(shares.sum()),
    )

"""Stratified splits: the same seed gives the same rows on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.errors import InputError

Indices = NDArray[np.int64]


def stratified_draw(domain: Domain, count: int, seed: int) -> tuple[Indices, Indices]:
    """Draw ``count`` labelled rows with the class shares of the whole; returns (drawn, rest), each sorted.

    Raises:
        InputError: fewer rows than ``count``, fewer drawn or left than classes, or a class with a single row.
    """
    from sklearn.model_selection import train_test_split  # a second to import: not on the way of reading files

    rows = np.arange(len(domain), dtype=np.int64)
    if not 0 < count < len(domain):
        raise InputError(
            f"{count} labelled examples were asked for, but '{domain.name}' has {len(domain)}",
            expected=f"a number from 1 to {len(domain) - 1}",
            fix="ask for fewer, or give more labelled data",
        )
    try:
        drawn, rest = train_test_split(rows, train_size=count, random_state=seed, stratify=domain.labels)
    except ValueError as error:
        raise InputError(
            f"'{domain.name}' ({len(domain)} rows, {len(domain.classes)} classes) cannot be split at {count}: {error}",
            expected="at least two examples of every class, and one of each on both sides",
            fix="give more examples of the rare classes or merge them",
        ) from error
    return np.sort(drawn), np.sort(rest)


def k_folds(domain: Domain, k: int, seed: int) -> list[tuple[Indices, Indices]]:
    """K stratified (train, held-out) pairs of sorted rows.

    Raises:
        InputError: a class has fewer than ``k`` examples.
    """
    from sklearn.model_selection import StratifiedKFold

    labels = domain.labels
    fewest = min((labels.count(name) for name in domain.classes), default=0)
    if k < 2 or fewest < k:
        raise InputError(
            f"{k}-fold validation of '{domain.name}', whose rarest class has {fewest} labelled examples",
            expected=f"at least {k} examples of every class",
            fix="use fewer folds (validation: cv2), a hold-out share, or label more examples",
        )
    splitter = StratifiedKFold(n_splits=k, shuffle=True, random_state=seed)
    return [(train.astype(np.int64), held.astype(np.int64)) for train, held in splitter.split(np.zeros(len(labels)), labels)]

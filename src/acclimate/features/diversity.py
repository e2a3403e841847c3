"""How much a text uses words as the target does, and how diverse its words are: one number per text and feature.

The features of Ruder & Plank 2017, "Learning to select data for transfer learning with Bayesian optimization", §3.2, on term
distributions: rows of counts (:func:`acclimate.features.ngrams.hash_ngrams`, any orders) against the distribution of a domain.

Everything is larger for *more* similar and for *more* diverse texts, and finite for every text, also for one without words.
A row's values depend on that row and the domain's distribution alone, to the last bit: sums run over a row's own entries in order.

Quadratic entropy, the paper's remaining diversity feature, needs a vector for every word and is left out: with words that are
alike only to themselves it is the Simpson index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # scipy takes a tenth of a second to load, which other methods should not pay
    from scipy.sparse import csr_matrix

#: Order of Rényi's divergence and entropy (Ruder & Plank 2017, §3.2).
ALPHA = 0.99
#: The least mass that two distributions are held to share in Rényi's divergence, which is infinite where they share nothing. At
#: order .99 a text with one target word in a thousand shares about .001.
LEAST_MASS = 1e-4

Distribution = NDArray[np.float64]


def distribution(counts: csr_matrix) -> Distribution:
    """The proportions of all counts ``(n, b)`` together, ``(b,)``; zeros where there are none."""
    sums = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    shares: Distribution = sums / max(sums.sum(), 1.0)
    return shares


def proportions(counts: csr_matrix) -> csr_matrix:
    """Each row's own distribution, ``(n, b)``; a row without counts stays empty."""
    sizes = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return _with(counts, counts.data / np.repeat(np.maximum(sizes, 1.0), np.diff(counts.indptr)))


def jensen_shannon_similarity(rows: csr_matrix, q: Distribution) -> NDArray[np.float64]:
    """1 minus the Jensen–Shannon divergence in bits of each distribution ``(n, b)`` from ``q (b,)``, ``(n,)``, in [0, 1].

    Where a row has nothing, ``q`` adds ``q log 2`` to the divergence, which is one minus the ``q`` of the row's own entries.
    """
    from scipy.special import entr

    p, own = rows.data, q[rows.indices]
    shared = entr((p + own) / 2) - (entr(p) + entr(own)) / 2
    bits = _row_sums(rows, shared) / np.log(2) + (q.sum() - _row_sums(rows, own)) / 2
    return np.where(_has_words(rows), np.clip(1 - bits, 0, 1), 0)


def renyi_similarity(rows: csr_matrix, q: Distribution, alpha: float = ALPHA) -> NDArray[np.float64]:
    """Minus Rényi's divergence of order ``alpha`` in nats of each distribution ``(n, b)`` from ``q (b,)``, ``(n,)``, at most 0.

    ``log(Σ p^α q^(1−α)) / (1 − α)``; the mass inside is held at :data:`LEAST_MASS` or more.
    """
    mass = _row_sums(rows, rows.data**alpha * q[rows.indices] ** (1 - alpha))
    return np.minimum(np.log(np.maximum(mass, LEAST_MASS)) / (1 - alpha), 0)


def bhattacharyya_similarity(rows: csr_matrix, q: Distribution) -> NDArray[np.float64]:
    """The Bhattacharyya coefficient ``Σ √(p q)``, ``(n,)``, in [0, 1]: the distance is minus its logarithm."""
    return np.minimum(_row_sums(rows, np.sqrt(rows.data * q[rows.indices])), 1)


def cosine_similarity(rows: csr_matrix, q: Distribution) -> NDArray[np.float64]:
    """The cosine of each distribution ``(n, b)`` and ``q (b,)``, ``(n,)``, in [0, 1]."""
    norms = np.sqrt(_row_sums(rows, rows.data**2) * float((q * q).sum()))
    return np.minimum(_row_sums(rows, rows.data * q[rows.indices]) / np.where(norms > 0, norms, 1), 1)


def euclidean_similarity(rows: csr_matrix, q: Distribution) -> NDArray[np.float64]:
    """Minus the Euclidean distance of each distribution ``(n, b)`` from ``q (b,)``, ``(n,)``, at most 0."""
    own = q[rows.indices]
    elsewhere = np.maximum(float((q * q).sum()) - _row_sums(rows, own**2), 0)
    return -np.sqrt(_row_sums(rows, (rows.data - own) ** 2) + elsewhere)


def variational_similarity(rows: csr_matrix, q: Distribution) -> NDArray[np.float64]:
    """Minus the variational (L1) distance of each distribution ``(n, b)`` from ``q (b,)``, ``(n,)``, in [-2, 0]."""
    own = q[rows.indices]
    elsewhere = np.maximum(float(q.sum()) - _row_sums(rows, own), 0)
    return -(_row_sums(rows, np.abs(rows.data - own)) + elsewhere)


def number_of_types(counts: csr_matrix, pool: Distribution) -> NDArray[np.float64]:  # noqa: ARG001 (one signature for all)
    """How many different words (or n-grams) each row of counts ``(n, b)`` has, ``(n,)``."""
    return np.diff(counts.indptr).astype(np.float64)


def type_token_ratio(counts: csr_matrix, pool: Distribution) -> NDArray[np.float64]:  # noqa: ARG001 (one signature for all)
    """Different words over words, ``(n,)``, in [0, 1]; 0 without words."""
    sizes = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return np.diff(counts.indptr) / np.maximum(sizes, 1)


def entropy(counts: csr_matrix, pool: Distribution) -> NDArray[np.float64]:
    """``−Σ p ln p`` over the different words of each row, ``(n,)``, ``p (b,)`` being their proportions in the *pool*."""
    from scipy.special import entr

    return _row_sums(counts, entr(pool[counts.indices]))


def simpson(counts: csr_matrix, pool: Distribution) -> NDArray[np.float64]:
    """``−Σ p²`` over the different words of each row, ``(n,)``: the likelier two pool words are both this text's, the lower."""
    return -_row_sums(counts, pool[counts.indices] ** 2)


def renyi_entropy(counts: csr_matrix, pool: Distribution, alpha: float = ALPHA) -> NDArray[np.float64]:
    """``log(Σ p^α) / (1 − α)`` over the different words of each row, ``(n,)``; the sum is held at :data:`LEAST_MASS` or more."""
    mass = _row_sums(counts, pool[counts.indices] ** alpha)
    return np.log(np.maximum(mass, LEAST_MASS)) / (1 - alpha)


#: Of each row's *proportions* ``(n, b)`` and the target's distribution ``(b,)``.
SIMILARITIES: dict[str, Callable[[csr_matrix, Distribution], NDArray[np.float64]]] = {
    "jensen-shannon": jensen_shannon_similarity,
    "renyi": renyi_similarity,
    "bhattacharyya": bhattacharyya_similarity,
    "cosine": cosine_similarity,
    "euclidean": euclidean_similarity,
    "variational": variational_similarity,
}
#: Of each row's *counts* ``(n, b)`` and the pool's distribution ``(b,)``.
DIVERSITIES: dict[str, Callable[[csr_matrix, Distribution], NDArray[np.float64]]] = {
    "types": number_of_types,
    "type-token-ratio": type_token_ratio,
    "entropy": entropy,
    "simpson": simpson,
    "renyi-entropy": renyi_entropy,
}


def similarity_and_diversity(counts: csr_matrix, target: Distribution, pool: Distribution) -> NDArray[np.float64]:
    """Every feature of each row of counts ``(n, b)``: those of :data:`SIMILARITIES`, then of :data:`DIVERSITIES`, ``(n, 11)``.

    Args:
        counts: of texts, ``(n, b)``, without stored zeros.
        target: the target's distribution, ``(b,)`` (:func:`distribution` of its counts).
        pool: the source's, ``(b,)``.
    """
    rows = proportions(counts)
    similar = [function(rows, target) for function in SIMILARITIES.values()]
    return np.column_stack([*similar, *(function(counts, pool) for function in DIVERSITIES.values())])


def _with(rows: csr_matrix, values: NDArray[np.float64]) -> csr_matrix:
    """The same sparse places with other values."""
    from scipy.sparse import csr_matrix

    return csr_matrix((values, rows.indices, rows.indptr), shape=rows.shape)


def _row_sums(rows: csr_matrix, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over each row's stored entries, one after another in their order, ``(n,)``."""
    places = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(places, weights=values, minlength=rows.shape[0]).astype(np.float64)


def _has_words(rows: csr_matrix) -> NDArray[np.bool_]:
    return np.diff(rows.indptr) > 0

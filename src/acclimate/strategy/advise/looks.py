"""Examples as vectors without a model: hashed words of texts, thumbnails of pictures. Cheap, and the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Matrix = NDArray[np.float64]
#: Columns of hashed words and pairs of words: a linear rule over them is solved in a tenth of a second.
BUCKETS = 512
#: The side of a thumbnail.
SIDE = 12


def word_vectors(texts: Sequence[str]) -> Matrix:
    """Logarithmic counts of hashed words and pairs, each row of length 1 (0 without words), ``(n, BUCKETS)``."""
    counts = word_counts(texts).toarray().astype(np.float64)
    return _unit(np.log1p(counts))


def word_counts(texts: Sequence[str], buckets: int = BUCKETS, orders: Sequence[int] = (1, 2)) -> csr_matrix:
    """Counts of hashed n-grams, ``(n, buckets)``."""
    from acclimate.features.ngrams import hash_ngrams

    return hash_ngrams(list(texts), buckets=buckets, orders=orders)


def picture_vectors(pictures: Sequence[bytes]) -> tuple[Matrix, Matrix]:
    """What pictures show, and how they look.

    Returns:
        content: grey thumbnails of mean 0 and length 1, ``(n, SIDE²)``: brightness and contrast are gone.
        style: mean and deviation of each colour, and the mean step between neighbouring pixels over the deviation, ``(n, 7)``.
    """
    from acclimate.data.images import decoded

    small = np.stack([np.asarray(decoded(one).convert("RGB").resize((SIDE, SIDE)), dtype=np.float64) for one in pictures]) / 255
    grey = small.mean(-1)
    flat = grey.reshape(len(grey), -1)
    content = _unit(flat - flat.mean(1, keepdims=True))
    steps = (np.abs(np.diff(grey, axis=1)).mean((1, 2)) + np.abs(np.diff(grey, axis=2)).mean((1, 2))) / 2
    sharp = steps / np.maximum(flat.std(1), 1e-6)
    style = np.column_stack([small.mean((1, 2)), small.std((1, 2)), sharp])
    return content, style


def vectors(domain: Domain) -> Matrix:
    """The vectors of a domain's examples, ``(n, d)``; of pictures both content and style."""
    if domain.modality == "image":
        return np.hstack(picture_vectors(domain.images)) if len(domain) else np.zeros((0, SIDE * SIDE + 7))
    return word_vectors(domain.texts)


def mean_distance(rows: Matrix) -> float:
    """The mean of ``1 − cosine`` over all pairs of different rows ``(n, d)``, from their sum alone; 0 for fewer than two rows."""
    n = len(rows)
    if n < 2:
        return 0.0
    unit = _unit(rows - 0.0)
    total = unit.sum(0)
    return float(1 - (total @ total - np.square(unit).sum()) / (n * (n - 1)))


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))

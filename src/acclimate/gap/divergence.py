"""How differently two domains use words: divergences of their word distributions and the overlap of their vocabularies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import entr

from acclimate.errors import InputError
from acclimate.features.tokenize import words
from acclimate.gap.base import GapResult, Sample, check_sizes
from acclimate.gap.permutation import p_value, statistics_by_chance

#: Words of a vocabulary that are compared (Gururangan 2020, figure 2).
TOP_WORDS = 10_000
#: Permutations that are computed together; bounds memory at CHUNK × vocabulary numbers.
CHUNK = 20

Distribution = NDArray[np.float64]


def jensen_shannon(p: Distribution, q: Distribution) -> NDArray[np.float64]:
    """Jensen–Shannon divergence in bits, 0 to 1, along the last axis of ``(..., v)`` (Ruder & Plank 2017, section 3.1)."""
    nats = entr((p + q) / 2).sum(-1) - (entr(p).sum(-1) + entr(q).sum(-1)) / 2
    return np.asarray(np.maximum(nats, 0) / np.log(2))


def renyi(p: Distribution, q: Distribution, alpha: float = 0.99) -> float:
    """Rényi divergence of order ``alpha`` in nats of ``p (v,)`` from ``q (v,)``; infinite for disjoint supports.

    ``log(Σ p^α q^(1−α)) / (α − 1)`` (Rényi 1961; order 0.99 as in Ruder & Plank 2017). Not symmetric.
    """
    both = (p > 0) & (q > 0)
    mass = float(np.sum(p[both] ** alpha * q[both] ** (1 - alpha)))
    return float(np.log(mass) / (alpha - 1)) if mass > 0 else float("inf")


def bhattacharyya(p: Distribution, q: Distribution) -> float:
    """Bhattacharyya distance ``−log Σ √(p q)`` in nats between ``p (v,)`` and ``q (v,)``; infinite for disjoint supports."""
    mass = float(np.sum(np.sqrt(p * q)))
    return max(0.0, -float(np.log(mass))) if mass > 0 else float("inf")


def vocabulary_overlap(p: Distribution, q: Distribution, top: int = TOP_WORDS) -> float:
    """The share of the most frequent words of one side that are among those of the other (Gururangan 2020, figure 2).

    Both lists are as long as the shorter vocabulary, at most ``top``. Stop words stay: there is no list of them for every language.

    Args:
        p, q: frequencies ``(v,)`` over one common vocabulary; words of equal frequency rank in its order.
    """
    size = min(top, int(np.count_nonzero(p)), int(np.count_nonzero(q)))
    top_p, top_q = (np.argsort(-side, kind="stable")[:size] for side in (p, q))
    return len(np.intersect1d(top_p, top_q)) / max(size, 1)


def count_words(texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    """Word counts of each text, ``(n, v)``, and the vocabulary, sorted."""
    counts = [Counter(words(text)) for text in texts]
    vocabulary = sorted({word for count in counts for word in count})
    column = {word: number for number, word in enumerate(vocabulary)}
    indices = [column[word] for count in counts for word in count]
    values = [float(number) for count in counts for number in count.values()]
    starts = np.cumsum([0, *(len(count) for count in counts)])
    return csr_matrix((values, indices, starts), shape=(len(texts), len(vocabulary))), vocabulary


class Divergence:
    """Jensen–Shannon divergence of word distributions, with Rényi, Bhattacharyya and the overlap of vocabularies beside it.

    Use when: you want a gap without any model, and to see which words make it.
    Avoid when: domains say the same things in other words, or in other languages: the words differ completely.

    Finite samples of one distribution never use the same words: ``details["by_chance"]`` is the divergence to expect from that
    alone, and the p-value comes from moving whole texts between the sides at random.

    Args:
        permutations: of the test; the smallest p-value is 1 / (permutations + 1).
    """

    paper: ClassVar[str] = "Ruder & Plank 2017; Gururangan et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    summary: ClassVar[str] = "Jensen–Shannon, Rényi and Bhattacharyya divergence of word distributions; vocabulary overlap."
    summary_zh: ClassVar[str] = "词分布的 Jensen–Shannon、Rényi 与 Bhattacharyya 散度，以及词表重合度。"
    needs_embeddings: ClassVar[bool] = False
    uses_source_labels: ClassVar[bool] = False

    def __init__(self, permutations: int = 100) -> None:
        if permutations < 1:
            raise InputError(f"permutations {permutations}", expected="at least 1, better 100")
        self.permutations = permutations

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The Jensen–Shannon divergence in bits, 0 to 1."""
        warning = check_sizes(source, target)
        counts, vocabulary = count_words([*source.domain.texts, *target.domain.texts])
        is_source = np.repeat([1.0, 0.0], [len(source), len(target)])
        p, q = _distributions(counts, is_source[None])
        for sample, side in ((source, p[0]), (target, q[0])):
            if not side.any():
                raise InputError(f"The {len(sample)} texts of '{sample.domain.name}' hold no word", expected="texts with words")
        value = float(jensen_shannon(p[0], q[0]))
        by_chance = statistics_by_chance(
            lambda splits: jensen_shannon(*_distributions(counts, splits)),
            (len(source), len(target)),
            permutations=self.permutations,
            seed=seed,
            chunk=CHUNK,
        )
        details = _details(p[0], q[0], vocabulary) | {"by_chance": float(by_chance.mean()), "permutations": self.permutations}
        return GapResult("divergence", value, p_value=p_value(value, by_chance), warning=warning, details=details)


def _distributions(counts: csr_matrix, first: NDArray[np.float64]) -> tuple[Distribution, Distribution]:
    """Word distributions ``(b, v)`` of both sides of ``b`` splits ``first (b, n)``; zeros for a side without words."""
    one = np.asarray((counts.T @ first.T).T)
    other = np.asarray(counts.sum(axis=0)).reshape(1, -1) - one
    return one / np.maximum(one.sum(-1, keepdims=True), 1), other / np.maximum(other.sum(-1, keepdims=True), 1)


def _details(p: Distribution, q: Distribution, vocabulary: Sequence[str]) -> dict[str, Any]:
    """The other divergences (None for infinite), and the words that each side uses more, by their part in the divergence."""
    middle = (p + q) / 2
    part = np.where(middle > 0, entr(middle) - (entr(p) + entr(q)) / 2, 0)
    ranked = np.argsort(-part, kind="stable")
    further = {"renyi": renyi(q, p), "bhattacharyya": bhattacharyya(p, q)}
    return {
        **{name: value if np.isfinite(value) else None for name, value in further.items()},
        "vocabulary_overlap": vocabulary_overlap(p, q),
        "vocabulary_sizes": [int(np.count_nonzero(side)) for side in (p, q)],
        "more_in_source": [vocabulary[word] for word in ranked if p[word] > q[word]][:10],
        "more_in_target": [vocabulary[word] for word in ranked if q[word] > p[word]][:10],
    }

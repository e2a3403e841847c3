"""Perplexity: how much harder one domain is than another for a language model that was trained on neither."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.gap.base import GapResult, Sample, check_sizes
from acclimate.gap.permutation import p_value, statistics_by_chance
from acclimate.models.causal import CausalModel
from acclimate.models.likelihood import bits_per_byte, perplexity

#: Resamples and permutations that are computed together; bounds memory at CHUNK x rows numbers.
CHUNK = 200
#: What is known of an example: nats, scored tokens, bytes that these stand for.
Cost = tuple[float, int, int]


def rate(costs: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nats per token of weighted examples: ``sum nats / sum tokens``, 0 where nothing is scored.

    Args:
        costs: nats and tokens of ``n`` examples, ``(n, 2)``.
        weights: how often each counts, ``(b, n)``.
    Returns:
        ``(b,)``.
    """
    totals = weights @ costs
    return np.divide(totals[:, 0], totals[:, 1], out=np.zeros(len(totals)), where=totals[:, 1] > 0)


def difference_interval(
    source: NDArray[np.float64], target: NDArray[np.float64], *, resamples: int, seed: int
) -> tuple[float, float]:
    """95% percentile interval of ``rate(target) - rate(source)``, examples drawn anew on either side (Efron 1979).

    Args:
        source, target: nats and tokens, ``(n, 2)`` and ``(m, 2)``.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = [
            rate(side, rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size).astype(np.float64))
            for side in (source, target)
        ]
        parts.append(drawn[1] - drawn[0])
    low, high = np.quantile(np.concatenate(parts), [0.025, 0.975])
    return float(low), float(high)


class Perplexity:
    """Difference of the language model's mean loss on both sides, in nats per token; with perplexities and bits per byte beside it.

    Use when: the target is for a language model: the loss on it is what training starts from, and a domain with a like loss is a
        like domain to this model.
    Avoid when: domains are equally hard and still differ: like losses do not mean like texts. Bits per byte are the fairer figure
        where one side is cut into more tokens than the other (other scripts, code).

    Reference: as a distance of domains, Gururangan et al. 2020, section 2 (masked loss of RoBERTa on each domain).

    The interval is a bootstrap over examples, the p-value comes from moving whole examples between the sides at random.

    Args:
        language_model: None takes SmolLM2, the packaged one, and loads it at the first measurement.
        resamples: of the bootstrap; 2,000 place a 95% limit within a few hundredths of its standard error.
        permutations: of the test; the smallest p-value is 1 / (permutations + 1).

    Cost: a forward pass of the model for every distinct example.
    """

    paper: ClassVar[str] = "Gururangan et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    summary: ClassVar[str] = "Difference of a language model's mean loss on each domain; perplexities and bits per byte."
    summary_zh: ClassVar[str] = "语言模型在两个领域上的平均损失之差，附困惑度与每字节比特数。"
    needs_embeddings: ClassVar[bool] = False
    uses_source_labels: ClassVar[bool] = False

    def __init__(self, language_model: CausalModel | None = None, resamples: int = 2000, permutations: int = 1000) -> None:
        if resamples < 1 or permutations < 1:
            raise InputError(f"{resamples} resamples and {permutations} permutations", expected="at least 1, better 1000")
        self.language_model = language_model or CausalModel()
        self.resamples, self.permutations = resamples, permutations
        self._known: dict[str, Cost] = {}

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The size of the difference in nats per token; ``details["difference"]`` is above 0 where the target is harder."""
        warning = check_sizes(source, target)
        costs = [self._costs(sample) for sample in (source, target)]
        for sample, side in zip((source, target), costs, strict=True):
            if not side[:, 1].any():
                raise InputError(
                    f"The {len(sample)} examples of '{sample.domain.name}' hold nothing that a language model can be scored on",
                    expected="texts of two tokens or more, or conversations with answers",
                )
        details = {name: _figures(side) for name, side in zip(("source", "target"), costs, strict=True)}
        difference = details["target"]["nats_per_token"] - details["source"]["nats_per_token"]
        here, there = costs[0][:, :2], costs[1][:, :2]
        low, high = difference_interval(here, there, resamples=self.resamples, seed=seed)
        both = np.concatenate([here, there])
        by_chance = statistics_by_chance(
            lambda splits: np.abs(rate(both, splits) - rate(both, 1 - splits)),
            (len(source), len(target)),
            permutations=self.permutations,
            seed=seed,
            chunk=CHUNK,
        )
        spans_zero = low <= 0 <= high
        ends = sorted((abs(low), abs(high)))
        return GapResult(
            "perplexity",
            abs(difference),
            low=0.0 if spans_zero else ends[0],
            high=ends[1],
            p_value=p_value(abs(difference), by_chance),
            warning=warning,
            details={**details, "difference": difference, "low": low, "high": high, "model": self.language_model.name},
        )

    def _costs(self, sample: Sample) -> NDArray[np.float64]:
        """Nats, tokens and bytes of each example, ``(n, 3)``; every distinct example is read once."""
        domain = sample.domain
        if domain.modality == "image":
            raise InputError(
                f"'{domain.name}' holds images, which a language model does not read", expected="texts or conversations"
            )
        keys: list[str] = domain.table.column("messages" if domain.modality == "chat" else "text").to_pylist()
        rows = {key: row for row, key in enumerate(keys) if key not in self._known}
        if rows:
            new = domain.take(list(rows.values()))
            nats, tokens = self.language_model.losses(new)
            sizes = self.language_model.scored_bytes(new)
            self._known |= dict(zip(rows, zip(nats.tolist(), tokens.tolist(), sizes.tolist(), strict=True), strict=True))
        return np.array([self._known[key] for key in keys], dtype=np.float64)


def _figures(costs: NDArray[np.float64]) -> dict[str, Any]:
    """What a side costs, JSON-ready."""
    nats, tokens, size = (float(total) for total in costs.sum(axis=0))
    return {
        "nats_per_token": nats / tokens,
        "perplexity": perplexity(nats, tokens),
        "bits_per_byte": bits_per_byte(nats, size) if size else None,
        "tokens": int(tokens),
    }

"""What is known of a source and a target before anything is trained, as one flat value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from acclimate.errors import InputError

Task = Literal["text-classification", "image-classification", "causal-lm"]
TASKS: tuple[Task, ...] = ("text-classification", "image-classification", "causal-lm")


@dataclasses.dataclass(frozen=True)
class Part:
    """One domain of the source: its rows, and its gap to the target with a 95% interval (None where it is too small)."""

    name: str
    rows: int
    gap: float | None = None
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class Traits:
    """Figures on a source and a target. None: not measured, because there is nothing to measure it on.

    Attributes:
        task: what is to be learned.
        features: what distances are measured on: ``words`` (hashed n-grams), ``thumbnails``, or the name of a model.
        sampled: rows of a side that were looked at, at most; counts are of all rows, distances of these.
        source_rows, source_labels, source_domains, source_classes: sizes of the source.
        target_labels, target_unlabelled, target_classes: of the target, without its test.
        labels_per_class: target labels over classes.
        source_per_label: source rows with a label for each target label (or for one, where there is none).
        source_balance, target_balance: entropy of the classes over its largest value, 1 where all are as frequent.
        gap, gap_low, gap_high: proxy A-distance, 0 (indistinguishable) to 2 (never confused), with its 95% interval.
        word_gap: Jensen-Shannon divergence of the words in bits, less what chance alone gives.
        gap_spread: the gap of the farthest domain of the source less that of the nearest.
        style_gap, content_gap: the gap of pictures in brightness, colour and sharpness alone, and without these.
        label_shift, label_shift_p: total variation distance of the class proportions, and the chance of one as large by chance.
        label_shift_from: ``labels`` of the target, or an ``estimate`` without them (Lipton et al. 2018).
        transfer, transfer_low, transfer_high: how often a linear rule of the source is right on the target's labels, 95% interval.
        learnable: how often a linear rule of the target's labels is right on the others of them, in cross-validation.
        chance: how often guessing the target's most frequent class is right.
        transfer_margin: ``transfer`` less ``chance``; transfer_lead: ``transfer`` less ``learnable``.
        h_score: share of the variation of the target's features between its classes, 0 to 1 (Bao et al. 2019).
        spread: mean distance (1 - cosine) of two target examples; spread_ratio: over that of the source.
        distinct: different word pairs over all pairs in the target (distinct-2); distinct_ratio: over as many pairs of the source.
        repeated_target, repeated_source: share of the rows that nearly repeat an earlier one of their side.
        repeated_across: share of the source's rows that nearly repeat a target example, its test included.
        source_script, target_script: the writing most letters are of; same_script: whether both are of one.
        source_length, target_length: median words of a text; length_ratio: the longer over the shorter.
        accelerated: whether there is a GPU; cores: processors.
        parts: the source's domains, nearest first.
    """

    task: Task
    features: str
    sampled: int
    source_rows: int
    source_labels: int
    source_domains: int
    source_classes: int
    target_labels: int
    target_unlabelled: int
    target_classes: int
    labels_per_class: float
    source_per_label: float
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    word_gap: float | None = None
    gap_spread: float | None = None
    style_gap: float | None = None
    content_gap: float | None = None
    source_balance: float | None = None
    target_balance: float | None = None
    label_shift: float | None = None
    label_shift_p: float | None = None
    label_shift_from: str = ""
    transfer: float | None = None
    transfer_low: float | None = None
    transfer_high: float | None = None
    learnable: float | None = None
    chance: float | None = None
    transfer_margin: float | None = None
    transfer_lead: float | None = None
    h_score: float | None = None
    spread: float | None = None
    spread_ratio: float | None = None
    distinct: float | None = None
    distinct_ratio: float | None = None
    repeated_target: float = 0.0
    repeated_source: float = 0.0
    repeated_across: float = 0.0
    source_script: str = ""
    target_script: str = ""
    same_script: bool = True
    source_length: float | None = None
    target_length: float | None = None
    length_ratio: float | None = None
    accelerated: bool = False
    cores: int = 1
    parts: tuple[Part, ...] = ()

    def number(self, name: str) -> float | None:
        """A trait as a number, yes as 1 and no as 0; None where it was not measured.

        Raises:
            InputError: no such trait, or none that is a number.
        """
        value = getattr(self, name, "")
        if value is None or isinstance(value, int | float):
            return None if value is None else float(value)
        raise InputError(f"Unknown trait '{name}'", expected="a trait that is a number", fix="see acclimate.strategy.advise.traits")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The traits that :meth:`to_dict` wrote."""
        parts = tuple(Part(**part) for part in values.get("parts", ()))
        return cls(**{**values, "parts": parts})

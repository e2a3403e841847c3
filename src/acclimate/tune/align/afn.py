"""Adaptive feature norm: representations grow longer, step by step, in both domains."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.sides import sides

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Afn:
    """Every representation is asked to be a little longer than it is (Xu 2019, section 3.4), or all of them to have one length
    (3.3).

    The paper's observation: what transfers badly has short representations. The first form is its SAFN, the second its HAFN.

    Use when: target representations are shorter than the source's and class shares differ, which this does not mind. Avoid when:
    the head normalises its input, or the representation ends in a layer norm, which fixes the length.

    Args:
        step: how much longer. 1, as Xu 2019, section 4.2, where lengths are tens; vectors of MiniLM have a length near 6.
        radius: the length all shall have on average; 0 asks for growth by ``step`` instead.
    """

    paper: ClassVar[str] = "Xu 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Lets the representations of both domains grow longer, step by step."
    summary_zh: ClassVar[str] = "使两域表示的范数逐步增大（AFN）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    step: float = 1.0
    radius: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError: step not above 0, or radius below 0."""
        for name, low in (("step", self.step > 0), ("radius", self.radius >= 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low or value == float("inf"):
                raise InputError(f"afn was given {name} {value!r}", expected="step above 0, radius of at least 0")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The sum of both domains' terms for one batch."""
        del model
        source, target, _ = sides(batch, outputs)
        if self.radius:
            return mean_norm_gap(source, self.radius) + mean_norm_gap(target, self.radius)
        return norm_growth(source, self.step) + norm_growth(target, self.step)


def norm_growth(values: Tensor, step: float) -> Tensor:
    """``mean (‖x‖ − (‖x‖' + Δr))²``, the primed length without gradient (Xu 2019, SAFN); ``(n, d)``."""
    lengths = _lengths(values)
    return (lengths - (lengths.detach() + step)).square().mean()


def mean_norm_gap(values: Tensor, radius: float) -> Tensor:
    """``(mean ‖x‖ − R)²`` (Xu 2019, HAFN); ``(n, d)``."""
    return (_lengths(values).mean() - radius) ** 2


def _lengths(values: Tensor) -> Tensor:
    return values.square().sum(-1).clamp_min(1e-24).sqrt()

"""FixMatch: what a model is sure of in a plain picture or text, it must also say of a distorted one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from acclimate.augment import METHODS as EXPANDERS
from acclimate.errors import InputError, RunError
from acclimate.tune.shallow.base import between, whole

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.augment.base import Augmenter
    from acclimate.models.objective import Batch, Model, Outputs

#: A name, or a mapping with ``method`` and its settings.
View = str | Mapping[str, Any]
#: A view that changes nothing.
NONE = "none"
#: The views of each kind of example where none are chosen. Pictures: Sohn 2020, section 2.3: mirrored with probability a half and
#: moved by up to 12.5%, against RandAugment and a cut-out. Texts: as they are, against eda (Xie 2020 leaves them as they are too).
VIEWS: dict[str, tuple[tuple[View, ...], tuple[View, ...]]] = {
    "text": ((NONE,), ("eda",)),
    "image": (({"method": "geometric", "angle": 0.0, "zoom": 0.0, "shear": 0.0, "shift": 0.125},), ("randaugment", "erasing")),
}


@dataclasses.dataclass(frozen=True)
class FixMatch:
    """The class that the model gives the weak view of an unlabelled example is taught to its strong view, where it is sure.

    ``mean 1(max q ≥ τ) CE(argmax q, p(strong))`` over the unlabelled batch, with ``q = p(weak)`` without gradient (Sohn 2020,
    eq. 4). The paper's ``λ_u`` is the term's ``weight`` (1). Views are drawn by the offline augmenters, from the example and how
    often it was seen before.

    Use when: unlabelled examples are many and an augmenter is known that does not change what they are. Avoid when: none is; for
    digits set ``weak: {method: geometric, mirror: 0, angle: 0}`` (a mirrored digit is none); or when a step must stay cheap: it is
    about ``1 + 1.5 · ratio`` plain ones.

    Args:
        threshold: ``τ``; 0.95 as in the paper (table 4; section 5.1).
        ratio: unlabelled examples for each labelled one, the paper's ``μ = 7``.
        weak, strong: the two views: an augmenter's name, ``{method: NAME, ...}``, a list of these applied in turn, or ``none``;
            ``auto`` takes :data:`VIEWS`. ``back-translation`` serves as well, at the price of a translation for every draw.
    """

    paper: ClassVar[str] = "Sohn 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Teaches strongly changed unlabelled examples the class that is certain of weakly changed ones."
    summary_zh: ClassVar[str] = "以弱增强样本的高置信度伪标签训练强增强样本（FixMatch）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    threshold: float = 0.95
    ratio: int = 7
    weak: View | Sequence[View] = "auto"
    strong: View | Sequence[View] = "auto"

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range, or no such augmenter or setting of one."""
        whole("fixmatch", "ratio", self.ratio)
        between("fixmatch", "threshold", self.threshold, 0, 1)
        for given in (self.weak, self.strong):
            if given != "auto":
                _chain(given)

    def view(self, contents: Sequence[Any], copies: Sequence[int], seed: int) -> tuple[Sequence[Any], ...]:
        """The weak and the strong view of ``n`` contents; see :class:`acclimate.models.objective.SeesViews`."""
        kind = "image" if isinstance(contents[0], bytes) else "text"
        chosen = [VIEWS[kind][place] if given == "auto" else given for place, given in enumerate((self.weak, self.strong))]
        return tuple(_changed(contents, copies, seed, given, kind) for given in chosen)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The consistency of both views, averaged over the unlabelled batch.

        Raises:
            RunError: the batch brings no views.
        """
        import torch

        del outputs
        if len(batch.views) != 2:
            raise RunError("fixmatch was handed no views", expected="Batch.views, as SeesViews asks")
        weak, strong = batch.views
        with torch.no_grad():
            guessed = model.classify(model.represent(weak))
        return consistency(guessed, model.classify(model.represent(strong)), self.threshold)


def consistency(guessed: Tensor, logits: Tensor, threshold: float) -> Tensor:
    """``mean 1(max q ≥ τ) CE(argmax q, p)`` (Sohn 2020, eq. 4).

    Args:
        guessed: logits of the weak views ``(u, c)``; no gradient flows into them.
        logits: of the strong views ``(u, c)``.
    """
    from torch.nn.functional import cross_entropy

    certainty, label = guessed.detach().float().softmax(-1).max(-1)
    losses = cross_entropy(logits, label, reduction="none")
    return (losses * (certainty >= threshold)).mean()


def _chain(given: View | Sequence[View]) -> list[Augmenter]:
    """The augmenters of a view, in order.

    Raises:
        InputError: no such augmenter, or a setting that it does not have.
    """
    from acclimate.engine.build import build

    views = [given] if isinstance(given, (str, Mapping)) else list(given)
    made = []
    for one in views:
        settings = {"method": one} if isinstance(one, str) else dict(one)
        name = str(settings.pop("method", ""))
        if name != NONE:
            made.append(build(EXPANDERS, "augmenter", name, settings))
    return made


def _changed(contents: Sequence[Any], copies: Sequence[int], seed: int, given: View | Sequence[View], kind: str) -> Sequence[Any]:
    """Contents after each augmenter in turn; what is drawn follows from (seed, content, copy)."""
    from acclimate.data.domain import from_columns, from_images
    from acclimate.engine.storage import content_hash

    found = contents
    for step, augmenter in enumerate(_chain(given)):
        if kind not in augmenter.modality:
            raise InputError(
                f"fixmatch was given the view {augmenter.method}, which changes {' and '.join(augmenter.modality)}",
                expected=f"an augmenter of {kind}",
            )
        ids = [content_hash("view", step, content, copy) for content, copy in zip(contents, copies, strict=True)]
        make = from_images if kind == "image" else from_columns
        grown = augmenter.expand(make("views", list(found), ids=ids), 1, seed)
        found = grown.contents
    return found

"""Continued pre-training on the texts of the task itself."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.data.domain import Domain
from acclimate.tune.learn.continued import Continued
from acclimate.tune.learn.stages import Corpora


@dataclasses.dataclass(frozen=True)
class Tapt(Continued):
    """Before fine-tuning, the model goes on pre-training on the target's own texts, labelled and unlabelled ones, without labels.

    (Gururangan 2020, section 4.) A masked model is asked for 15% of the tokens, chosen anew at every visit, a causal one for the
    next token. Fine-tuning starts from the result. Set by ``pretrain: [tapt]``.

    Use when: the target has some thousand texts, of which few are labelled. Avoid when: it has a few hundred short ones: the model
    learns them by heart.

    Args:
        steps: optimiser steps. The paper takes 100 epochs; 200 of 16 texts are what a machine without a GPU can do.
        lr: 1e-4 (appendix B).
        batch_size: texts a step.
        warmup: share of the steps over which the rate climbs: 0.06 (appendix B).
        max_length: tokens read at once.
        replay: share of each batch that general examples fill, where there are any.
        packing: whether rows of a causal model hold several documents, none of which sees another.
    """

    name: ClassVar[str] = "tapt"
    needs: ClassVar[tuple[str, ...]] = ("unlabelled target texts",)
    summary: ClassVar[str] = "Goes on pre-training on the target's own texts, then fine-tunes."
    summary_zh: ClassVar[str] = "先在目标任务自身的无标注文本上继续预训练，再微调（TAPT）。"

    steps: int = 200

    def _corpus(self, given: Corpora) -> Domain:
        return given.task

"""Continued pre-training on a corpus of the domain."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.data.domain import Domain
from acclimate.tune.learn.continued import Continued
from acclimate.tune.learn.stages import Corpora


@dataclasses.dataclass(frozen=True)
class Dapt(Continued):
    """Before fine-tuning, the model goes on pre-training on a corpus of the target's domain, without labels.

    (Gururangan 2020, section 3.) The corpus is the one that is given, else what was selected of the source. A masked model is
    asked for 15% of the tokens, chosen anew at every visit, a causal one for the next token. Fine-tuning, or :class:`Tapt` and then
    fine-tuning, starts from the result. Set by ``pretrain: [dapt]``, or ``pretrain: [dapt, tapt]``.

    Use when: the domain's language is far from the model's, and there is much of it. Avoid when: the corpus is of another domain:
    the paper measures that this can hurt (section 3.3).

    Args:
        steps: optimiser steps. The paper takes 12,500 of some 2,000 texts; 500 of 16 are what a machine without a GPU can do.
        lr: 1e-4 (appendix B).
        batch_size: texts a step, or full rows of packed ones.
        warmup: share of the steps over which the rate climbs: 0.06 (appendix B).
        max_length: tokens read at once.
        replay: share of each batch that general examples fill, where there are any.
        packing: whether rows of a causal model hold several documents, none of which sees another.
    """

    name: ClassVar[str] = "dapt"
    needs: ClassVar[tuple[str, ...]] = ("a corpus of the domain, or source texts",)
    summary: ClassVar[str] = "Goes on pre-training on a corpus of the domain, then fine-tunes."
    summary_zh: ClassVar[str] = "先在领域语料上继续预训练，再微调（DAPT）。"

    def _corpus(self, given: Corpora) -> Domain:
        return given.of_domain(self.name)

"""General examples among those of the domain, against forgetting."""

from __future__ import annotations

from typing import ClassVar


class Replay:
    """General examples fill a set share of every batch, so that the model does not forget what it knew (Rolnick 2019).

    They are a stream of their own with epochs of its own: whatever there is of the domain, the share of the rows, and of packed
    rows the share of the tokens, is the one that was set. Set by ``tune: {replay: 0.1}`` where general examples are given
    (``replay=`` of ``ac.tune``, ``--replay FILE``); with ``pretrain`` they are replayed in its stages too.

    Use when: the model shall still serve what it served before, and something like its training data is at hand. Avoid when: only
    the domain counts: it learns from fewer of the domain's tokens in the same time.
    The share's default is 0.1; Ibrahim 2024 finds 5% enough for a weak shift, and 25% for another language.
    """

    paper: ClassVar[str] = "Rolnick 2019; Ibrahim 2024"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    needs: ClassVar[tuple[str, ...]] = ("general examples",)
    summary: ClassVar[str] = "General examples fill a set share of every batch, against forgetting."
    summary_zh: ClassVar[str] = "每个批次按设定比例混入通用样本，减轻遗忘（经验回放）。"

"""Synonyms of WordNet in place of English words."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.augment.expand.protected import Kind, Protection
from acclimate.augment.expand.replacing import check_share, replace_by_thesaurus
from acclimate.data.domain import Domain


@dataclasses.dataclass(frozen=True)
class Wordnet:
    """A share of the English words is replaced by members of one of their synsets in WordNet 3.0, in the case of the word.

    Function words, negations, the word after a negation, and synonyms that negate are left out; inflected forms that WordNet does
    not list stay. All senses of a word count alike, so some synonyms miss the sense meant.

    Reference: Miller 1995, "WordNet: a lexical database for English"; Zhang, Zhao & LeCun 2015, "Character-level convolutional
    networks for text classification", section 2.4, replaces words from a thesaurus to make training texts.

    Use when: texts are English and labels do not hang on the choice of a word.
    Avoid when: texts are technical (terms become everyday words), or in another language: they come back unchanged, counted.

    Args:
        alpha: share of words replaced; 0.1 as for ``eda``.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "wordnet"
    paper: ClassVar[str] = "Miller 1995; Zhang et al. 2015"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    summary: ClassVar[str] = "replaces English words by synonyms of WordNet"
    summary_zh: ClassVar[str] = "用 WordNet 同义词替换英文词语"

    alpha: float = 0.1
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha outside (0, 1), or a pattern that is no regular expression."""
        check_share(self.method, self.alpha)
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return replace_by_thesaurus(self, "wordnet", examples, times=times, seed=seed, workers=workers)

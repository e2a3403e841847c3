"""Synonyms of the Cilin thesaurus in place of Chinese words."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.augment.expand.protected import Kind, Protection
from acclimate.augment.expand.replacing import check_share, replace_by_thesaurus
from acclimate.data.domain import Domain


@dataclasses.dataclass(frozen=True)
class Cilin:
    """A share of the Chinese words is replaced by words of the same group of the extended Tongyici Cilin.

    Text is cut into the longest words of the thesaurus from left to right; single characters, which mean too many things, and
    words with a negating character stay. The list was given out for research and its licence is unclear: it is fetched by each
    user, never redistributed, and every result says so (see :func:`acclimate.data.synonyms.cilin_synonyms`). Where that will not
    do, ``noise`` works on Chinese character by character, and ``masked-lm`` with a Chinese model.

    Reference: Mei et al. 1983, "Tongyici Cilin"; Zhang, Zhao & LeCun 2015, section 2.4, for the use of a thesaurus.

    Use when: texts are Chinese and labels do not hang on the choice of a word.
    Avoid when: texts are in another language: they come back unchanged, counted.

    Args:
        alpha: share of words replaced; 0.1 as for ``eda``.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "cilin"
    paper: ClassVar[str] = "Mei et al. 1983; Zhang et al. 2015"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    summary: ClassVar[str] = "replaces Chinese words by synonyms of the Cilin thesaurus"
    summary_zh: ClassVar[str] = "用《同义词词林》的同义词替换中文词语"

    alpha: float = 0.1
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha outside (0, 1), or a pattern that is no regular expression."""
        check_share(self.method, self.alpha)
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return replace_by_thesaurus(self, "cilin", examples, times=times, seed=seed, workers=workers)

"""Texts translated into another language and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from acclimate.augment.expand.draws import draws, states_of, stream_of
from acclimate.augment.expand.edits import Row, edit_texts
from acclimate.augment.expand.protected import Kind, Protection, is_rewording
from acclimate.data.domain import Domain
from acclimate.errors import InputError

_CHUNK = 64


@dataclasses.dataclass(frozen=True)
class BackTranslation:
    """A text is translated into a pivot language and back, drawing words on both ways; it says the same in other words.

    A translation in which a number or another protected span does not come back, that has less than half or more than twice the
    words (as of a language that the pair does not know), or that does not come to an end, is drawn again,
    up to ``attempts`` times; then the parent's own text stands, counted. Negations may be worded otherwise ("isn't", "is not") and
    a translator may lose or add one, so keep the checks of meaning on. The packaged pair (English and Portuguese) takes the
    likeliest word only: one variant for each text.

    Reference: Sennrich, Haddow & Birch 2016, "Improving neural machine translation models with monolingual data"; Edunov et al.
    2018, who found sampling better than the likeliest translation; Xie et al. 2020 (UDA), who use it to augment.

    Use when: sentences are whole and a good translator of the language is at hand; it varies more than single words.
    Avoid when: texts are full of names, slang or terms, or in a language that the pair does not know.

    Args:
        there: the translator into the pivot: ``asset:en-pt``, a hub name or a folder.
        back: the translator back.
        language, pivot: how a model of many languages names them (``eng_Latn``, ``fra_Latn``); empty for models of one pair.
        temperature: of drawing; 0.9 as in UDA's best setting. 0 takes the likeliest.
        top_p: draws from the likeliest words that hold this share.
        attempts: translations tried for each new text.
        device: where models of transformers run.
        keep: what has to come back as it was: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else has to.
    """

    method: ClassVar[str] = "back-translation"
    paper: ClassVar[str] = "Sennrich et al. 2016; Edunov et al. 2018; Xie et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    extra: ClassVar[str] = "translate"
    parents_at_once: ClassVar[int] = 256
    summary: ClassVar[str] = "translates into another language and back"
    summary_zh: ClassVar[str] = "回译：译成另一种语言再译回"

    there: str = "asset:en-pt"
    back: str = "asset:pt-en"
    language: str = ""
    pivot: str = ""
    temperature: float = 0.9
    top_p: float = 0.95
    attempts: int = 2
    device: str = "auto"
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range, or a bad pattern."""
        if self.attempts < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise InputError(
                f"back-translation with temperature={self.temperature}, top_p={self.top_p} and attempts={self.attempts}",
                expected="a temperature of at least 0, top_p above 0 and at most 1, and at least 1 attempt",
                fix="leave the defaults",
            )
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`.

        Raises:
            InputError: a model cannot be found or does not translate.
        """
        return edit_texts(self, examples, partial(_edit, method=self), times=times, seed=seed, workers=workers, chunk=_CHUNK)


def _edit(rows: Sequence[Row], times: int, seed: int, *, method: BackTranslation) -> list[str]:
    drawn = list(draws(states_of([stream_of(seed, *row) for row in rows], range(1, times + 1)).ravel()))
    parents = [text for _, text in rows for _ in range(times)]
    made = list(parents)
    waiting = [copy for copy, text in enumerate(parents) if text.strip()]
    protection = Protection(method.keep, method.patterns)
    for _ in range(method.attempts):
        seeds = [int(drawn[copy]() * 2**53) for copy in waiting]
        translated = _round_trip([parents[copy] for copy in waiting], seeds, method)
        failed = []
        for copy, (text, whole) in zip(waiting, translated, strict=True):
            if whole and text != parents[copy] and is_rewording(parents[copy], text) and protection.survives(parents[copy], text):
                made[copy] = text
            else:
                failed.append(copy)
        waiting = failed
    return made


def _round_trip(texts: Sequence[str], seeds: Sequence[int], method: BackTranslation) -> list[tuple[str, bool]]:
    """Each text there and back, and whether both translations came to an end; equal questions are asked once."""
    from acclimate.models.manner import Manner
    from acclimate.models.translation import load_translator

    there = load_translator(method.there, method.device, method.language, method.pivot)
    back = load_translator(method.back, method.device, method.pivot, method.language)
    manner = Manner(256, method.temperature, method.top_p)
    out = there.translate(texts, seeds, manner)
    home = back.translate([text for text, _ in out], [seed ^ 1 for seed in seeds], manner)
    return [(text, whole and first) for (text, whole), (_, first) in zip(home, out, strict=True)]

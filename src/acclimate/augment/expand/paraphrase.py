"""The same said in other words, by a language model."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.augment.expand.asking import Ask, Unusable, asks_for, check_asking, grow
from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.protected import Kind, Protection, is_rewording
from acclimate.data.domain import Domain
from acclimate.data.words import normalised
from acclimate.errors import InputError
from acclimate.models.chat.settings import PACKAGED, LanguageModel

#: What the wording of a request may ask for, so that copies differ by more than chance.
_WAYS = (
    "Use other words where you can.",
    "Change the order in which things are said.",
    "Say it more plainly.",
    "Say it as another person would.",
)


@dataclasses.dataclass(frozen=True)
class Paraphrase:
    """A language model rewords each text, told to keep its meaning and whatever is protected.

    An answer is used only if it is whole, is nothing but a text, differs from its parent, has half to twice as many words, and
    holds every number and other protected span of the parent. What cannot be used is asked for once more, then left out and
    counted.

    Reference: Dai et al. 2023, "AugGPT: leveraging ChatGPT for text data augmentation", who ask for six rewordings of each text.

    Use when: labelled texts are few, and a capable model (some billions of weights, or an endpoint) knows their language.
    Avoid when: only a small model is at hand: the packaged one loses or adds facts, so keep the checks of meaning on. Texts that
    may not leave the machine need a local model.

    Args:
        llm: which model answers, and how.
        attempts: requests for each new text.
        keep: what has to come back as it was: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else has to.
    """

    method: ClassVar[str] = "paraphrase"
    paper: ClassVar[str] = "Dai et al. 2023 (AugGPT)"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = ("a language model",)
    parents_at_once: ClassVar[int] = 64
    summary: ClassVar[str] = "a language model says the same in other words"
    summary_zh: ClassVar[str] = "由语言模型改写，保持原意"

    llm: LanguageModel = PACKAGED
    attempts: int = 2
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: less than one attempt, or a bad pattern."""
        object.__setattr__(self, "llm", LanguageModel.of(self.llm))
        check_attempts(self.method, self.attempts)
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """Up to ``times`` new examples for each one; the notes say what could not be used and what it cost.

        Raises:
            InputError: the model, the address or the key is wrong.
            RunError: answers stopped coming.
        """
        check_asking(self.method, times, workers, examples, labels=False)
        protection = Protection(self.keep, self.patterns)
        rows = [row for row, text in enumerate(examples.texts) if normalised(text)]

        def prompt(row: int, draw: Draw) -> str:
            return _prompt(examples.texts[row], _WAYS[int(draw() * len(_WAYS))], sorted(protection.strings(examples.texts[row])))

        def read(asked: Ask, answer: str) -> str | Unusable:
            return _read(examples.texts[asked.row], answer, protection)

        asks = asks_for(examples, times, seed, prompt, rows)
        return grow(self, self.llm, examples, asks, read, seed=seed, attempts=self.attempts)


def check_attempts(method: str, attempts: int) -> None:
    """Raise an InputError for less than one attempt."""
    if attempts < 1:
        raise InputError(f"{method} with attempts={attempts}", expected="at least 1", fix="leave the default")


def _prompt(text: str, way: str, kept: list[str]) -> str:
    keeping = f" Your text must hold these as they stand: {', '.join(kept)}." if kept else ""
    return (
        f"Reword the text below in its own language. {way} Keep its meaning and its tone.{keeping} "
        f"Answer with the reworded text and nothing else.\n\nText:\n{text}"
    )


def _read(parent: str, answer: str, protection: Protection) -> str | Unusable:
    if normalised(answer) == normalised(parent):
        return Unusable("equal to the parent")
    if not is_rewording(parent, answer):
        return Unusable("too short or too long for a rewording")
    if not protection.survives(parent, answer):
        return Unusable("without a protected span")
    return answer

"""New texts of a class, written by a language model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from acclimate.augment.expand.asking import Ask, Unusable, asks_for, check_asking, grow
from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.paraphrase import check_attempts
from acclimate.data.domain import Domain
from acclimate.data.words import normalised
from acclimate.features.tokenize import words
from acclimate.models.chat.settings import PACKAGED, LanguageModel

#: An answer of fewer words is no text; one of many times the parent's is something else.
_FEWEST, _TIMES_LONGER = 3, 4


@dataclasses.dataclass(frozen=True)
class Generate:
    """A language model writes a new text of the class of each example, which it is shown as a model of style.

    ``example: false`` shows the class alone, as ZeroGen does; then the parent lends its label and nothing else. A new text has the
    label that was asked for: nobody has checked that it fits, so keep the teacher's check on.

    Reference: Ye et al. 2022, "ZeroGen: efficient zero-shot learning via dataset generation"; Yoo et al. 2021, "GPT3Mix", for
    showing examples.

    Use when: classes can be named in words, examples are very few, and a capable model is at hand.
    Avoid when: classes are a matter of taste or of your own rules, or only a small model is at hand.

    Args:
        task: what the texts are, in a few words, such as ``"reviews of films"``.
        classes: label to what it means, where the label itself does not say it: ``{"0": "negative"}``.
        example: whether the parent is shown.
        llm: which model answers, and how.
        attempts: requests for each new text.
    """

    method: ClassVar[str] = "generate"
    paper: ClassVar[str] = "Ye et al. 2022 (ZeroGen); Yoo et al. 2021"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = (
        "target labels",
        "a language model",
    )
    parents_at_once: ClassVar[int] = 64
    summary: ClassVar[str] = "a language model writes new texts of a class"
    summary_zh: ClassVar[str] = "由语言模型按类别标签生成新文本"

    task: str = ""
    classes: Mapping[str, str] | None = None
    example: bool = True
    llm: LanguageModel = PACKAGED
    attempts: int = 2

    def __post_init__(self) -> None:
        """Raises InputError: less than one attempt."""
        object.__setattr__(self, "llm", LanguageModel.of(self.llm))
        check_attempts(self.method, self.attempts)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """Up to ``times`` new examples for each one; the notes say what could not be used and what it cost.

        Raises:
            InputError: an example without label; or the model, the address or the key is wrong.
            RunError: answers stopped coming.
        """
        check_asking(self.method, times, workers, examples, labels=True)

        def prompt(row: int, draw: Draw) -> str:  # noqa: ARG001 (chance enters by the answer)
            shown = examples.texts[row] if self.example else ""
            return class_prompt(self.task, meaning(examples.labels[row], self.classes), shown)

        def read(asked: Ask, answer: str) -> str | Unusable:
            return read_text(examples.texts[asked.row], answer)

        asks = asks_for(examples, times, seed, prompt)
        return grow(self, self.llm, examples, asks, read, seed=seed, attempts=self.attempts)


def meaning(label: str | None, classes: Mapping[str, str] | None) -> str:
    """A label in words."""
    return (classes or {}).get(label or "", label or "")


def class_prompt(task: str, label: str, shown: str) -> str:
    """A request for a new text of a class, perhaps with one of it as a model."""
    kind = f" The texts are {task.strip().rstrip('.')}." if task else ""
    model = f"\n\nA text of this class, as a model of style and language:\n{shown}" if shown.strip() else ""
    alike = " Write about something else than the text below." if model else ""
    return f'Write one new text of the class "{label}".{kind}{alike} Answer with the text and nothing else.{model}'


def read_text(parent: str, answer: str) -> str | Unusable:
    """An answer as a new text, or why it is none."""
    count = len(words(answer))
    if count < _FEWEST:
        return Unusable("too short")
    if normalised(parent) and normalised(parent) in normalised(answer):
        return Unusable("a repetition of the parent")
    if parent.strip() and count > _TIMES_LONGER * max(len(words(parent)), 10):
        return Unusable("too long")
    return answer

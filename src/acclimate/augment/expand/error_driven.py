"""New texts near those that the current model gets wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from acclimate.augment.base import Count, Predict
from acclimate.augment.expand.asking import Ask, Unusable, asks_for, check_asking, grow
from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.generate import meaning, read_text
from acclimate.augment.expand.paraphrase import check_attempts
from acclimate.data.domain import Domain
from acclimate.errors import InputError
from acclimate.models.chat.settings import PACKAGED, LanguageModel


@dataclasses.dataclass(frozen=True)
class ErrorDriven:
    """The current model predicts the labelled examples; for each one that it gets wrong a language model writes texts like it.

    The request names the right class and the one that the example was taken for. Examples that the model gets right have no
    children, so there are fewer new texts than ``times`` for each. Nothing but the given examples is predicted: errors on test or
    validation data never choose what is generated.

    Reference: Lee et al. 2024, "LLM2LLM: boosting LLMs with novel iterative data enhancement", one round of algorithm 1 on the
    given (seed) examples; repeat it with the model trained on the result.

    Use when: a model is trained, its errors are systematic, and a capable language model is at hand.
    Avoid when: labels are noisy: the errors are then the labels', and are multiplied.

    Args:
        predict: examples to labels, by the current model; the caller hands it in.
        task: what the texts are, in a few words.
        classes: label to what it means, where the label itself does not say it.
        llm: which model answers, and how.
        attempts: requests for each new text.
    """

    method: ClassVar[str] = "error-driven"
    paper: ClassVar[str] = "Lee et al. 2024 (LLM2LLM)"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = ("target labels", "a trained model", "a language model")
    whole: ClassVar[bool] = True
    summary: ClassVar[str] = "a language model writes texts near those that the current model gets wrong"
    summary_zh: ClassVar[str] = "由语言模型针对当前模型判错的样本生成相近文本"

    predict: Predict | None = dataclasses.field(default=None, metadata={"provided": True})
    task: str = ""
    classes: Mapping[str, str] | None = None
    llm: LanguageModel = PACKAGED
    attempts: int = 2

    def __post_init__(self) -> None:
        """Raises InputError: less than one attempt."""
        object.__setattr__(self, "llm", LanguageModel.of(self.llm))
        check_attempts(self.method, self.attempts)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """Up to ``times`` new examples for each one that is predicted wrongly.

        Raises:
            InputError: no model was handed in, an example has no label; or the language model, the address or the key is wrong.
            RunError: answers stopped coming.
        """
        check_asking(self.method, times, workers, examples, labels=True)
        if self.predict is None:
            raise InputError(
                "'error-driven' was given no model whose errors it could follow",
                expected="a model that predicts labels",
                fix="hand one in: predict=..., or --predict FOLDER with a folder that `acclimate tune` wrote",
            )
        predicted = list(self.predict(examples)) if len(examples) else []
        wrong = [row for row, (guess, label) in enumerate(zip(predicted, examples.labels, strict=True)) if guess != label]

        def prompt(row: int, draw: Draw) -> str:  # noqa: ARG001 (chance enters by the answer)
            own, other = (meaning(label, self.classes) for label in (examples.labels[row], predicted[row]))
            return _prompt(self.task, own, other, examples.texts[row])

        def read(asked: Ask, answer: str) -> str | Unusable:
            return read_text(examples.texts[asked.row], answer)

        asks = asks_for(examples, times, seed, prompt, wrong)
        notes = [Count("the current model gets {} of {} examples wrong", len(wrong), len(examples))]
        return grow(self, self.llm, examples, asks, read, seed=seed, attempts=self.attempts, notes=notes)


def _prompt(task: str, own: str, other: str, text: str) -> str:
    kind = f" The texts are {task.strip().rstrip('.')}." if task else ""
    return (
        f'The text below belongs to the class "{own}" and is easily mistaken for "{other}".{kind} Write one new text that belongs '
        f'to "{own}" and is as hard to tell, about something else. Answer with the text and nothing else.\n\nText:\n{text}'
    )

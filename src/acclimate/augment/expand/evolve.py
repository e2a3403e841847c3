"""Instructions made harder, or turned into new ones, by a language model, and answered anew."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from acclimate.augment.expand.asking import Ask, Unusable, ask, asks_for, check_asking, gather
from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.paraphrase import check_attempts
from acclimate.augment.expand.protected import is_stop_word
from acclimate.data.domain import Domain, Message
from acclimate.data.words import folded_words, normalised
from acclimate.errors import InputError
from acclimate.models.chat.settings import PACKAGED, LanguageModel

Way = Literal["constraints", "deepen", "concretise", "reasoning", "breadth"]
WAYS: Mapping[Way, str] = {
    "constraints": "Rewrite the instruction below so that it asks for the same under one more condition.",
    "deepen": "Rewrite the instruction below so that it asks for more depth about what it is about.",
    "concretise": "Rewrite the instruction below with a more specific idea in the place of a general one.",
    "reasoning": "Rewrite the instruction below so that it cannot be answered without several steps of thought.",
    "breadth": "Write one new instruction from the same field as the one below, about something less common and as long.",
}
#: Words of the request that show that it, and not the instruction, was written on.
_LEAKED = re.compile(r"(?i)\b(?:given|new|rewritten|original|above) (?:prompt|instruction)\b|\brewrite the instruction\b")
#: An evolved instruction of more than this many words over its parent's is no longer one that a person would write (section 3.1
#: of the reference asks for 10 to 20 more).
_MORE_WORDS = 60


@dataclasses.dataclass(frozen=True)
class Evolve:
    """A language model makes each instruction harder in one of several ways, or writes a new one like it, and then answers it.

    Of a conversation the first turn of the user is the instruction; the new example is that turn, evolved, and a new answer. Of a
    plain text the text is, and only the new instruction is written. An evolved instruction is left out if it equals its parent,
    quotes the request, has far more words, or is all function words; an answer if it declines, is cut off or is empty (the
    paper's rules of elimination).

    Reference: Xu et al. 2023, "WizardLM: empowering large language models to follow complex instructions", section 3.

    Use when: a causal model is to follow instructions of a field and those at hand are few and easy.
    Avoid when: the texts are no instructions, or only a small model is at hand: it answers what it cannot.

    Args:
        ways: which changes occur; each copy draws one.
        llm: which model answers, and how.
        attempts: requests for each instruction and for each answer.
    """

    method: ClassVar[str] = "evolve"
    paper: ClassVar[str] = "Xu et al. 2023 (WizardLM)"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    reads_unlabelled: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("a language model",)
    parents_at_once: ClassVar[int] = 64
    summary: ClassVar[str] = "a language model makes instructions harder or writes new ones, and answers them"
    summary_zh: ClassVar[str] = "由语言模型加深或拓展指令并重新作答"

    ways: tuple[Way, ...] = tuple(WAYS)
    llm: LanguageModel = PACKAGED
    attempts: int = 2

    def __post_init__(self) -> None:
        """Raises InputError: less than one attempt, or no way."""
        object.__setattr__(self, "llm", LanguageModel.of(self.llm))
        check_attempts(self.method, self.attempts)
        if not self.ways:
            raise InputError("evolve without ways", expected=f"some of {', '.join(WAYS)}", fix="leave the default")

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """Up to ``times`` new examples for each one; the notes say what could not be used and what it cost.

        Raises:
            InputError: the model, the address or the key is wrong.
            RunError: answers stopped coming.
        """
        check_asking(self.method, times, workers, examples, labels=False)
        instructions = _instructions(examples)
        rows = [row for row, text in enumerate(instructions) if normalised(text)]

        def prompt(row: int, draw: Draw) -> str:
            return _prompt(WAYS[self.ways[int(draw() * len(self.ways))]], instructions[row])

        def read(asked: Ask, answer: str) -> str | Unusable:
            return read_instruction(instructions[asked.row], answer)

        chat = self.llm.open()
        asks = asks_for(examples, times, seed, prompt, rows)
        made, refused = ask(chat, asks, read, attempts=self.attempts)
        if examples.modality != "chat":
            return gather(self, self.llm, chat, examples, asks, made, refused, seed=seed)
        places = sorted(made)
        follow_up = [dataclasses.replace(asks[place], prompt=made[place]) for place in places]
        answers, unanswered = ask(chat, follow_up, lambda _, answer: answer, attempts=self.attempts)
        talks: dict[int, list[Message]] = {
            places[number]: [{"role": "user", "content": made[places[number]]}, {"role": "assistant", "content": answer}]
            for number, answer in answers.items()
        }
        grown = gather(self, self.llm, chat, examples, asks, talks, refused + unanswered, seed=seed)
        return grown if talks else grown.with_strings("messages", [])


def _instructions(examples: Domain) -> list[str]:
    """What each example asks for."""
    if examples.modality != "chat":
        return examples.texts
    return [next((turn["content"] for turn in turns if turn["role"] == "user"), "") for turns in examples.conversations]


def _prompt(way: str, instruction: str) -> str:
    return (
        f"{way} Keep its language, stay reasonable, and add no more than 20 words. Answer with the new instruction and nothing "
        f"else; do not answer it.\n\nInstruction:\n{instruction}"
    )


def read_instruction(parent: str, answer: str) -> str | Unusable:
    """An evolved instruction, or why there is none."""
    said = folded_words(answer)
    if normalised(answer) == normalised(parent):
        return Unusable("equal to the parent")
    if _LEAKED.search(answer):
        return Unusable("quoting the request")
    if len(said) > len(folded_words(parent)) + _MORE_WORDS:
        return Unusable("too long for an instruction")
    if all(is_stop_word(word) for word in said):
        return Unusable("empty")
    return answer

"""Questions and answers out of documents: conversations to train on, from text that nobody labelled."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

from acclimate.augment.expand.asking import Ask, Unusable, asks_for, check_asking, grow
from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.paraphrase import check_attempts
from acclimate.augment.expand.protected import is_stop_word
from acclimate.data.domain import Domain, Message
from acclimate.data.words import folded_words
from acclimate.errors import InputError
from acclimate.features.tokenize import words
from acclimate.models.chat.settings import PACKAGED, LanguageModel

_REQUEST = (
    "Read the passage. In its language, write one question that it answers and that can be understood without it, and the "
    "answer, in whole sentences and true to the passage. Write two lines and nothing else:\n"
    "Question: ...\nAnswer: ...\n\nPassage:\n"
)
_PAIR = re.compile(
    r"\s*(?:question|问题|问)\s*[:：]\s*(?P<question>[^\n]+?)\s*\n\s*(?:answer|答案|回答|答)\s*[:：]\s*(?P<answer>.+?)\s*",
    re.IGNORECASE | re.DOTALL,
)
_MARKER = re.compile(r"(?im)^\s*(?:question|answer|问题|答案)\s*[:：]")
#: A question that only makes sense beside the document.
_POINTING = re.compile(r"(?i)\b(?:passage|(?:this|the) (?:text|document|article|excerpt))\b|本文|上文|文中|这段")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n{2,}")


@dataclasses.dataclass(frozen=True)
class FromCorpus:
    """A language model reads a passage of each document and writes a question that it answers, and the answer.

    Each pair becomes a conversation of two turns, with the document as its parent. An answer is used only if it holds exactly one
    question and one answer in the form asked for, the question does not point at "the passage", and at least ``grounded`` of the
    answer's words (function words aside) stand in the passage. Long documents are read in passages; each copy draws one.

    Reference: Wang et al. 2023, "Self-instruct", for pairs written by a model; Lewis et al. 2021, "PAQ", for questions and answers
    generated from passages and filtered.

    Use when: a causal model is to learn a field of which there are documents and no questions.
    Avoid when: facts must be right and no one will read the pairs: the filter sees words, not truth.

    Args:
        passage: the most words of a passage.
        grounded: the least share of the answer's words that stand in the passage; 0 lets all through.
        llm: which model answers, and how.
        attempts: requests for each pair.
    """

    method: ClassVar[str] = "from-corpus"
    paper: ClassVar[str] = "Wang et al. 2023 (Self-Instruct); Lewis et al. 2021 (PAQ)"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    reads_unlabelled: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("a language model",)
    parents_at_once: ClassVar[int] = 64
    summary: ClassVar[str] = "a language model writes question-answer pairs from documents"
    summary_zh: ClassVar[str] = "由语言模型根据领域文档生成问答对"

    passage: int = 250
    grounded: float = 0.6
    llm: LanguageModel = PACKAGED
    attempts: int = 2

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        object.__setattr__(self, "llm", LanguageModel.of(self.llm))
        check_attempts(self.method, self.attempts)
        if self.passage < 1 or not 0 <= self.grounded <= 1:
            raise InputError(
                f"from-corpus with passage={self.passage} and grounded={self.grounded}",
                expected="a passage of at least 1 word, and a share between 0 and 1",
                fix="leave the defaults",
            )

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """Up to ``times`` conversations for each document; the notes say what could not be used and what it cost.

        Raises:
            InputError: the model, the address or the key is wrong.
            RunError: answers stopped coming.
        """
        check_asking(self.method, times, workers, examples, labels=False)
        rows = [row for row, text in enumerate(examples.texts) if words(text)]

        def prompt(row: int, draw: Draw) -> str:
            among = passages(examples.texts[row], self.passage)
            return _REQUEST + among[int(draw() * len(among))]

        def read(asked: Ask, answer: str) -> list[Message] | Unusable:
            return read_pair(asked.prompt.removeprefix(_REQUEST), answer, self.grounded)

        asks = asks_for(examples, times, seed, prompt, rows)
        grown = grow(self, self.llm, examples, asks, read, seed=seed, attempts=self.attempts)
        return grown if "messages" in grown.table.column_names else grown.with_strings("messages", [])


def passages(text: str, most: int) -> list[str]:
    """A text in passages of whole sentences, of at most ``most`` words each; a longer sentence is a passage of its own.

    >>> passages("One two. Three four. Five.", 4)
    ['One two. Three four.', 'Five.']
    """
    found: list[str] = []
    size = most + 1
    for sentence in _SENTENCE.split(text):
        count = len(words(sentence))
        if not count:
            continue
        if size + count > most:
            found.append(sentence.strip())
            size = count
        else:
            found[-1] += f"{'' if found[-1][-1:] in '。！？' else ' '}{sentence.strip()}"
            size += count
    return found or [text.strip()]


def read_pair(passage: str, answer: str, grounded: float) -> list[Message] | Unusable:
    """The conversation in an answer, or why there is none."""
    found = _PAIR.fullmatch(answer)
    if found is None or len(_MARKER.findall(answer)) > 2:
        return Unusable("not one question and one answer")
    question, reply = found["question"], found["answer"]
    if _POINTING.search(question):
        return Unusable("pointing at the passage")
    if "..." in (question, reply) or not folded_words(question) or not folded_words(reply):
        return Unusable("not one question and one answer")
    if share_within(reply, passage) < grounded:
        return Unusable("not from the passage")
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


def share_within(text: str, passage: str) -> float:
    """The share of a text's words, function words aside, that stand in a passage; 1 for a text of function words."""
    known = set(folded_words(passage))
    said = [word for word in folded_words(text) if not is_stop_word(word)]
    return sum(word in known for word in said) / len(said) if said else 1.0

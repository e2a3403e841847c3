"""The one way in which methods ask a language model: a request for each copy of each parent, strict reading, one more try for what
could not be used, and a count of the rest.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from acclimate.augment.base import Augmenter, Count, check_times, descend, settings_of
from acclimate.augment.expand.draws import Draw, draws, states_of, stream_of
from acclimate.data.conversations import as_json, as_text
from acclimate.data.domain import Domain, Message
from acclimate.errors import InputError
from acclimate.models.chat.base import Answer, Chat, Request
from acclimate.models.chat.settings import LanguageModel

Product = TypeVar("Product")

#: How an answer begins that talks about the answer, and one that declines.
_PREAMBLE = re.compile(
    r"(?i)\s*(?:(?:sure|certainly|of course|okay|好的|当然)[^\n]{0,80}?[:：]\s"
    r"|(?:here(?:['’]s| is| are)|below is|the (?:new|re\w+ed|rewritten)|以下是)"
    r"[^\n]{0,40}?(?:text|version|instruction|question|example|文本|版本)[^\n]{0,40}?[:：]\s)"
)
_DECLINING = re.compile(
    r"(?i)\s*(?:i['’]?m sorry,? but|i am sorry,? but|sorry,? (?:but )?i can"
    r"|i can(?:not|['’]t) (?:assist|help|fulfil|comply|provide)|as an ai\b|as a language model\b"
    r"|抱歉|对不起，我|作为(?:一个)?(?:人工智能|AI|语言模型))"
)
_QUOTES = (("“", "”"), ('"', '"'), ("「", "」"), ("```", "```"))


@dataclasses.dataclass(frozen=True)
class Unusable:
    """Why an answer could not be used, in a few words."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Ask:
    """One thing to be asked for.

    Attributes:
        row: position of the parent.
        copy: number of the copy, from 1.
        draw: the random numbers of the copy.
        prompt: what is asked.
    """

    row: int
    copy: int
    draw: Draw
    prompt: str


#: Makes a text or a conversation of a whole answer, or says why it cannot.
Reader = Callable[[Ask, str], str | list[Message] | Unusable]


def asks_for(
    examples: Domain, times: int, seed: int, prompt: Callable[[int, Draw], str], rows: Sequence[int] | None = None
) -> list[Ask]:
    """A request for each copy of each example (or of some ``rows`` of them), parents in order."""
    rows = range(len(examples)) if rows is None else rows
    contents = examples.texts
    streams = [stream_of(seed, examples.ids[row], contents[row]) for row in rows]
    drawn = iter(draws(states_of(streams, range(1, times + 1)).ravel()))
    return [Ask(row, copy, draw, prompt(row, draw)) for row in rows for copy in range(1, times + 1) for draw in (next(drawn),)]


def ask(
    chat: Chat, asks: Sequence[Ask], read: Callable[[Ask, str], Product | Unusable], *, attempts: int
) -> tuple[dict[int, Product], Counter[str]]:
    """What could be made of the answers, by position in ``asks``, and how often an answer could not be used, by reason.

    Args:
        read: makes the product of a whole answer, or says why it cannot.
        attempts: requests for each ask, each with a seed of its own.
    """
    made: dict[int, Product] = {}
    refused: Counter[str] = Counter()
    waiting = list(range(len(asks)))
    for _ in range(attempts):
        requests = [Request.of(asks[place].prompt, int(asks[place].draw() * 2**53)) for place in waiting]
        failed = []
        for place, answer in zip(waiting, chat.answer(requests) if requests else [], strict=True):
            text = read_answer(answer)
            product = text if isinstance(text, Unusable) else read(asks[place], text)
            if isinstance(product, Unusable):
                refused[product.reason] += 1
                failed.append(place)
            else:
                made[place] = product
        waiting = failed
    return made, refused


def read_answer(answer: Answer) -> str | Unusable:
    """The text of an answer without the quotation marks around it, or why it is none."""
    if answer.end == "malformed":
        return Unusable("malformed")
    if answer.end == "length":
        return Unusable("cut off at max_tokens")
    text = answer.text.strip()
    for opening, closing in _QUOTES:
        inside = text[len(opening) : -len(closing)]
        if (
            len(text) > len(opening) + len(closing)
            and text.startswith(opening)
            and text.endswith(closing)
            and opening not in inside
        ):
            text = inside.strip()
    if not any(letter.isalnum() for letter in text):
        return Unusable("empty")
    if _DECLINING.match(text):
        return Unusable("declined")
    if _PREAMBLE.match(text):
        return Unusable("words around the answer")
    return text


def grow(
    method: Augmenter,
    llm: LanguageModel,
    examples: Domain,
    asks: Sequence[Ask],
    read: Reader,
    *,
    seed: int,
    attempts: int,
    notes: Sequence[str] = (),
) -> Domain:
    """The new examples that a language model wrote, each beside what its parent carries, and notes of what it cost."""
    chat = llm.open()
    made: dict[int, str | list[Message]]
    made, refused = ask(chat, asks, read, attempts=attempts)
    return gather(method, llm, chat, examples, asks, made, refused, seed=seed, notes=notes)


def gather(
    method: Augmenter,
    llm: LanguageModel,
    chat: Chat,
    examples: Domain,
    asks: Sequence[Ask],
    made: Mapping[int, str | list[Message]],
    refused: Counter[str],
    *,
    seed: int,
    notes: Sequence[str] = (),
) -> Domain:
    """A domain of what was made of ``asks``; conversations bring their ``messages``."""
    order = sorted(made)
    products = [made[place] for place in order]
    talks = [product for product in products if not isinstance(product, str)]
    texts = [product if isinstance(product, str) else as_text(product) for product in products]
    places = [(asks[place].row, asks[place].copy) for place in order]
    told = (*notes, *_told(len(asks), len(made), refused), *spent_of(llm, chat))
    settings = settings_of(method)
    grown = descend(examples, texts, method=method.method, seed=seed, settings=settings, notes=told, places=places)
    return grown.with_strings("messages", [as_json(talk) for talk in talks]) if talks else grown


def _told(asked: int, made: int, refused: Counter[str]) -> list[str]:
    """What could not be used, by reason, and what was made in spite of it."""
    reasons = [Count(f"answers that could not be used, {reason}: {{}}", count) for reason, count in sorted(refused.items())]
    return [*([Count("{} of {} new examples were made", made, asked)] if asked else []), *reasons]


def spent_of(llm: LanguageModel, chat: Chat) -> list[str]:
    """What asking cost, as notes."""
    spent = chat.spent
    model = llm.model.replace("{", "{{").replace("}", "}}")
    notes = [Count(f"asked '{model}' {{}} times: {{}} tokens in, {{}} out", spent.asked, spent.tokens_in, spent.tokens_out)]
    if llm.price_in or llm.price_out:
        notes.append(Count("that cost {}", float(spent.price(llm.price_in, llm.price_out))))
    return [*notes, *([Count("{} answers were kept from before", spent.remembered)] if spent.remembered else [])]


def check_asking(method: str, times: int, workers: int, examples: Domain, labels: bool) -> None:
    """Raise an InputError for numbers below 1, or examples without the labels that a method needs."""
    check_times(times, workers)
    if labels and len(examples) and not examples.is_labelled:
        raise InputError(
            f"'{method}' was given examples without a label",
            expected="a label on every example: new texts are asked for by label",
            fix="name the label column, or use 'paraphrase', which needs none",
        )

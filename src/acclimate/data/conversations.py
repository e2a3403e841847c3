"""Conversations as examples: the ways in which data sets write them, as one list of turns, and what they read as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from acclimate.data.domain import Message
from acclimate.data.values import Bad

#: (who speaks, what is said) by the names that data sets use: chat templates, and ShareGPT.
KEYS = (("role", "content"), ("from", "value"))
#: ShareGPT's names of speakers, and others seen, as chat templates call them.
ROLE_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
EXPECTED = 'a list of turns: [{"role": "user", "content": "..."}, ...]'


def read_conversation(value: Any, column: str) -> list[Message] | Bad:
    """The turns that a cell holds, as ``role`` and ``content``; the cell is a list, or JSON of one.

    Content in parts (``[{"type": "text", "text": ...}]``) becomes the text of its text parts. Other keys of a turn are dropped.

    >>> read_conversation('[{"from": "human", "value": "Hi"}]', "talk")
    [{'role': 'user', 'content': 'Hi'}]
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            return Bad(f"the column '{column}' holds malformed JSON ({error})", EXPECTED)
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    if value is None or value == []:
        return Bad(f"an empty conversation (column '{column}')", EXPECTED)
    if not isinstance(value, list):
        return Bad(f"the column '{column}' holds a {type(value).__name__}, not a list of turns", EXPECTED)
    turns: list[Message] = []
    for number, turn in enumerate(value, start=1):
        read = _read_turn(turn)
        if isinstance(read, str):
            return Bad(f"turn {number} of {len(value)} {read} (column '{column}')", EXPECTED)
        turns.append(read)
    if not any(turn["content"].strip() for turn in turns):
        return Bad(f"a conversation in which nothing is said (column '{column}')", EXPECTED)
    return turns


def _read_turn(turn: Any) -> Message | str:
    """One turn, or what is wrong with it."""
    if not isinstance(turn, dict):
        return f"is a {type(turn).__name__}"
    for who, what in KEYS:
        if turn.get(who) is not None:
            role, content = turn[who], _content(turn.get(what))
            if not isinstance(role, str) or not role.strip():
                return f"has the {who} {role!r}"
            if content is None:
                return f"has no text as its {what}"
            name = role.strip().lower()
            return {"role": ROLE_NAMES.get(name, name), "content": content}
    return f"says not who speaks; its keys are {', '.join(map(str, turn)) or 'none'}"


def _content(value: Any) -> str | None:
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type", "text") == "text"]
        texts = [part for part in parts if isinstance(part, str)]
        return "\n".join(texts) if texts and len(texts) == len(parts) else None
    return value if isinstance(value, str) else None


def is_conversation(value: Any) -> bool:
    """Whether a cell looks like a conversation: a list of turns, or JSON of one. Says nothing about every turn being sound."""
    if isinstance(value, str):
        if not value.lstrip().startswith(("[", "{")):
            return False
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return False
    if isinstance(value, dict):
        value = value.get("messages")
    return isinstance(value, list) and bool(value) and not isinstance(_read_turn(value[0]), str)


def as_json(turns: Sequence[Message]) -> str:
    """The canonical spelling of a conversation: equal conversations are equal strings."""
    return orjson.dumps([{"role": turn["role"], "content": turn["content"]} for turn in turns]).decode()


def as_text(turns: Sequence[Message]) -> str:
    """What a conversation reads as: one paragraph for each turn.

    >>> as_text([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}])
    'user: Hi\\nassistant: Hello!'
    """
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)

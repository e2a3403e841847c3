"""Examples as the rows that frameworks for language models read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Message
from acclimate.errors import InputError

#: What a row is: raw text, a text with the answer wanted to it, or the turns of a conversation.
Form = Literal["text", "prompt", "chat"]
FORMS: tuple[Form, ...] = ("text", "prompt", "chat")
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Job:
    """What a configuration is written for.

    Attributes:
        model: name of the base model, as the framework shall load it.
        form: of the rows.
        rows: how many there are.
        lr, batch_size, steps, max_length, rank, seed: as of :class:`acclimate.tune.settings.TuneSettings`.
        parameters: ``full`` or ``lora``; ``dora`` and ``qlora`` where the framework knows them.
    """

    model: str
    form: Form
    rows: int
    lr: float = 2e-4
    batch_size: int = 16
    steps: int = 100
    max_length: int = 1024
    rank: int = 8
    seed: int = 0
    parameters: str = "lora"

    @property
    def micro_batch(self) -> int:
        """Rows on a device at once: 4, or fewer where the batch does not divide."""
        return next(size for size in (4, 2, 1) if self.batch_size % size == 0)

    @property
    def accumulation(self) -> int:
        """Such parts whose gradients are summed for a step."""
        return self.batch_size // self.micro_batch

    @property
    def warmup_steps(self) -> int:
        """Over which the rate climbs: a tenth of the steps, as the trainer of this package has it."""
        return round(0.1 * self.steps)


class Framework(Protocol):
    """Writes one framework's files. Each is plain data: name of the file to its content."""

    command: ClassVar[str]

    def rows(self, rows: Sequence[Row], form: Form) -> tuple[list[Row], int]:
        """Rows as the framework wants them, and how many it could not take."""
        ...

    def files(self, job: Job) -> dict[str, Any]:
        """Configuration files: mappings are written as YAML or JSON by their name's ending."""
        ...


def choose_form(examples: Domain, wanted: str | None) -> Form:
    """How examples are written: conversations as such, labelled texts as prompts with their labels, others as text.

    Raises:
        InputError: pictures, an unknown form, or one that these examples do not have.
    """
    if examples.modality == "image":
        raise InputError("The examples are pictures", expected="texts or conversations", fix="--to parquet keeps pictures")
    labelled = bool(len(examples)) and all(label is not None for label in examples.labels)
    natural: Form = "chat" if examples.modality == "chat" else "prompt" if labelled else "text"
    if wanted is None:
        return natural
    if wanted not in FORMS:
        raise InputError(f"--form {wanted}", expected=f"one of {', '.join(FORMS)}", fix="leave it out")
    if (wanted == "chat" and natural != "chat") or (wanted == "prompt" and not labelled):
        raise InputError(
            f"--form {wanted} of examples without {'messages' if wanted == 'chat' else 'labels'}",
            expected=f"a form they have: {natural} or text",
            fix="leave --form out",
        )
    return next(form for form in FORMS if form == wanted)


def rows_of(examples: Domain, form: Form) -> list[Row]:
    """``{"text"}``, ``{"prompt", "completion"}`` or ``{"messages"}`` of each example, each with its ``id``."""
    match form:
        case "chat":
            contents: list[Row] = [{"messages": _plain(turns)} for turns in examples.conversations]
        case "prompt":
            pairs = zip(examples.texts, examples.labels, strict=True)
            contents = [{"prompt": text, "completion": str(label)} for text, label in pairs]
        case "text":
            contents = [{"text": text} for text in examples.texts]
    return [{**row, "id": identity} for row, identity in zip(contents, examples.ids, strict=True)]


def repeats(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """How often each row stands for its weight, ``(n,)`` to ``(n,)``: as many rows in all as there are, each ``w / mean`` times
    rounded up or down (systematic resampling, Kitagawa 1996; the offset is one half, so nothing is drawn).

    >>> repeats(np.array([1.0, 1.0, 2.0, 0.0]))
    array([1, 1, 2, 0])

    Raises:
        InputError: no weight is above 0.
    """
    if not len(weights):
        return np.zeros(0, dtype=np.int64)
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise InputError("Weights that cannot be averaged with", expected="finite weights of at least 0, not all of them 0")
    edges = np.floor(np.cumsum(weights) / weights.sum() * len(weights) + 0.5 - 1e-9)
    edges[-1] = len(weights)
    counts: NDArray[np.int64] = np.diff(edges, prepend=0.0).astype(np.int64)
    return counts


def _plain(turns: Sequence[Message]) -> list[Message]:
    """Role and content alone; other keys mean something else in every framework."""
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def split_system(turns: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Leading system turns, and the others."""
    count = next((place for place, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    return list(turns[:count]), list(turns[count:])

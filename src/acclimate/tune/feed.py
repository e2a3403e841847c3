"""Examples as batches of tensors, in the order that was fixed before training."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acclimate.models.causal import Tokens
from acclimate.models.objective import Batch, Tasks
from acclimate.tune.examples import Content, Examples
from acclimate.tune.order import batch_order, visits
from acclimate.tune.pieces import Pack
from acclimate.tune.readers import Reader, Varying
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: Prefix of the keys that hold the unlabelled batch beside the labelled one.
UNLABELLED = "unlabelled_"
#: Prefix of the keys that hold a view of the unlabelled batch, with its number.
VIEW = re.compile(r"view(\d+)_")
#: Prefix of the keys that tell tasks apart.
TASKS = "task_"
#: Contents and how often each was seen before, to their views.
Views = Callable[[Sequence[Content], Sequence[int]], Sequence[Sequence[Content]]]
#: Of the examples that companions of objectives are made from: as many as tell covariances and class shares well enough.
GLANCE = 1_024


class Draw(NamedTuple):
    """The row of an example, the numbers of unlabelled ones, and how often the row was drawn before.

    The number of an unlabelled example of ``m`` is its row, and ``m`` more for every time that it was seen before.
    """

    row: int
    others: tuple[int, ...] = ()
    visit: int = 0


class Draws(Dataset[Draw]):
    """Every draw of a training, in order; where there are examples to replay they fill their share of every batch.

    Args:
        ratio: unlabelled examples beside each labelled one.

    Attributes:
        lengths: of the longest example of each step's batch, in tokens or in characters that stand for them; 1 of pictures.
    """

    def __init__(self, examples: Examples, settings: TuneSettings, seed: int, with_unlabelled: bool, ratio: int = 1) -> None:
        size = (settings.batch_size, settings.steps)
        pictures = bool(len(examples)) and isinstance(examples.contents[0], bytes)
        lengths = _sizes(examples.contents) if settings.group_by_length and not pictures else None
        rng = np.random.default_rng(derive(seed, "order"))
        replayed = examples.replayed if examples.replays else None
        order = batch_order(len(examples), *size, rng, lengths, replayed, settings.replay)
        self._labelled: NDArray[np.int64] = order.ravel()
        self._visits = visits(self._labelled)
        self._unlabelled: NDArray[np.int64] = np.zeros((len(self._labelled), 0), dtype=np.int64)
        if with_unlabelled:
            rng, count = np.random.default_rng(derive(seed, "unlabelled-order")), len(examples.unlabelled)
            rows = batch_order(count, settings.batch_size * ratio, settings.steps, rng).ravel()
            self._unlabelled = (rows + count * (np.arange(len(rows)) // count)).reshape(-1, ratio)
        self._batch_size = settings.batch_size
        known = np.ones(len(examples), dtype=np.int64) if pictures else _sizes(examples.contents)
        self.lengths: list[int] = known[self._labelled].reshape(settings.steps, -1).max(1).tolist()

    def only(self, steps: Sequence[int]) -> Draws:
        """The batches of some steps, in the order in which these are named."""
        made = copy.copy(self)
        rows = (np.asarray(steps)[:, None] * self._batch_size + np.arange(self._batch_size)).ravel()
        made._labelled, made._unlabelled, made._visits = self._labelled[rows], self._unlabelled[rows], self._visits[rows]
        made.lengths = [self.lengths[step] for step in steps]
        return made

    def __len__(self) -> int:
        return len(self._labelled)

    def __getitem__(self, position: int) -> Draw:
        others = tuple(self._unlabelled[position].tolist())
        return Draw(int(self._labelled[position]), others, int(self._visits[position]))


class Collator:
    """Draws to tensors; every batch of texts is padded to its own longest one."""

    def __init__(self, examples: Examples, read: Reader, views: Views | None = None) -> None:
        self._examples = examples
        self._read = read
        self._views = views

    def __call__(self, draws: Sequence[Draw]) -> dict[str, Tensor]:
        """``b`` draws to what the model reads, ``labels``, and ``weights`` and ``from_target`` ``(b,)``."""
        rows = np.asarray([draw.row for draw in draws])
        batch = {
            "labels": torch.from_numpy(self._examples.labels[rows]),
            "weights": torch.from_numpy(self._examples.weights[rows].astype(np.float32)),
            "from_target": torch.from_numpy(self._examples.from_target[rows]),
        }
        contents = [self._examples.contents[row] for row in rows]
        # Language models bring their own labels, and where a row holds several documents the weight of each token.
        batch |= self._read.visit(contents, [d.visit for d in draws]) if isinstance(self._read, Varying) else self._read(contents)
        if self._examples.soft is not None:
            batch["soft"] = torch.from_numpy(self._examples.soft[rows].astype(np.float32))
        if self._examples.tasks is not None:
            several = self._examples.tasks
            arrays = {"numbers": several.numbers[rows], "labels": several.labels[rows], "heads": np.asarray(several.heads)}
            batch |= {TASKS + name: torch.from_numpy(values) for name, values in arrays.items()}
        return batch | self._others([number for draw in draws for number in draw.others])

    def _others(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Unlabelled examples, and their views where an objective sees some."""
        if not numbers:
            return {}
        count = len(self._examples.unlabelled)
        contents = [self._examples.unlabelled[number % count] for number in numbers]
        parts: dict[str, Sequence[Content]] = {UNLABELLED: contents}
        if self._views is not None:
            seen = self._views(contents, [number // count for number in numbers])
            parts |= {f"view{number}_": view for number, view in enumerate(seen)}
        read = {prefix: self._read(part) for prefix, part in parts.items()}
        own = ("labels", "weights")
        return {prefix + name: values for prefix, part in read.items() for name, values in part.items() if name not in own}


def as_batch(inputs: Mapping[str, Tensor], generator: torch.Generator, step: int = 0, steps: int = 1) -> Batch:
    """What :class:`Collator` gives, as objectives read it."""
    own, others, several, views = dict[str, Tensor](), dict[str, Tensor](), dict[str, Tensor](), dict[int, dict[str, Tensor]]()
    for name, values in inputs.items():
        if view := VIEW.match(name):
            views.setdefault(int(view[1]), {})[name[view.end() :]] = values
        elif name.startswith(UNLABELLED):
            others[name.removeprefix(UNLABELLED)] = values
        elif name.startswith(TASKS):
            several[name.removeprefix(TASKS)] = values
        else:
            own[name] = values
    labels, weights, from_target = (own.pop(name) for name in ("labels", "weights", "from_target"))
    soft = own.pop("soft", None)
    seen = tuple(views[number] for number in sorted(views))
    tasks = Tasks(**several) if several else None
    return Batch(own, labels, weights, from_target, generator, step, others or None, steps, soft, seen, tasks)


def labelled_batches(collate: Collator, count: int, size: int = 32, most: int | None = GLANCE) -> Iterator[Batch]:
    """The labelled examples in batches; of more than ``most`` that many, evenly spread."""
    rows = np.unique(np.linspace(0, count - 1, min(count, most or count)).astype(int)).tolist()
    for start in range(0, len(rows), size):
        yield as_batch(collate([Draw(row) for row in rows[start : start + size]]), torch.Generator().manual_seed(0))


def _sizes(contents: Sequence[Content]) -> NDArray[np.int64]:
    """Tokens of each piece; of texts their characters, which stand in for tokens: what matters is which are alike in length."""
    return np.asarray([len(content) if isinstance(content, (Pack, Tokens)) else len(str(content)) for content in contents])

"""How much of the source is kept, and the one way in which the best rows are taken."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.features.tokenize import words

_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_NUMBER = r"\d{1,3}(?:[,_]\d{3})+|\d+(?:\.\d+)?|\.\d+"
_FORM = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<factor>[kmb]?)\s*(?P<unit>%|tokens?|examples?|rows?)?", re.IGNORECASE)
_EXPECTED = "a count (5000), a share (20%) or a number of tokens (2M tokens)"


def count_words(text: str) -> int:
    """The number of words in a text: what counts as tokens where no model's tokenizer is at hand."""
    return len(words(text))


@dataclasses.dataclass(frozen=True)
class Budget:
    """An amount of source data.

    Attributes:
        kind: ``"count"`` of examples, ``"share"`` of the pool, or ``"tokens"``.
        amount: examples, a share in (0, 1], or tokens.
    """

    kind: Literal["count", "share", "tokens"]
    amount: float

    @classmethod
    def parse(cls, value: str | float | Budget) -> Budget:
        """A budget as people write it: ``20%``, ``0.2`` (a share), ``5000``, ``5k``, ``2M tokens``.

        Raises:
            InputError: not of these forms, zero, negative, or more than 100%.

        >>> Budget.parse("20%"), Budget.parse("50k tokens")
        (Budget(kind='share', amount=0.2), Budget(kind='tokens', amount=50000))
        """
        if isinstance(value, Budget):
            return value
        written = str(value).strip()
        form = _FORM.fullmatch(written)
        if form is None or isinstance(value, bool):
            raise _wrong(written)
        number, factor, unit = float(re.sub("[,_]", "", form["number"])), form["factor"].lower(), (form["unit"] or "").lower()
        if unit == "%" and not factor:
            return cls._share(number / 100, written)
        if "." in form["number"] and not factor and not unit:
            return cls._share(number if number < 1 else math.nan, written)  # 1.0 may mean all or one: refused
        amount = number * _FACTORS[factor]
        if amount < 1 or not amount.is_integer() or unit == "%":
            raise _wrong(written)
        return cls("tokens" if unit.startswith("token") else "count", int(amount))

    @classmethod
    def _share(cls, share: float, written: str) -> Budget:
        if not 0 < share <= 1:
            raise _wrong(written)
        return cls("share", share)

    def __str__(self) -> str:
        if self.kind == "share":
            return f"{100 * self.amount:g}%"
        return f"{int(self.amount)} tokens" if self.kind == "tokens" else str(int(self.amount))

    @property
    def unit(self) -> str:
        """What the budget is counted in: ``examples`` or ``tokens``."""
        return "tokens" if self.kind == "tokens" else "examples"

    def limit(self, pool: int) -> int:
        """The budget for a pool of that many examples, in :attr:`unit`; a share is rounded to the nearest count, at least 1."""
        return max(1, int(self.amount * pool + 0.5)) if self.kind == "share" else int(self.amount)

    def take(
        self,
        scores: NDArray[np.float64],
        texts: Sequence[str] = (),
        *,
        count_tokens: Callable[[str], int] = count_words,
    ) -> tuple[NDArray[np.int64], str]:
        """The best rows that the budget affords, best first, equal scores in order of position.

        A share is rounded to the nearest count, at least 1. Of tokens, the longest run of best rows that fits is taken, and
        at least one row.

        Other ways of taking rows (drawn, spread out, by class, distinct) are in :class:`acclimate.select.pick.Pick`.

        Args:
            scores: ``(n,)``, higher is better.
            texts: the ``n`` texts; only a budget of tokens reads them.
            count_tokens: the length of a text.

        Returns:
            Indices ``(k,)``, and a note where the budget could not be met as written (empty otherwise).
        """
        order = np.argsort(-scores, kind="stable").astype(np.int64)
        if self.kind == "tokens":
            return self._take_tokens(order, texts, count_tokens)
        wanted = self.limit(len(order))
        note = f"the budget of {wanted} is more than the pool: all {len(order)} examples are kept" if wanted > len(order) else ""
        return order[:wanted], note

    def _take_tokens(
        self, order: NDArray[np.int64], texts: Sequence[str], count_tokens: Callable[[str], int]
    ) -> tuple[NDArray[np.int64], str]:
        spent, kept = 0, 0
        for row in order:
            spent += count_tokens(texts[row])
            if spent > self.amount:
                break
            kept += 1
        if kept == len(order) and spent < self.amount:
            return order, f"the budget of {self} is more than the pool's {spent}: all {kept} examples are kept"
        if kept == 0 and len(order):
            return order[:1], f"the best example alone has {spent} tokens, more than the budget of {self}; it is kept"
        return order[:kept], ""


def _wrong(written: str) -> InputError:
    return InputError(
        f"The budget is '{written}'", expected=_EXPECTED, fix="write a number above zero, and a share of at most 100%"
    )

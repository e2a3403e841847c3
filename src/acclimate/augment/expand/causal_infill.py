"""A few words of a text written anew by a causal language model that reads what stands before and after them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.draws import Draw, draws, states_of, stream_of
from acclimate.augment.expand.edits import Row, edit_texts
from acclimate.augment.expand.layout import Layout, join, parse
from acclimate.augment.expand.protected import Kind, Protection, is_negation, is_number
from acclimate.augment.expand.replacing import check_share
from acclimate.data.domain import Domain
from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.models.causal import CausalModel

#: Tokens written for each word of the gap, and besides.
_TOKENS_A_WORD, _TOKENS_BESIDES = 3, 4
_CHUNK = 64


@dataclasses.dataclass(frozen=True)
class CausalInfill:
    """A run of words that may be changed is cut out and filled by a causal language model.

    A causal model reads what stands before. To have it heed what stands behind as well, several fills ``x`` are drawn from
    ``p(x | before)`` and one is drawn from these with weights ``p(after | before, x)``: sampling-importance resampling, which
    approaches a draw from ``p(x | before, after)`` as the number of fills grows. A fill has as many words as were cut out, or
    one more or fewer; negations are not written, nor numbers where they are kept, what may not be changed is not cut out, and
    the first word of a text stays.

    Reference: Donahue, Lee & Liang 2020, "Enabling language models to fill in the blanks", for the task; Rubin 1987 for the
    resampling, which needs no training of the model.

    Use when: a causal model of the domain is at hand and runs of words, not single ones, should vary.
    Avoid when: time is short (some 20 passes of the model for each new text), or texts have fewer than four words.

    Args:
        model: any causal language model: ``asset:smollm2``, a hub name or a folder.
        alpha: share of words cut out, in one run.
        fills: drawn for each new text; more heed better what stands behind, and cost more.
        temperature, top_p: of drawing; 0.9 of the probability as in Holtzman 2020, whose nucleus keeps out the unlikely tail.
        device: where the model runs.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "causal-infill"
    paper: ClassVar[str] = "Donahue et al. 2020; Rubin 1987"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    needs: ClassVar[tuple[str, ...]] = ("a causal language model",)
    parents_at_once: ClassVar[int] = 64
    summary: ClassVar[str] = "lets a causal language model fill in a run of words anew"
    summary_zh: ClassVar[str] = "用因果语言模型重写文本中的一小段词语"

    model: str = "asset:smollm2"
    alpha: float = 0.15
    fills: int = 4
    temperature: float = 1.0
    top_p: float = 0.9
    device: str = "auto"
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range, or a bad pattern."""
        check_share(self.method, self.alpha)
        if self.fills < 1 or not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise InputError(
                f"causal-infill with fills={self.fills}, temperature={self.temperature} and top_p={self.top_p}",
                expected="at least 1 fill, a temperature above 0, and top_p above 0 and at most 1",
                fix="leave the defaults",
            )
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`.

        Raises:
            InputError: the model cannot be found or is not causal.
        """
        return edit_texts(self, examples, partial(_edit, method=self), times=times, seed=seed, workers=workers, chunk=_CHUNK)


@dataclasses.dataclass(frozen=True)
class _Gap:
    """What is cut out of a text: ``words[start:stop]``."""

    layout: Layout
    start: int
    stop: int

    @property
    def before(self) -> str:
        return join(self.layout.words[: self.start], self.layout.gaps[: self.start + 1])

    @property
    def after(self) -> str:
        return join(self.layout.words[self.stop :], self.layout.gaps[self.stop :])

    @property
    def cut(self) -> str:
        return join(self.layout.words[self.start : self.stop], ["", *self.layout.gaps[self.start + 1 : self.stop], ""])


def _edit(rows: Sequence[Row], times: int, seed: int, *, method: CausalInfill) -> list[str]:
    from acclimate.models.causal import load_causal

    model = load_causal(method.model, method.device)
    protection = Protection(method.keep, method.patterns)
    drawn = list(draws(states_of([stream_of(seed, *row) for row in rows], range(1, times + 1)).ravel()))
    layouts = [parse(text, protection=protection) for _, text in rows]
    gaps = [_choose(layouts[copy // times], method.alpha, draw) for copy, draw in enumerate(drawn)]
    fills = _written(model, gaps, drawn, method)
    weights = _weights(model, gaps, fills)
    made = []
    for copy, (gap, among, weight) in enumerate(zip(gaps, fills, weights, strict=True)):
        text = rows[copy // times][1]
        made.append(text if gap is None or not among else gap.before + among[_pick(weight, drawn[copy])] + gap.after)
    return made


def _choose(layout: Layout, rate: float, draw: Draw) -> _Gap | None:
    """A run of up to ``max(1, rate * n)`` words that may be changed, not at the beginning; None where there is none."""
    starts = [position for position in layout.free if position > 0]
    if not starts:
        return None
    start = starts[int(draw() * len(starts))]
    stop = start + 1
    free = set(layout.free)
    while stop - start < int(rate * len(layout.words)) and stop in free and not layout.gaps[stop].strip(" "):
        stop += 1
    return _Gap(layout, start, stop)


def _written(model: CausalModel, gaps: Sequence[_Gap | None], drawn: Sequence[Draw], method: CausalInfill) -> list[list[str]]:
    """The distinct fills that can be used of each gap."""
    from acclimate.models.manner import Manner

    asked = [copy for copy, gap in enumerate(gaps) if gap is not None for _ in range(method.fills)]
    prompts, seeds, sizes = [], [], []
    for copy in asked:
        gap, draw = gaps[copy], drawn[copy]
        assert gap is not None
        prompts.append(gap.before.rstrip(" "))
        seeds.append(int(draw() * 2**53))
        sizes.append(max(1, gap.stop - gap.start - 1 + int(draw() * 3)))
    longest = max((gap.stop - gap.start for gap in gaps if gap is not None), default=1)
    manner = Manner(_TOKENS_A_WORD * (longest + 1) + _TOKENS_BESIDES, method.temperature, method.top_p)
    found: list[dict[str, None]] = [{} for _ in gaps]
    for copy, text, size in zip(asked, model.continued(prompts, seeds, manner), sizes, strict=True):
        gap = gaps[copy]
        assert gap is not None
        fill = first_words(text, size)
        counts = "numbers" in method.keep and any(map(is_number, parse(fill).words))
        if fill and fill.lower() != gap.cut.lower() and not counts:
            found[copy][fill] = None
    return [list(among) for among in found]


def first_words(text: str, count: int) -> str:
    """The first ``count`` words of what a model wrote, and what stands between them; empty where they are no use as a fill.

    >>> first_words(" a quick, brown fox", 3), first_words("\\n\\nNext", 1), first_words(" not good", 2)
    ('a quick, brown', '', '')
    """
    layout = parse(text)
    if len(layout.words) <= count or layout.gaps[0].strip(" ") or any(is_negation(word) for word in layout.words[:count]):
        return ""  # the last word that was written may be half a word
    fill = join(layout.words[:count], ["", *layout.gaps[1:count], ""])
    return "" if "\n" in fill else fill


def _weights(model: CausalModel, gaps: Sequence[_Gap | None], fills: Sequence[Sequence[str]]) -> list[NDArray[np.float64]]:
    """The log-probability of what stands behind each fill, given the fill and what stands before."""
    texts, upto = [], []
    for gap, among in zip(gaps, fills, strict=True):
        if gap is not None and len(among) > 1:
            upto += [gap.before + fill for fill in among]
            texts += [gap.before + fill + gap.after for fill in among]
    behind = model.losses(upto)[0] - model.losses(texts)[0] if texts else np.zeros(0)
    found, place = [], 0
    for gap, among in zip(gaps, fills, strict=True):
        count = len(among) if gap is not None and len(among) > 1 else 0
        found.append(behind[place : place + count])
        place += count
    return found


def _pick(logs: NDArray[np.float64], draw: Draw) -> int:
    """A draw with log-weights ``(m,)``; the first where there is only one."""
    if not len(logs):
        return 0
    chances = np.exp(logs - logs.max()).cumsum()
    return min(int(np.searchsorted(chances, draw() * chances[-1], side="right")), len(logs) - 1)

"""Words that a masked language model expects in place of words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.draws import Draw, draws, states_of, stream_of
from acclimate.augment.expand.edits import Row, edit_texts
from acclimate.augment.expand.embedding_neighbour import largest, whole_words
from acclimate.augment.expand.layout import Layout, join, parse
from acclimate.augment.expand.operations import in_case_of
from acclimate.augment.expand.protected import Kind, Protection, is_negation
from acclimate.augment.expand.replacing import check_share
from acclimate.data.domain import Domain
from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.models.masked import MaskedModel

#: Texts read at once: enough that few passes are half empty.
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class MaskedLm:
    """A share of the words is hidden, and a masked language model says what could stand there; one of its ``k`` likeliest is drawn.

    A word is replaced by a whole word of the model's vocabulary other than itself, never by a negation. All hidden words of a text
    are predicted at once. The model knows the context and not the label: where the context leaves polarity open it may turn it, so
    keep the checks of meaning on. No masked language model is packaged (``asset:minilm`` has no head for it): name one.

    Reference: Kobayashi 2018, "Contextual augmentation", without its label-conditioned training; Kumar et al. 2020, "Data
    augmentation using pre-trained transformer models", for a masked model as the predictor.

    Use when: a masked model of the language, better of the domain, is at hand and fluent variants matter.
    Avoid when: labels hang on single words, or time is short: it costs a forward pass for each new text.

    Args:
        model: any masked language model of transformers: a hub name or a folder.
        alpha: share of words replaced; Kumar et al. hide 15%, as BERT was trained.
        k: likeliest words to draw from; 10 as in Kumar et al. keeps to what fits.
        temperature: below 1 favours the likeliest.
        device: where the model runs.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "masked-lm"
    paper: ClassVar[str] = "Kobayashi 2018; Kumar et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    needs: ClassVar[tuple[str, ...]] = ("a masked language model",)
    parents_at_once: ClassVar[int] = 512
    summary: ClassVar[str] = "replaces words by what a masked language model expects in their place"
    summary_zh: ClassVar[str] = "用掩码语言模型在该位置预测的词替换词语"

    model: str = "distilbert-base-uncased"
    alpha: float = 0.15
    k: int = 10
    temperature: float = 1.0
    device: str = "auto"
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha outside (0, 1), k below 1, a temperature not above 0, or a bad pattern."""
        check_share(self.method, self.alpha)
        if self.k < 1 or not self.temperature > 0:
            raise InputError(
                f"masked-lm with k={self.k} and temperature={self.temperature}",
                expected="k of at least 1 and a temperature above 0",
                fix="leave the defaults",
            )
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`.

        Raises:
            InputError: the model cannot be found, or has no head that predicts hidden words.
        """
        return edit_texts(self, examples, partial(_edit, method=self), times=times, seed=seed, workers=workers, chunk=_CHUNK)


def _edit(rows: Sequence[Row], times: int, seed: int, *, method: MaskedLm) -> list[str]:
    from acclimate.models.masked import load_masked

    model = load_masked(method.model, method.device)
    protection = Protection(method.keep, method.patterns)
    streams = [stream_of(seed, name, text) for name, text in rows]
    layouts = [parse(text, protection=protection) for _, text in rows]
    copies = [layout for layout in layouts for _ in range(times)]
    drawn = list(draws(states_of(streams, range(1, times + 1)).ravel()))
    hidden = [_hide(layout, method.alpha, draw) for layout, draw in zip(copies, drawn, strict=True)]
    made = [join(layout.words, layout.gaps) for layout in copies]
    asked = [copy for copy, places in enumerate(hidden) if places]
    masked = [_masked(copies[copy], hidden[copy], model.mask) for copy in asked]
    for position, logits in model.expected(masked):
        copy = asked[position]
        made[copy] = fill(copies[copy], hidden[copy], logits, candidates(model), method, drawn[copy])
    return made


def _hide(layout: Layout, rate: float, draw: Draw) -> list[int]:
    """The positions of ``max(1, rate * n)`` words that may be changed, in order."""
    places = list(layout.free)
    count = min(max(1, int(rate * len(layout.words))), len(places))
    return sorted(places.pop(int(draw() * len(places))) for _ in range(count))


def _masked(layout: Layout, hidden: Sequence[int], mask: str) -> str:
    words = list(layout.words)
    for position in hidden:
        words[position] = mask
    return join(words, layout.gaps)


def fill(
    layout: Layout,
    hidden: Sequence[int],
    logits: NDArray[np.float32],
    words: tuple[NDArray[np.int64], list[str]],
    method: MaskedLm,
    draw: Draw,
) -> str:
    """The text with each hidden word replaced by a draw from the ``k`` likeliest others.

    Args:
        hidden: positions of ``m`` words.
        logits: of the masks that the model read, ``(r, v)`` with ``r <= m``: those behind its limit keep their word.
        words: numbers of the tokens that may be drawn ``(w,)``, and what each stands for.
    """
    numbers, spelt = words
    new = list(layout.words)
    for position, row in zip(hidden, logits, strict=False):
        scores = row[numbers]
        own = layout.words[position].lower()
        best = [place for place in largest(scores, method.k + 2) if spelt[place].lower() != own][: method.k]
        chances = np.exp((scores[best] - scores[best[0]]).astype(np.float64) / method.temperature).cumsum()
        chosen = int(np.searchsorted(chances, draw() * chances[-1], side="right"))
        new[position] = in_case_of(layout.words[position], spelt[best[min(chosen, len(best) - 1)]])
    return join(new, layout.gaps)


@functools.lru_cache(maxsize=2)
def candidates(model: MaskedModel) -> tuple[NDArray[np.int64], list[str]]:
    """The tokens that may stand for a word: whole words that do not negate."""
    words = {number: word for number, word in whole_words(model.tokenizer).items() if not is_negation(word)}
    if len(words) < 2:
        raise InputError(
            f"The vocabulary of '{model.name}' has no whole words to draw from",
            expected="a model whose tokens are words or pieces of words",
            fix="choose another masked language model",
        )
    return np.array(list(words), dtype=np.int64), list(words.values())

"""Nearest words in an encoder's input embeddings in place of words."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.edits import edit_texts
from acclimate.augment.expand.protected import Kind, Protection, is_negation, is_stop_word
from acclimate.augment.expand.replacing import check_share, replace_words
from acclimate.data.domain import Domain
from acclimate.errors import InputError

#: Words whose neighbours are found together: 8 times as fast as one by one. Vocabularies are ordered by frequency, more or less, so
#: that the words of a text share few blocks.
_BLOCK = 32
#: How tokenizers mark a token that opens a word: of sentencepiece, of byte-level BPE.
_OPENERS = ("▁", "Ġ")
#: How WordPiece marks one that does not.
_INNER = "##"
_WORD = re.compile(r"[^\W\d_]{2,}|[\u4e00-\u9fff]")


@dataclasses.dataclass(frozen=True)
class EmbeddingNeighbour:
    """A share of the words is replaced by near words: the ``k`` nearest by cosine among the whole words of a model's vocabulary.

    The vectors are the rows of the model's input embeddings, so nothing is computed for a text. Only words that are one token can
    be replaced; function words, negations and the words after them stay. Nearness is not sameness of meaning: antonyms share
    contexts and lie near each other, so ``similarity`` sets a floor.

    Reference: Wang & Yang 2015, "That's so annoying!!!", section 3 (nearest words by embedding); Jiao et al. 2020, "TinyBERT",
    algorithm 1, replaces words so.

    Use when: there is no thesaurus for the language, and an encoder of it.
    Avoid when: labels hang on polarity: ``good`` and ``bad`` are neighbours; keep the checks of meaning on.

    Args:
        model: any encoder of transformers whose vocabulary has whole words: ``asset:NAME``, a hub name or a folder.
        alpha: share of words replaced; 0.1 as for ``eda``.
        k: neighbours to choose from; Jiao et al. take 15, which in the small vocabulary of MiniLM reaches unrelated words.
        similarity: the least cosine of a neighbour.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "embedding-neighbour"
    paper: ClassVar[str] = "Wang & Yang 2015; Jiao et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    summary: ClassVar[str] = "replaces words by their nearest in an encoder's input embeddings"
    summary_zh: ClassVar[str] = "用编码器输入嵌入中的最近邻词替换词语"

    model: str = "asset:minilm"
    alpha: float = 0.1
    k: int = 5
    similarity: float = 0.5
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha outside (0, 1), k below 1, a similarity that is no cosine, or a bad pattern."""
        check_share(self.method, self.alpha)
        if self.k < 1 or not -1 <= self.similarity <= 1:
            raise InputError(
                f"embedding-neighbour with k={self.k} and similarity={self.similarity}",
                expected="k of at least 1 and a similarity between -1 and 1",
                fix="leave the defaults",
            )
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`."""
        source = partial(neighbourhood, self.model, self.k, self.similarity)
        work = partial(replace_words, source=source, alpha=self.alpha, protection=Protection(self.keep, self.patterns))
        return edit_texts(self, examples, work, times=times, seed=seed, workers=workers)


class Neighbourhood:
    """The nearest words of a word, found when first asked for.

    Args:
        words: ``v`` whole words of a vocabulary.
        vectors: their embeddings ``(v, d)``.
        k: how many neighbours.
        similarity: their least cosine.
    """

    def __init__(self, words: list[str], vectors: NDArray[np.float32], k: int, similarity: float) -> None:
        self._words = words
        self._row = {word: row for row, word in reversed(list(enumerate(words)))}
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
        self._k, self._similarity = k, similarity
        self._known: dict[int, tuple[str, ...]] = {}
        self.lexicon: Collection[str] = frozenset()

    def synonyms(self, word: str) -> tuple[str, ...]:
        """The nearest words, nearest first; empty for function words and words that the vocabulary does not have whole."""
        row = self._row.get(word, self._row.get(word.lower()))
        if row is None:
            return ()
        if row not in self._known:
            self._learn(row - row % _BLOCK)
        return self._known[row]

    def _learn(self, start: int) -> None:
        """Find the neighbours of a block of words at once: always the same block, so that a word's are always the same."""
        cosines = self._vectors[start : start + _BLOCK] @ self._vectors.T
        for row, mine in enumerate(cosines, start):
            self._known[row] = self._near(self._words[row].lower(), mine)

    def _near(self, own: str, cosines: NDArray[np.float32]) -> tuple[str, ...]:
        """The nearest usable words of one, given the cosines of all ``(v,)``."""
        if is_stop_word(own):
            return ()
        others = [self._words[row].lower() for row in largest(cosines, 4 * self._k + 1) if cosines[row] >= self._similarity]
        usable = dict.fromkeys(other for other in others if other != own and not is_negation(other) and not is_stop_word(other))
        return tuple(usable)[: self._k]


def largest(scores: NDArray[np.float32], count: int) -> list[int]:
    """Places of the largest scores, largest first, equal ones in order."""
    count = min(count, len(scores))
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    among = np.flatnonzero(scores >= least)
    found: list[int] = among[np.argsort(-scores[among], kind="stable")][:count].tolist()
    return found


@functools.cache
def neighbourhood(model: str, k: int, similarity: float) -> Neighbourhood:
    """The neighbourhood of a model's vocabulary, made once in each process.

    Raises:
        InputError: no such model, or its vocabulary has no whole words.
        RunError: it could not be downloaded.
    """
    from transformers import AutoModel, AutoTokenizer

    from acclimate.models.loading import load_pretrained
    from acclimate.models.reference import resolve

    reference = resolve(model)
    tokenizer = load_pretrained(AutoTokenizer, reference)
    table = load_pretrained(AutoModel, reference).get_input_embeddings().weight.detach().float().numpy()
    rows = whole_words(tokenizer)
    if not rows:
        raise InputError(
            f"The vocabulary of '{model}' has no whole words",
            expected="a model whose tokens are words or pieces of words",
            fix="choose another encoder, for example asset:minilm",
        )
    return Neighbourhood(list(rows.values()), table[list(rows)], k, similarity)


def whole_words(tokenizer: Any) -> dict[int, str]:
    """The tokens of a vocabulary that are words of letters on their own, by number, in order of number."""
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    marked = any(token.startswith(_OPENERS) for token in tokens.values())
    special = set(tokenizer.all_special_ids)
    found = {}
    for number in sorted(tokens.keys() - special):
        word = _word_of(tokens[number], marked)
        if word is not None and _WORD.fullmatch(word):
            found[number] = word
    return found


def _word_of(token: str, marked: bool) -> str | None:
    """What a token that opens a word stands for; None for one inside a word. Chinese tokens carry no mark."""
    if token.startswith(_OPENERS):
        return token[1:]
    if token.startswith(_INNER) or (marked and not "\u4e00" <= token[:1] <= "\u9fff"):
        return None
    return token

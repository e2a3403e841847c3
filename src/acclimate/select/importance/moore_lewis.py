"""Cross-entropy difference (Moore & Lewis): how much better a language model of the target predicts a text than a general one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.tokenize import words
from acclimate.models.causal import CausalModel
from acclimate.select.base import Need, Trait
from acclimate.select.importance.neural_lm import NeuralLosses
from acclimate.select.random import uniform

#: Word numbers of what stands before a text, and of every word outside the vocabulary.
START, UNKNOWN = 0, 1
#: Texts of a block; their n-grams take some 50 MB.
_BLOCK = 500

#: Texts to the nats of each under several models, the target's first, ``(models, n)``, and the words of each text ``(n,)``.
Losses = Callable[[Sequence[str]], tuple[NDArray[np.float64], NDArray[np.int64]]]


class Vocabulary:
    """Words as numbers: 2 and up, in alphabetical order; :data:`UNKNOWN` for all others.

    Args:
        documents: tokenized texts.
        least: occurrences a word needs; where none has as many, every word belongs.
    """

    def __init__(self, documents: Sequence[Sequence[str]], least: int) -> None:
        counts = Counter(word for document in documents for word in document)
        kept = [word for word, count in counts.items() if count >= least] or list(counts)
        self.numbers = {word: number for number, word in enumerate(sorted(kept), UNKNOWN + 1)}

    def __len__(self) -> int:
        """How many different words can follow: those of the vocabulary, and an unknown one."""
        return len(self.numbers) + 1

    def read(self, documents: Sequence[Sequence[str]], order: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every word with those before it, ``(t, order)``, the word itself last; and the document of each, ``(t,)``."""
        get = self.numbers.get
        before = [START] * (order - 1)
        lengths = np.array([len(document) for document in documents], dtype=np.int64)
        stream = np.array([n for document in documents for n in (*before, *(get(w, UNKNOWN) for w in document))], dtype=np.int64)
        rows = np.repeat(np.arange(len(documents)), lengths)
        places = np.arange(len(rows)) + (rows + 1) * (order - 1)
        return np.stack([stream[places - back] for back in range(order - 1, -1, -1)], axis=1), rows


class NgramModel:
    """Word probabilities interpolated over n-gram lengths by Witten & Bell 1991 (Chen & Goodman 1999, §2.4):

        p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h))

    ``c(h w)`` counts the word ``w`` after the history ``h``, ``c(h)`` any word after it, ``T(h)`` the different ones; ``h'`` is
    ``h`` without its first word, and below single words stands the uniform distribution. The probabilities of all words, an
    unknown one included, sum to 1 after every history.

    Args:
        grams: words with their histories, ``(t, order)``, see :meth:`Vocabulary.read`.
        size: of the vocabulary.
    """

    def __init__(self, grams: NDArray[np.int64], size: int) -> None:
        self.size = size
        orders = range(1, grams.shape[1] + 1) if len(grams) else ()
        self._levels = [_Level.of(*self._keys(grams, order)) for order in orders]

    def log_probabilities(self, grams: NDArray[np.int64]) -> NDArray[np.float64]:
        """``log p(w | h)`` of each row, ``(t, order)`` to ``(t,)``."""
        p = np.full(len(grams), 1 / self.size)
        for order, level in enumerate(self._levels, 1):
            histories, keys = self._keys(grams, order)
            after, kinds = level.history(histories)
            p = np.where(after > 0, (level.count(keys) + kinds * p) / np.maximum(after + kinds, 1), p)
        return np.asarray(np.log(p))

    def _keys(self, grams: NDArray[np.int64], order: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One number for each history and for each n-gram of this order: its words as digits, so that no two share one."""
        base = np.int64(self.size + 2)
        history = np.zeros(len(grams), dtype=np.int64)
        for back in range(order - 1, 0, -1):
            history = history * base + grams[:, -1 - back]
        return history, history * base + grams[:, -1]


@dataclasses.dataclass(frozen=True, eq=False)
class _Level:
    """Counts of the n-grams of one length, as sorted keys."""

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    histories: NDArray[np.int64]
    after: NDArray[np.int64]
    kinds: NDArray[np.int64]

    @classmethod
    def of(cls, histories: NDArray[np.int64], keys: NDArray[np.int64]) -> Self:
        distinct, first, counts = np.unique(keys, return_index=True, return_counts=True)
        before, place, kinds = np.unique(histories[first], return_inverse=True, return_counts=True)
        after = np.bincount(place, counts, minlength=len(before)).astype(np.int64)
        return cls(distinct, counts, before, after, kinds)

    def count(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        place, found = _find(self.keys, keys)
        return np.where(found, self.counts[place], 0)

    def history(self, histories: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        place, found = _find(self.histories, histories)
        return np.where(found, self.after[place], 0), np.where(found, self.kinds[place], 0)


def _find(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each wanted key stands among the sorted known ones, and whether it does."""
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return place, np.asarray(known[place] == wanted)


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Samples of the pool that stand for "general": texts are compared with models that have not read them.

    Attributes:
        texts: of each sample.
    """

    texts: Sequence[Sequence[str]]

    @classmethod
    def of(cls, source: Domain, size: int, count: int, seed: int) -> Self:
        """``count`` samples of ``size`` texts without a text in common, fewer texts where the pool has fewer; by seed and id."""
        keys = uniform(seed, source.ids, "moore-lewis").tolist()
        order = sorted(range(len(source)), key=lambda row: (keys[row], source.ids[row]))
        size = max(1, min(size, len(order) // count))
        parts = [order[start : start + size] for start in range(0, min(len(order), count * size), size)]
        return cls([[source.texts[row] for row in sorted(part, key=lambda row: source.ids[row])] for part in parts])

    def unread(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """How much each sample counts for each text, ``(draws, n)``: those that hold it not, unless all do; sums to 1."""
        held = [set(sample) for sample in self.texts]
        free = np.array([[text not in sample for text in texts] for sample in held], dtype=np.float64)
        free[:, free.sum(axis=0) == 0] = 1
        return np.asarray(free / free.sum(axis=0))


@dataclasses.dataclass(frozen=True, eq=False)
class NgramLosses:
    """Log probabilities of texts under n-gram models over one vocabulary."""

    vocabulary: Vocabulary
    models: Sequence[NgramModel]
    order: int

    @classmethod
    def of(cls, target: Sequence[str], general: Sequence[Sequence[str]], order: int, least: int) -> Self:
        """The model of the target first. The vocabulary is the target's, as in the paper: unknown words cost both models alike."""
        documents = [words(text) for text in target]
        vocabulary = Vocabulary(documents, least)
        if not vocabulary.numbers:
            raise InputError("The target has no word in it", expected="texts with words", fix="check the text column")
        corpora = [documents, *([words(text) for text in sample] for sample in general)]
        models = [NgramModel(vocabulary.read(corpus, order)[0], len(vocabulary)) for corpus in corpora]
        return cls(vocabulary, models, order)

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Nats of each text under each model, ``(models, n)``, and the words of each text ``(n,)``."""
        nats, counts = np.zeros((len(self.models), len(texts))), np.zeros(len(texts), dtype=np.int64)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            grams, rows = self.vocabulary.read([words(text) for text in block], self.order)
            inside = slice(start, start + len(block))
            counts[inside] = np.bincount(rows, minlength=len(block))
            for number, model in enumerate(self.models):
                nats[number, inside] = np.bincount(rows, -model.log_probabilities(grams), minlength=len(block))
        return nats, counts


class MooreLewis:
    """Score of ``x``: how many nats per word a language model of the target saves over a general one (labels are not used):

        H_general(x) - H_target(x)

    The general model reads a sample of the pool of about the target's size, as in Axelrod et al. 2011, so that both models are as
    sparse. A text of the sample itself would look general for that reason alone, so there are several samples without a text in
    common, and a text is compared with those that have not read it. Relevant texts found among 20 Newsgroups (about half of the
    training set as the pool, two groups, 20 / 100 / 300 target documents; order 2): .51 / .70 / .85 with two samples and
    .51 / .75 / .87 with four; of order 3, .47 / .67 / .76 with one sample as in the paper and .50 / .67 / .83 with two.

    Reference: Moore & Lewis 2010, "Intelligent selection of language model training data"; Axelrod, He & Gao 2011, "Domain
    adaptation via pseudo in-domain data selection".

    Use when: the pick is to train a language model; domains differ in wording and phrases. It is the classic for that purpose.
    Avoid when: the target has fewer than some hundred texts: dsir and classifier make more of few.

    Args:
        language_model: of ``models="neural"``.
        models: ``"ngram"``, or ``"neural"``: the handed model, adapted to target texts and to pool texts, which reads every text
            twice.
        order: words of an n-gram. Found as above with four samples: .52 / .76 / .88 for single words.
        least: occurrences in the target that a word needs to belong to the vocabulary, as in Moore & Lewis, §3.
        samples: of the pool, for n-gram models.
        steps: of Adam to which a neural model is adapted, 512 tokens each, see :func:`.neural_lm.adapt`.
        seed: of the samples.

    Cost: 11,000 newsgroup posts beside 300 of the target take 5 CPU seconds. Neural models of SmolLM2 take 4 CPU seconds for each
    step of either model, and .1 for each short text and model, so that 1,000 texts take some minutes. Among 160 ICWSM snippets
    with 100 of one domain as the target they rank those of that domain above others with an area under the curve of .86; the
    n-gram models .72, the loss of the model as it is .65.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    traits: ClassVar[tuple[Trait, ...]] = ("adjusts",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Moore & Lewis 2010; Axelrod et al. 2011"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat")
    summary: ClassVar[str] = "cross-entropy difference of a target and a general language model"
    summary_zh: ClassVar[str] = "目标域与通用语言模型的交叉熵之差"

    def __init__(
        self,
        language_model: CausalModel | None = None,
        models: Literal["ngram", "neural"] = "ngram",
        order: int = 2,
        least: int = 2,
        samples: int = 4,
        steps: int = 10,
        seed: int = 0,
    ) -> None:
        if not 1 <= order <= 3 or min(least, samples, steps) < 1:
            raise InputError(
                f"moore-lewis with order={order}, least={least}, samples={samples}, steps={steps}",
                expected="an order from 1 to 3, and at least 1 occurrence, 1 sample and 1 step",
                fix="leave the defaults",
            )
        self.language_model, self.models = language_model, models
        self.order, self.least, self.samples = order, least, samples
        self.steps, self.seed = steps, seed

    @property
    def needed(self) -> tuple[Need, ...]:
        """A language model for the neural models, nothing for counts of words."""
        return ("language model",) if self.models == "neural" else ()

    def fit(self, source: Domain, target: Target) -> Self:
        wanted = target.inputs
        if self.models == "neural":
            if self.language_model is None:
                raise InputError(
                    "moore-lewis with models='neural' but no causal language model was given",
                    expected="a causal language model",
                    fix="name one: language_model=..., or use models='ngram'",
                )
            self._draws = Draws.of(source, len(wanted), 1, self.seed)
            self._losses: Losses = NeuralLosses.of(
                self.language_model, [wanted.texts, *self._draws.texts], steps=self.steps, seed=self.seed
            )
        else:
            self._draws = Draws.of(source, len(wanted), self.samples, self.seed)
            self._losses = NgramLosses.of(wanted.texts, self._draws.texts, self.order, self.least)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """``H_general - H_target`` in nats per word (of a neural model: per token), ``(n,)``; 0 for a text without words."""
        general, own, counts = self._nats(batch)
        return (general - own) / np.maximum(counts, 1)

    def reasons(self, batch: Domain) -> list[str]:
        """Both cross-entropies."""
        general, own, counts = self._nats(batch)
        each = zip(own / np.maximum(counts, 1), general / np.maximum(counts, 1), counts, strict=True)
        return [f"H(target)={a:.2f} H(general)={b:.2f} over {n} words" for a, b, n in each]

    def _nats(self, batch: Domain) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Nats under the general models and under the target's, and the number of words, each ``(n,)``."""
        nats, counts = self._losses(batch.texts)
        return (nats[1:] * self._draws.unread(batch.texts)).sum(axis=0), nats[0], counts

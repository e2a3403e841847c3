"""The n-gram models against dictionaries, and the difference against what it should find."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.importance.moore_lewis import Draws, MooreLewis, NgramModel, Vocabulary

TEXTS = ["the fever fell", "the fever rose and the ward slept", "a dose a day", "ward"]
DOCUMENTS = [text.split() for text in TEXTS]


def target_of(texts: list[str]) -> Target:
    domain = from_columns("t", texts, ["a"] * len(texts))
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), ("a",))


class NaiveWittenBell:
    """The same model by dictionaries and recursion."""

    def __init__(self, documents: Sequence[Sequence[str]], order: int, vocabulary: set[str]) -> None:
        self.followers: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self.size = len(vocabulary) + 1
        for document in documents:
            padded = ["<s>"] * (order - 1) + [word if word in vocabulary else "<unk>" for word in document]
            for place in range(order - 1, len(padded)):
                for length in range(order):
                    self.followers[tuple(padded[place - length : place])][padded[place]] += 1

    def probability(self, word: str, history: tuple[str, ...]) -> float:
        shorter = self.probability(word, history[1:]) if history else 1 / self.size
        seen = self.followers.get(history)
        if seen is None:
            return shorter
        return (seen[word] + len(seen) * shorter) / (seen.total() + len(seen))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("least", [1, 2])
def test_probabilities_are_those_of_dictionaries(order: int, least: int) -> None:
    vocabulary = Vocabulary(DOCUMENTS, least)
    model = NgramModel(vocabulary.read(DOCUMENTS, order)[0], len(vocabulary))
    naive = NaiveWittenBell(DOCUMENTS, order, set(vocabulary.numbers))
    unseen = ["the", "ward", "fell", "zebra", "fell", "fever"]
    grams, rows = vocabulary.read([unseen, [], DOCUMENTS[1]], order)
    assert rows.tolist() == [0] * 6 + [2] * 7
    expected = []
    for document in (unseen, DOCUMENTS[1]):
        padded = ["<s>"] * (order - 1) + [word if word in vocabulary.numbers else "<unk>" for word in document]
        places = range(order - 1, len(padded))
        expected += [math.log(naive.probability(padded[i], tuple(padded[i - order + 1 : i]))) for i in places]
    assert model.log_probabilities(grams) == pytest.approx(expected, abs=1e-12)


def test_probabilities_sum_to_one_after_every_history() -> None:
    vocabulary = Vocabulary(DOCUMENTS, 1)
    model = NgramModel(vocabulary.read(DOCUMENTS, 3)[0], len(vocabulary))
    numbers = range(1, len(vocabulary) + 1)  # the unknown word, then the vocabulary
    for history in itertools.product(range(len(vocabulary) + 1), repeat=2):
        grams = np.array([[*history, number] for number in numbers])
        assert np.exp(model.log_probabilities(grams)).sum() == pytest.approx(1, abs=1e-12)


def test_the_score_is_the_difference_of_the_cross_entropies_per_word() -> None:
    source = from_columns("s", ["the bank rose", "a price a day", "the fever fell", "and the bank and the ward"])
    selector = MooreLewis(order=2, least=1, samples=1).fit(source, target_of(TEXTS))
    vocabulary = {word for document in DOCUMENTS for word in document}
    own = NaiveWittenBell(DOCUMENTS, 2, vocabulary)
    general = NaiveWittenBell([text.split() for text in source.texts], 2, vocabulary)  # the one sample is the whole source

    def cross_entropy(model: NaiveWittenBell, text: str) -> float:
        padded = ["<s>", *(word if word in vocabulary else "<unk>" for word in text.split())]
        pairs = list(itertools.pairwise(padded))
        return -sum(math.log(model.probability(word, (before,))) for before, word in pairs) / len(pairs)

    expected = [cross_entropy(general, text) - cross_entropy(own, text) for text in source.texts]
    assert selector.score(source) == pytest.approx(expected, abs=1e-12)


def test_a_text_is_compared_with_samples_that_have_not_read_it() -> None:
    source = from_columns("s", [f"text {row}" for row in range(10)])
    draws = Draws.of(source, 3, 2, seed=0)
    assert [len(sample) for sample in draws.texts] == [3, 3]
    assert not set(draws.texts[0]) & set(draws.texts[1])
    texts = [draws.texts[0][0], draws.texts[1][0], "elsewhere"]
    assert draws.unread(texts).tolist() == [[0, 1, 0.5], [1, 0, 0.5]]
    assert Draws([["same"], ["same"]]).unread(["same"]).tolist() == [[0.5], [0.5]]
    order = np.random.default_rng(1).permutation(10)
    assert Draws.of(source.take(order), 3, 2, seed=0).texts == draws.texts


def test_a_sample_text_does_not_look_general_for_having_been_sampled() -> None:
    """Twins of a text under another number, one in a sample and one not, score much the same."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice([f"w{i}" for i in range(30)], 12)) for _ in range(60)]
    source = from_columns("s", texts)
    one, four = (MooreLewis(samples=k, least=1).fit(source, target_of(texts[:6])) for k in (1, 4))
    sampled = set(Draws.of(source, 6, 1, seed=0).texts[0])
    rest = [row for row in range(6, 60) if texts[row] not in sampled]
    inside = [row for row in range(6, 60) if texts[row] in sampled]
    biased = one.score(source)[rest].mean() - one.score(source)[inside].mean()
    fair = four.score(source)[rest].mean() - four.score(source)[inside].mean()
    assert abs(fair) < biased / 5


def test_neural_models_need_a_language_model() -> None:
    with pytest.raises(InputError, match="no causal language model"):
        MooreLewis(models="neural").fit(from_columns("pool", TEXTS), target_of(TEXTS))

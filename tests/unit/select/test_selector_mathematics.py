"""The formulas behind the selectors against independent references."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.select.importance.classifier import Classifier, confident, log_density_ratio
from acclimate.select.importance.dsir import Dsir
from acclimate.select.random import uniform
from acclimate.select.similarity.cosine import unit_rows
from acclimate.select.similarity.knn import Knn, mean_of_largest

RNG = np.random.default_rng(0)
POOL = from_columns("pool", ["the stock fell", "the bank, the rate", "a fever rose", "rain"])
TARGET_TEXTS = ["the fever fell", "a fever, a scan"]


def target_of(texts: list[str]) -> Target:
    domain = from_columns("t", texts, ["a"] * len(texts))
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), ("a",))


def ngram_counts(texts: Sequence[str], punctuation: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        tokens = text.replace(",", " ," if punctuation else "").split()
        counts.update(tokens)
        counts.update(" ".join(pair) for pair in itertools.pairwise(tokens))
    return counts


def reference_dsir(text: str, share: float, shrink: float | None, punctuation: bool) -> float:
    """By dictionaries of n-grams, without hashing."""
    target, pool = ngram_counts(TARGET_TEXTS, punctuation), ngram_counts(POOL.texts, punctuation)
    own = ngram_counts([text], punctuation)
    total = 0.0
    for ngram, count in own.items():
        in_pool = pool[ngram] / pool.total()
        mixed = share * target[ngram] / target.total() + (1 - share) * in_pool
        total += count * (math.log(mixed + 1e-8) - math.log(in_pool + 1e-8))
    return total if shrink is None else total / (own.total() + shrink)


def test_dsir_is_the_mean_log_ratio_of_smoothed_ngrams() -> None:
    selector = Dsir(target_share=0.3, shrink=4).fit(POOL, target_of(TARGET_TEXTS))
    expected = [reference_dsir(text, 0.3, 4, punctuation=False) for text in POOL.texts]
    assert selector.score(POOL) == pytest.approx(expected, rel=1e-6)


def test_dsir_in_the_papers_preset_is_the_sum_of_log_ratios_plus_gumbel_noise() -> None:
    selector = Dsir(preset="paper", seed=3).fit(POOL, target_of(TARGET_TEXTS))
    noise = -np.log(-np.log(uniform(3, POOL.ids, "gumbel")))
    expected = [reference_dsir(text, 1.0, None, punctuation=True) for text in POOL.texts]
    assert selector.hashing.buckets == 10_000
    assert selector.score(POOL) - noise == pytest.approx(expected, rel=1e-6)


def test_dsir_names_the_ngrams_that_speak_for_the_target() -> None:
    selector = Dsir().fit(POOL, target_of(TARGET_TEXTS))
    assert "'fever'" in selector.reasons(POOL)[2]
    assert selector.reasons(from_columns("e", ["?!"])) == ["no words"]


def test_uniform_numbers_are_uniform_and_differ_by_purpose() -> None:
    ids = [f"row:{i}" for i in range(4000)]
    values = uniform(0, ids, "random")
    assert 0 < values.min() < values.max() < 1
    assert np.histogram(values, bins=4, range=(0, 1))[0] == pytest.approx(1000, abs=120)
    assert abs(np.corrcoef(values, uniform(0, ids, "gumbel"))[0, 1]) < 0.06


def test_knn_is_the_mean_of_the_k_largest_cosines() -> None:
    vectors = {text: RNG.normal(size=8).astype(np.float32) for text in [*POOL.texts, *TARGET_TEXTS, "third"]}

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([vectors[text] for text in texts])

    target = [*TARGET_TEXTS, "third"]
    selector = Knn(embed, k=2).fit(POOL, target_of(target))
    cosines = cosine_similarity(embed(POOL.texts).astype(np.float64), embed(target).astype(np.float64))
    assert selector.score(POOL) == pytest.approx(np.sort(cosines, axis=1)[:, -2:].mean(axis=1), abs=1e-6)
    nearest = int(cosines[0].argmax())
    assert selector.reasons(POOL)[0] == f"nearest=t:{nearest} cosine={cosines[0, nearest]:.2f}"


def test_more_neighbours_than_target_texts_means_all_of_them() -> None:
    values = np.array([[1.0, 3.0], [0.0, -2.0]])
    assert mean_of_largest(values, 10).tolist() == [2.0, -1.0]


def test_cosines_of_unit_rows_have_the_same_bits_in_any_order_of_summation() -> None:
    a, b = unit_rows(RNG.normal(size=(50, 384)).astype(np.float32)), unit_rows(RNG.normal(size=(30, 384)).astype(np.float32))
    shuffle = RNG.permutation(384)
    assert (a @ b.T).tobytes() == (a[:, shuffle] @ b[:, shuffle].T).tobytes()
    assert unit_rows(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


def test_the_density_ratio_is_a_balanced_logistic_regression() -> None:
    positives, negatives = RNG.normal(0.5, 1, (30, 4)), RNG.normal(0, 1, (90, 4))
    ratio = log_density_ratio(csr_matrix(positives), csr_matrix(negatives), C=1.0)
    other = LogisticRegression(C=1.0, class_weight="balanced", solver="lbfgs", tol=1e-10)
    other.fit(np.vstack([positives, negatives]), np.repeat([1, 0], [30, 90]))
    # liblinear also shrinks the intercept a little, hence the tolerance.
    assert ratio.weights == pytest.approx(other.coef_[0], abs=0.02)
    assert ratio.bias == pytest.approx(other.intercept_[0], abs=0.05)


def test_weights_of_positives_count_as_copies() -> None:
    positives, negatives = csr_matrix(RNG.normal(0.5, 1, (6, 3))), csr_matrix(RNG.normal(0, 1, (9, 3)))
    weighted = log_density_ratio(positives, negatives, 1.0, np.array([2.0, 1, 1, 1, 1, 1]))
    order = [0, 0, 1, 2, 3, 4, 5]
    copied = log_density_ratio(csr_matrix(positives[order]), negatives, 15 / 16, None)  # the penalty weighs against 15 rows, not 16
    assert weighted.weights == pytest.approx(copied.weights, abs=1e-3)


def test_confident_rows_score_above_the_median_held_out_target_text_and_are_bounded() -> None:
    scores = np.array([0.1, 2.0, 1.5, -1.0, 3.0])
    assert confident(scores, np.array([1.0, 1.6, 9.0]), most=9).tolist() == [4, 1]
    assert confident(scores, np.array([0.0]), most=3).tolist() == [4, 1, 2]


def test_the_second_round_finds_relevant_texts_that_share_no_word_with_the_target() -> None:
    """Adopted texts bring their own words: 'cough' is beside 'fever' in the pool and never in the target."""
    trade = [f"stock rate bank {word}" for word in ("day", "night", "week", "month") for _ in range(50)]
    pool = from_columns("p", [*["fever fever fever fever fever cough"] * 6, *["cough pills"] * 3, *trade])
    target = target_of(["fever day", "fever night", "fever week", "fever month", "day fever", "night fever"])
    once, twice = (Classifier(adopt=adopt, negatives=20).fit(pool, target).score(pool) for adopt in (0, 3))
    assert twice[6] - twice[9:].max() > once[6] - once[9:].max() + 1
    assert twice[6] > twice[9:].max()


@pytest.mark.parametrize("features", ["ngrams", "embeddings", "both"])
def test_the_classifier_separates_with_each_kind_of_feature(features: str) -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[text.count("fever") + 0.1, text.count("t"), 1] for text in texts], dtype=np.float32)

    selector = Classifier(embed, features=features).fit(POOL, target_of(TARGET_TEXTS))
    assert int(selector.score(POOL).argmax()) == 2
    reason = selector.reasons(POOL)[2]
    assert reason.startswith("p(target)=0.")
    assert ("'fever'" in reason) == (features != "embeddings")


def test_a_pool_larger_than_a_draw_is_drawn_several_times() -> None:
    texts = [f"word{i % 7} the stock fell" for i in range(60)] + ["fever"] * 5
    selector = Classifier(negatives=20, draws=2, seed=1).fit(from_columns("p", texts), target_of(TARGET_TEXTS))
    rows = selector._estimate._negative_rows(65)
    assert [len(draw) for draw in rows] == [20, 20]
    assert rows[0].tolist() != rows[1].tolist()
    assert selector.score(from_columns("q", ["fever", "stock"])).argmax() == 0

"""Selection by words, `tfidf` and `ngram`, against formulas computed apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.stats import zscore
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.similarity.ngram import Ngram, Standard
from acclimate.select.similarity.tfidf import Tfidf

POOL = from_columns("pool", ["the stock fell", "the bank the rate", "fever rose again", "rain fell", "rain on the bank"])
TARGET_TEXTS = ["the fever fell", "fever on scan", "scan again"]


def target_of(texts: list[str]) -> Target:
    domain = from_columns("t", texts, ["a"] * len(texts))
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), ("a",))


def shares(texts: list[str]) -> np.ndarray:
    """Word proportions of each text over the words of pool and target, ``(n, v)``, by scikit-learn."""
    vectorizer = CountVectorizer(token_pattern=r"\w+").fit([*POOL.texts, *TARGET_TEXTS])
    counts = vectorizer.transform(texts).toarray()
    return counts / counts.sum(axis=1, keepdims=True)


def test_tfidf_is_the_mean_of_the_largest_cosines_minus_twice_the_mean_cosine_to_the_pool() -> None:
    selector = Tfidf(k=2, contrast=2.0).fit(POOL, target_of(TARGET_TEXTS))
    reference = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, min_df=2, max_df=0.5)
    reference.fit([*POOL.texts, *TARGET_TEXTS])
    pool, target = reference.transform(POOL.texts), reference.transform(TARGET_TEXTS)
    nearest = np.sort(cosine_similarity(pool, target), axis=1)[:, -2:].mean(axis=1)
    assert selector.score(POOL) == pytest.approx(nearest - 2 * cosine_similarity(pool).mean(axis=1), abs=1e-9)


def test_tfidf_names_the_nearest_target_text_and_the_shared_words() -> None:
    selector = Tfidf().fit(POOL, target_of(TARGET_TEXTS))
    assert selector.reasons(POOL)[2].startswith("nearest=t:")
    assert "'fever'" in selector.reasons(from_columns("q", ["fever fever rain"]))[0]


def test_contrast_takes_the_advantage_from_words_that_the_whole_pool_uses() -> None:
    """Everyday words make five pool texts near to the target; the one that has its rare word wins only by contrast."""
    pool = from_columns("p", [*["day night"] * 5, "fever road", "road", *(f"stock{i} bond{i} bond{i}" for i in range(5))])
    target = target_of(["day night fever"] * 2)
    plain, contrasted = (Tfidf(contrast=contrast).fit(pool, target).score(pool) for contrast in (0.0, 2.0))
    assert plain.argmax() < 5
    assert contrasted.argmax() == 5


def test_ngram_in_the_papers_setting_is_one_minus_the_jensen_shannon_divergence() -> None:
    selector = Ngram("jensen-shannon", target_share=1, contrast=False, bigrams=False, diversity="none")
    scores = selector.fit(POOL, target_of(TARGET_TEXTS)).score(POOL)
    whole = shares([" ".join(TARGET_TEXTS)])[0]
    expected = [1 - distance.jensenshannon(row, whole, base=2) ** 2 for row in shares(POOL.texts)]
    assert scores == pytest.approx(zscore(expected), abs=1e-9)


def test_ngram_by_default_contrasts_renyi_of_the_smoothed_target_with_the_pool_and_adds_entropy() -> None:
    scores = Ngram(bigrams=False).fit(POOL, target_of(TARGET_TEXTS)).score(POOL)
    target, pool = (shares([" ".join(texts)])[0] for texts in (TARGET_TEXTS, POOL.texts))
    mixed = 0.1 * target + 0.9 * pool
    rows = shares(POOL.texts)
    alike = [np.log((row**0.99 * mixed**0.01).sum() / (row**0.99 * pool**0.01).sum()) / 0.01 for row in rows]
    entropies = [-(pool[row > 0] * np.log(pool[row > 0])).sum() for row in rows]
    # The divergence of the row from the pool is never negative, so neither logarithm is cut off here.
    assert scores == pytest.approx(zscore(alike) + 0.1 * zscore(entropies), abs=1e-9)


def test_ngram_scores_do_not_depend_on_the_order_of_the_source() -> None:
    forward = Ngram().fit(POOL, target_of(TARGET_TEXTS)).score(POOL)
    backward = Ngram().fit(POOL.take([4, 3, 2, 1, 0]), target_of(TARGET_TEXTS)).score(POOL)
    assert forward.tobytes() == backward.tobytes()


def test_a_feature_that_is_the_same_everywhere_becomes_zero() -> None:
    assert Standard.of(np.full(4, 3.0))(np.full(2, 3.0)).tolist() == [0, 0]


@pytest.mark.parametrize("similarity", ["jensen-shannon", "renyi", "bhattacharyya", "cosine", "euclidean", "variational"])
@pytest.mark.parametrize("diversity", ["none", "types", "type-token-ratio", "entropy", "simpson", "renyi-entropy"])
def test_every_pair_of_measures_finds_the_text_of_the_target(similarity: str, diversity: str) -> None:
    pool: Domain = from_columns("p", [*(f"stock bank rate {word}" for word in "abcdefgh"), "fever scan again"])
    scores = Ngram(similarity, diversity=diversity).fit(pool, target_of(TARGET_TEXTS)).score(pool)
    assert scores.argmax() == 8


def test_settings_that_mean_nothing_are_refused() -> None:
    for build in (lambda: Tfidf(k=0), lambda: Tfidf(contrast=-1), lambda: Ngram(target_share=0), lambda: Ngram("manhattan")):
        with pytest.raises(InputError, match="with"):
            build()

"""TF-IDF of words, for those who compare texts word by word."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

from acclimate.errors import InputError
from acclimate.features.tokenize import words

#: Tried in order: terms in at least 2 texts and at most half of them; where that leaves none (tiny domains), every term.
_DOCUMENT_FREQUENCIES: tuple[tuple[int, float], ...] = ((2, 0.5), (1, 1.0))


def fit_tfidf(texts: Sequence[str]) -> TfidfVectorizer:
    """Sublinear TF-IDF of the words of these texts, rows of length 1; a text's row depends on that text alone.

    Raises:
        InputError: no text has a word in it.

    >>> fit_tfidf(["a rose", "a rose is red", "a stone"]).get_feature_names_out().tolist()
    ['a', 'is', 'red', 'rose', 'stone']
    """
    for min_df, max_df in _DOCUMENT_FREQUENCIES:
        vectorizer = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=min_df, max_df=max_df)
        try:
            return vectorizer.fit(texts)
        except ValueError:
            continue  # scikit-learn's way of saying that no term is left
    raise InputError(
        "Neither the source nor the target has a word in it", expected="texts with words", fix="check which column holds the text"
    )

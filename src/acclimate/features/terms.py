"""TF-IDF of words: a text's row has the same bits whether it was seen while fitting or later, alone or among others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from acclimate.errors import InputError
from acclimate.features.tokenize import words

if TYPE_CHECKING:  # scikit-learn takes a second to load, which listings and streams of other methods should not pay
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

#: Tried in order: terms in at least 2 texts and at most half of them; where that leaves none (tiny domains), every term.
_DOCUMENT_FREQUENCIES: tuple[tuple[int, float], ...] = ((2, 0.5), (1, 1.0))


class Terms:
    """Sublinear TF-IDF of words, rows of unit length (Salton & Buckley 1988).

    Attributes:
        names: the term of each column, sorted.
    """

    def __init__(self, counter: CountVectorizer, weights: TfidfTransformer) -> None:
        self._counter, self._weights = counter, weights
        self.names: list[str] = counter.get_feature_names_out().tolist()

    @classmethod
    def fit(cls, texts: Sequence[str]) -> tuple[Self, csr_matrix]:
        """Learn the terms of ``n`` texts, those that tell texts apart where there are enough; also gives their rows ``(n, d)``.

        Raises:
            InputError: there is no word in any text.
        """
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        for min_df, max_df in _DOCUMENT_FREQUENCIES:
            counter = CountVectorizer(analyzer=words, min_df=min_df, max_df=max_df)
            try:
                counts = counter.fit_transform(texts)
            except ValueError:
                continue  # scikit-learn's way of saying that no term is left
            weights = TfidfTransformer(sublinear_tf=True)
            counts.sort_indices()  # fitting leaves another order in a row, and so another order of summation
            return cls(counter, weights.fit(counts)), csr_matrix(weights.transform(counts))
        raise InputError(
            "Neither the source nor the target has a word in it",
            expected="texts with words",
            fix="check the text column, or use a method on embeddings, such as knn",
        )

    def __call__(self, texts: Sequence[str]) -> csr_matrix:
        """``n`` texts to ``(n, d)``."""
        from scipy.sparse import csr_matrix

        if not texts:
            return csr_matrix((0, len(self.names)))
        counts = self._counter.transform(texts)
        counts.sort_indices()
        return csr_matrix(self._weights.transform(counts))

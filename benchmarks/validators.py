"""How often is a choice without labels worse than no choice? `make bench-validators`, a quarter of an hour on one core.

A cell is a source domain, a target domain and a seed, which draws the source and target rows; no arm sees a target label. Every arm
is fitted as `compare` fits it on frozen features (`labels: 0`), every validator scores every arm, and the target's test rows say
how accurate each arm is. What a validator chooses (the arm it ranks first; in a tie source only) is set against source only.

Sets: icwsm4 and blitzer_amazon (12 pairs each, MiniLM), zh_sentiment (a ring of 12, multilingual E5), digits (6 pairs, pixels),
pacs96 (12 pairs, EfficientNet-Lite0), and 20 Newsgroups (six tasks of two topics each way, TF-IDF in 256 directions).

Cells are kept in `runs/bench-validators`, so that a stopped run goes on. A full run also writes the table that the package carries
(`src/acclimate/evaluate/validators/failures.json`); `--seeds N` draws each cell N times,
`--pairs N` takes N pairs of each set at most;
`--quick` measures two cells of icwsm4 and digits, and leaves the package's table as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from acclimate.data.domain import Domain
from acclimate.data.packaged import newsgroups20
from acclimate.data.target import Sealed, Target
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.validators import METHODS
from acclimate.evaluate.validators.failures import Failures
from acclimate.features.base import Contents
from acclimate.features.embeddings import Embedder
from acclimate.strategy.arms import SOURCE_ONLY, Arm, Method, settings
from acclimate.strategy.plan import Plan
from acclimate.strategy.units import Bench
from benchmarks import domain_ranking
from benchmarks.common import keep, machine
from benchmarks.domain_ranking import Material, split
from benchmarks.pacs import FILE as PACS
from benchmarks.pacs import domain as pacs_domain

PARTS = Path("runs") / "bench-validators"
SHIPPED = Path(__file__).parents[1] / "src" / "acclimate" / "evaluate" / "validators" / "failures.json"
SEEDS = 2
#: Rows drawn for each cell: source, unlabelled target.
SOURCE, UNLABELLED = 500, 500
PLAIN = SOURCE_ONLY.name
ARMS = (
    *(
        Arm("all", target=False, features=Method(name, settings(given)))
        for name, given in (
            ("coral", {}),
            ("subspace", {}),
            ("tca", {}),
            ("self-training", {}),
            ("self-training", {"balance": False}),
        )
    ),
    *(
        Arm("selected", target=False, select=Method(name), budget=budget)
        for name, budget in (("classifier", "20%"), ("classifier", "50%"), ("knn", "50%"), ("centroid", "50%"))
    ),
    Arm("selected", target=False, select=Method("classifier"), budget="50%", features=Method("self-training")),
)
#: Two topics each: classes, their source groups, their target groups (the usual tasks on 20 Newsgroups).
GROUPS = {
    "comp": (("comp.graphics", "comp.os.ms-windows.misc"), ("comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware", "comp.windows.x")),
    "rec": (("rec.autos", "rec.motorcycles"), ("rec.sport.baseball", "rec.sport.hockey")),
    "sci": (("sci.crypt", "sci.electronics"), ("sci.med", "sci.space")),
    "talk": (("talk.politics.guns", "talk.politics.mideast"), ("talk.politics.misc", "talk.religion.misc")),
}
DIRECTIONS = 256

Pair = tuple[str, str]


class Kept:
    """The vectors of a set, kept in memory: a cell asks for each of them some hundred times."""

    def __init__(self, contents: Sequence[Any], vectors: NDArray[np.float32]) -> None:
        self._found = dict(zip(contents, vectors, strict=True))
        self._width = vectors.shape[1]

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        return np.array([self._found[one] for one in contents], dtype=np.float32).reshape(len(contents), self._width)


def directions(texts: Contents) -> NDArray[np.float32]:
    """Texts in the directions of most variance of their TF-IDF, ``(n, 256)``, fitted on all of them without labels."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, min_df=3, max_df=0.5)
    found: NDArray[np.float32] = (
        TruncatedSVD(DIRECTIONS, random_state=0).fit_transform(words.fit_transform(texts)).astype(np.float32)
    )
    return found


@functools.cache
def newsgroups() -> Material:
    """Each half of each task as a domain of two classes: ``comp-sci source``, ``comp-sci target``."""
    whole = newsgroups20("train")
    groups = np.array(whole.labels)
    halves = {}
    for one, other in itertools.combinations(GROUPS, 2):
        for half, name in enumerate(("source", "target")):
            rows = np.flatnonzero(np.isin(groups, [*GROUPS[one][half], *GROUPS[other][half]]))
            topics = [str(label).split(".")[0] for label in groups[rows]]
            halves[f"{one}-{other} {name}"] = whole.take(rows, f"{one}-{other} {name}").with_strings("label", topics)
    return Material("TF-IDF", directions, split(halves, 2000, 800))


@functools.cache
def pacs() -> Material:
    parts = {name: pacs_domain(name) for name in ("photo", "art_painting", "cartoon", "sketch")}
    found = {name: part for name, part in parts.items() if part is not None}
    return Material("asset:efficientnet-lite0", Embedder("asset:efficientnet-lite0"), split(found, 2000, 800))


@functools.cache
def material(name: str) -> Material:
    found = {"pacs96": pacs, "newsgroups": newsgroups, **domain_ranking.SETS}[name]()
    contents = list(dict.fromkeys(content for pair in found.parts.values() for part in pair for content in part.contents))
    return dataclasses.replace(found, embed=Kept(contents, found.embed(contents)))


def pairs(name: str) -> list[Pair]:
    """Source and target of every cell of a set."""
    domains = list(material(name).parts)
    if name == "newsgroups":
        tasks = dict.fromkeys(domain.split()[0] for domain in domains)
        return [
            (f"{task} {one}", f"{task} {other}") for task in tasks for one, other in (("source", "target"), ("target", "source"))
        ]
    if name == "zh":
        return list(zip(domains, [*domains[1:], domains[0]], strict=True))
    return list(itertools.permutations(domains, 2))


def spread(all_pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in an order in which the first ones have different sources and targets."""
    step = next(step for step in (5, 7, 1) if math.gcd(step, len(all_pairs)) == 1)
    return [all_pairs[step * place % len(all_pairs)] for place in range(len(all_pairs))]


def available() -> Iterator[str]:
    for name in ("icwsm4", "amazon", "digits", "newsgroups", "pacs96", "zh"):
        needs = {"amazon": "blitzer_amazon", "digits": "digits", "pacs96": "pacs96", "zh": "zh_sentiment"}
        place = PACS.parents[1] / needs[name] if name in needs else None
        if place is None or place.exists():
            yield name
        else:
            sys.stdout.write(f"skipped {name}: there is no '{place}'\n")


def plan(name: str, pair: Pair, seed: int) -> Plan:
    """The comparison of one cell: no target label is learned from."""
    parts, (source, target) = material(name).parts, pair
    rng = np.random.default_rng([seed, 5])

    def some(domain: Domain, most: int) -> Domain:
        return domain.take(np.sort(rng.permutation(len(domain))[:most]))

    learned, unlabelled = some(parts[source][0], SOURCE), some(parts[target][0], UNLABELLED)
    test = parts[target][1]
    known = test.take([row for row, label in enumerate(test.labels) if label in learned.classes])
    aim = Target(target, unlabelled.take([]), unlabelled.without_labels(), Sealed(known, "test"), learned.classes)
    return Plan(learned, aim, ARMS, _model(material(name)), labels=0, validator="entropy", confirm_seeds=0)


def _model(of: Material) -> str:
    """Whose tokens count; budgets are shares, so that it does not matter."""
    return of.features if of.features.startswith("asset:e") else "asset:minilm"


def carry_out(name: str, pair: Pair, seed: int) -> dict[str, Any]:
    """Accuracy and every validator's score of every arm in one cell."""
    asked = plan(name, pair, seed)
    bench = Bench(asked, material(name).embed, "", None)  # type: ignore[arg-type]  # whatever embeds serves
    begun = time.process_time()
    arms = {}
    for arm in asked.all_arms:
        unit = bench.carry_out(arm, "probe", seed)
        look = bench.seen(arm, seed, again=True)
        scores = {method: METHODS[method]().score(look) for method in METHODS}
        arms[arm.name] = {"accuracy": unit.facts["scores"]["test"]["accuracy"], **scores}
    facts = {"set": name, "source": pair[0], "target": pair[1], "seed": seed, "test": len(asked.target.test)}
    return {**facts, "arms": arms, "cpu_seconds": time.process_time() - begun}


def chosen(arms: Mapping[str, Mapping[str, float]], validator: str) -> str:
    """The arm ranked first; source only where none is ranked above it."""
    best = max(arms, key=lambda arm: (arms[arm][validator], arm == PLAIN))
    return best if arms[best][validator] > arms[PLAIN][validator] else PLAIN


def told(cells: Sequence[Mapping[str, Any]], validator: str) -> dict[str, Any]:
    """What choosing by a validator did over cells."""
    gains, possible, correlations, changed = [], [], [], 0
    for cell in cells:
        arms = cell["arms"]
        accuracy = {arm: figures["accuracy"] for arm, figures in arms.items()}
        pick = chosen(arms, validator)
        gains.append(accuracy[pick] - accuracy[PLAIN])
        possible.append(max(accuracy.values()) - accuracy[PLAIN])
        changed += pick != PLAIN
        scores = [figures[validator] for figures in arms.values()]
        if np.ptp(scores) > 0 and np.ptp(list(accuracy.values())) > 0:
            correlations.append(spearmanr(scores, list(accuracy.values())).statistic)
    return {
        "cells": len(cells),
        "worse": int(np.sum(np.array(gains) < 0)),
        "changed": changed,
        "gain": float(np.mean(gains)),
        "possible": float(np.mean(possible)),
        "correlation": float(np.mean(correlations)) if correlations else 0.0,
    }


def summary(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each validator, with its figures by set."""
    sets = list(dict.fromkeys(cell["set"] for cell in cells))
    rows = []
    for validator in METHODS:
        by_set = {name: told([cell for cell in cells if cell["set"] == name], validator) for name in sets}
        rows.append({"validator": validator, **told(cells, validator), "sets": by_set})
    return rows


def arms_told(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How each arm did by itself against source only."""
    rows = []
    for arm in cells[0]["arms"]:
        gains = [cell["arms"][arm]["accuracy"] - cell["arms"][PLAIN]["accuracy"] for cell in cells]
        rows.append({"arm": arm, "gain": float(np.mean(gains)), "worse": int(np.sum(np.array(gains) < 0))})
    return rows


def main() -> None:
    quick = "--quick" in sys.argv
    names = ["icwsm4", "digits"] if quick else list(available())
    seeds = int(sys.argv[sys.argv.index("--seeds") + 1]) if "--seeds" in sys.argv else 1 if quick else SEEDS
    most = int(sys.argv[sys.argv.index("--pairs") + 1]) if "--pairs" in sys.argv else 2 if quick else 12
    rounds = itertools.zip_longest(*([(name, pair) for pair in spread(pairs(name))[:most]] for name in names))
    some = [cell for turn in rounds for cell in turn if cell is not None]
    places = [(*cell, seed) for seed in range(seeds) for cell in some]
    cells = []
    for name, pair, seed in places:
        place = (
            PARTS
            / f"{content_hash('validators', name, pair, seed, SOURCE, UNLABELLED, [str(arm) for arm in ARMS], list(METHODS))}.json"
        )
        if not place.exists():
            with one_thread():
                write_json(place, carry_out(name, pair, seed))
        cell = read_json(place)
        cells.append(cell)
        picks = ", ".join(f"{method}: {chosen(cell['arms'], method)}" for method in METHODS)
        sys.stdout.write(f"{name} {'→'.join(pair)}, seed {seed}, {cell['cpu_seconds']:.0f} CPU s: {picks}\n")
        sys.stdout.flush()
    rows = summary(cells)
    figures = {"seeds": seeds, "source": SOURCE, "unlabelled": UNLABELLED, "arms": arms_told(cells), "rows": rows}
    for row in rows:
        sys.stdout.write(f"{ {key: value for key, value in row.items() if key != 'sets'} }\n")
    if not quick:
        ship(rows)
    keep("validators-quick" if quick else "validators", **figures, cells=cells)


def ship(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table that the package carries."""
    names = [field.name for field in dataclasses.fields(Failures) if field.name != "validator"]
    facts = machine()
    write_json(
        SHIPPED,
        {
            "measured": {"date": facts["date"], "benchmark": "make bench-validators", "sets": list(rows[0]["sets"])},
            "validators": {row["validator"]: {name: row[name] for name in names} for row in rows},
        },
    )


if __name__ == "__main__":
    main()

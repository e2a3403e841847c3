"""Do scores of whole domains foretell which source helps? `make bench-domain-ranking`, minutes once texts are embedded.

For each target domain, every other domain of its set is a source. The truth is the accuracy, on the target's test rows, of a probe
trained on all labelled examples of the source. Every score sees the sources and 100 labelled target examples (and others without
labels), drawn anew for each seed. What is reported is how well the order of the sources by score agrees with the order by truth.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata, spearmanr

from acclimate.data.domain import Domain, concatenate, from_columns, from_images
from acclimate.data.packaged import icwsm4
from acclimate.data.split import stratified_draw
from acclimate.data.target import Sealed, Target
from acclimate.engine.build import build
from acclimate.engine.storage import read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.bootstrap import bootstrap_interval
from acclimate.features.base import Contents, Embed
from acclimate.features.embeddings import Embedder
from acclimate.select import METHODS
from acclimate.select.base import Toolbox
from acclimate.select.task.rank import ACCURACY, accuracies, remembering
from acclimate.tune.learner import ProbeLearner
from benchmarks.common import RESULTS, keep
from benchmarks.pacs import FILE as PACS

DATA = PACS.parents[1]
#: Labelled examples of the target, and at most so many without labels.
LABELS, UNLABELLED = 100, 500
SEEDS = 10
#: Score to selector and settings; intervals are left out, which moves no score.
SCORES: dict[str, tuple[str, dict[str, Any]]] = {
    "logme": ("logme", {"resamples": 2}),
    "leep": ("leep", {"resamples": 2}),
    "nce": ("nce", {"resamples": 2}),
    "h-score": ("h-score", {"resamples": 2}),
    "transrate": ("transrate", {"resamples": 2}),
    "otdd": ("otdd", {"resamples": 2}),
    "task2vec": ("task2vec", {"resamples": 2}),
    **{f"domain-rank, {measure}": ("domain-rank", {"measure": measure, "resamples": 0}) for measure in ("mmd", "proxy-a", "coral")},
    "domain-rank, divergence": ("domain-rank", {"measure": "divergence", "resamples": 0}),
}
#: Mean ranks over several scores.
MEANS: dict[str, tuple[str, ...]] = {
    "mean rank: logme, leep, nce, h-score, transrate": ("logme", "leep", "nce", "h-score", "transrate"),
    "mean rank: accuracy, domain-rank mmd": (ACCURACY, "domain-rank, mmd"),
    "mean rank: all that rank_domains takes": (
        ACCURACY, "logme", "leep", "nce", "h-score", "transrate", "otdd", "task2vec", "domain-rank, mmd",
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Material:
    """Domains, each with its training rows and its test rows, and how they are embedded."""

    features: str
    embed: Embed
    parts: Mapping[str, tuple[Domain, Domain]]


def split(domains: Mapping[str, Domain], rows: int, test: int) -> dict[str, tuple[Domain, Domain]]:
    """At most ``rows`` random rows of each domain, of which at most ``test``, and at most 40%, are for testing."""
    parts = {}
    for name, domain in domains.items():
        order = np.random.default_rng(0).permutation(len(domain))[:rows]
        cut = min(test, int(0.4 * len(order)))
        parts[name] = domain.take(order[cut:], name), domain.take(order[:cut], name)
    return parts


def _table(path: Path, named: str) -> dict[str, Domain]:
    rows = pq.read_table(path).to_pandas().drop_duplicates("text").reset_index(drop=True)
    found = {}
    for name, part in rows.groupby("domain"):
        ids = [f"{named}:{row}" for row in part.index]
        labels = part["label"].astype(str).tolist()
        found[str(name)] = from_columns(str(name), part["text"].tolist(), labels, ids=ids, domains=[str(name)] * len(part))
    return found


def amazon() -> Material:
    domains = _table(DATA / "blitzer_amazon" / "data.parquet", "amazon")
    return Material("asset:minilm", Embedder("asset:minilm"), split(domains, 2000, 800))


def opinions() -> Material:
    return Material("asset:minilm", Embedder("asset:minilm"), split(icwsm4(), 2000, 800))


def chinese() -> Material:
    domains = _table(DATA / "zh_sentiment" / "data.parquet", "zh")
    return Material("asset:e5-small", Embedder("asset:e5-small"), split(domains, 600, 240))


def digits() -> Material:
    """Pixels, scaled to 16 by 16, as bytes; no model, so the shift is that of the scans themselves."""
    from PIL import Image

    folder = DATA / "digits"
    names = {"mnist": ("x_train", "y_train"), "usps": ("x_train", "y_train"), "optdigits": ("x", "y")}
    domains = {}
    for name, (x, y) in names.items():
        with np.load(folder / f"{name}.npz") as file:
            pictures, labels = file[x], file[y]
        chosen = np.random.default_rng(0).permutation(len(pictures))[:2000]
        scale = 255 / pictures.max()
        margin = 4 if name == "mnist" else 0  # the others fill their frame
        small = []
        for row in chosen:
            picture = (pictures[row] * scale).astype(np.uint8)
            inside = picture[margin : len(picture) - margin, margin : len(picture) - margin]
            small.append(np.asarray(Image.fromarray(inside).resize((16, 16))))
        ids = [f"{name}:{row}" for row in chosen]
        contents = [picture.tobytes() for picture in small]
        domains[name] = from_images(name, contents, [str(labels[row]) for row in chosen], ids=ids, domains=[name] * len(chosen))
    return Material("pixels, 16 x 16", pixels, split(domains, 2000, 800))


def pixels(contents: Contents) -> NDArray[np.float32]:
    """The bytes of 16 by 16 pictures as ``(n, 256)`` from 0 to 1."""
    return np.array([np.frombuffer(bytes(content), np.uint8) for content in contents], dtype=np.float32) / 255  # type: ignore[arg-type]


SETS: dict[str, Callable[[], Material]] = {"amazon": amazon, "icwsm4": opinions, "zh": chinese, "digits": digits}


def truth(material: Material, target: str) -> dict[str, float]:
    """The accuracy on the target's test rows of a probe trained on each other domain."""
    test = material.parts[target][1]
    wanted = np.array(test.labels)
    learner = ProbeLearner(material.embed)
    found = {}
    for name in material.parts:
        if name != target:
            source = whole(material, name)
            scorer = learner.fit(source, source.classes)
            found[name] = float((np.array(scorer.classes)[scorer.predict_proba(test).argmax(axis=1)] == wanted).mean())
    return found


def whole(material: Material, name: str) -> Domain:
    return concatenate(name, material.parts[name])


def make_target(material: Material, target: str, seed: int) -> Target:
    """100 labelled examples drawn by the seed, and others without labels."""
    train, test = material.parts[target]
    drawn, rest = stratified_draw(train, LABELS, seed)
    others = np.random.default_rng(seed).permutation(rest)[:UNLABELLED]
    return Target(target, train.take(drawn), train.take(others).without_labels(), Sealed(test, "test"), train.classes)


def scores_of(names: Sequence[str], tools: Toolbox, source: Domain, target: Target) -> dict[str, list[float]]:
    """Each score of the sources ``names``."""
    found = {ACCURACY: accuracies(tools.learner, source, target, resamples=2)}  # type: ignore[arg-type]
    for score, (method, settings) in SCORES.items():
        if source.modality == "image" and settings.get("measure") == "divergence":
            continue
        found[score] = build(METHODS, "selector", method, settings, tools.provided).fit(source, target).domains  # type: ignore[attr-defined]
    values = {score: {domain.name: domain.score for domain in domains} for score, domains in found.items()}
    return {score: [by_name[name] for name in names] for score, by_name in values.items()}


def measure(name: str, seeds: int, cells: dict[str, Any], place: Path) -> None:
    """Truth and scores of every target of a set, written to ``cells`` one by one."""
    material = SETS[name]()
    known: dict[str | bytes, NDArray[np.float32]] = {}

    def embed(contents: Contents) -> NDArray[np.float32]:
        missing = list(dict.fromkeys(content for content in contents if content not in known))
        known.update(zip(missing, material.embed(missing) if missing else (), strict=True))  # type: ignore[arg-type]
        return np.array([known[content] for content in contents])

    quick = dataclasses.replace(material, embed=embed)
    learner = remembering(ProbeLearner(embed))
    for target in material.parts:
        key = f"{name}|{target}"
        if key in cells:
            continue
        started = time.process_time()
        true = truth(quick, target)
        source = concatenate("pool", [whole(quick, other) for other in true])
        tools = Toolbox(embed, learner=learner)
        runs = [scores_of(list(true), tools, source, make_target(quick, target, seed)) for seed in range(seeds)]
        seconds = time.process_time() - started
        cells[key] = {
            "features": material.features,
            "sources": list(true),
            "truth": list(true.values()),
            "scores": runs,
            "cpu_seconds": seconds,
        }
        write_json(place, cells)  # a stopped run goes on from here
        reached = ", ".join(f"{other} {100 * value:.1f}" for other, value in true.items())
        sys.stdout.write(f"{key}: {reached} in {seconds:.0f} s\n")
        sys.stdout.flush()


def correlation(kind: Callable[..., Any], one: Sequence[float], other: Sequence[float]) -> float:
    """A rank correlation; 0 where one side is constant."""
    value = float(kind(one, other).statistic) if np.ptp(one) > 0 and np.ptp(other) > 0 else 0.0
    return value if np.isfinite(value) else 0.0


def with_means(run: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """The scores of a run and the mean ranks over several of them, higher is better."""
    ranks = {score: rankdata(values) for score, values in run.items()}
    means = {name: np.mean([ranks[score] for score in group], axis=0).tolist() for name, group in MEANS.items()}
    return {**run, **means}


def summary(cells: Mapping[str, Any], sets: Sequence[str]) -> list[dict[str, Any]]:
    """For each score: correlations with the truth, over targets and seeds with an interval, and the regret of its first choice."""
    here = {key: cell for key, cell in cells.items() if key.split("|")[0] in sets}
    names = dict.fromkeys(score for cell in here.values() for score in with_means(cell["scores"][0]))
    rows = []
    for score in names:
        entries = []
        for key, cell in here.items():
            true = cell["truth"]
            for seed, run in enumerate(cell["scores"]):
                values = with_means(run).get(score)
                if values is not None:
                    chosen = float(np.mean([true[row] for row in np.flatnonzero(np.array(values) == max(values))]))
                    entries.append((key, seed, correlation(spearmanr, values, true), correlation(kendalltau, values, true),
                                    100 * (max(true) - chosen), 100 * (max(true) - float(np.mean(true)))))  # fmt: skip
        keys, seeds, spearman, kendall, regret, random_regret = zip(*entries, strict=True)
        interval = bootstrap_interval(keys, seeds, spearman)
        rows.append(
            {
                "set": "+".join(sets),
                "score": score,
                "spearman": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "kendall": float(np.mean(kendall)),
                "pooled": pooled(here, score) if len(sets) == 1 else None,
                "regret": float(np.mean(regret)),
                "random_regret": float(np.mean(random_regret)),
                "targets": len(set(keys)),
            }
        )
    return rows


def pooled(cells: Mapping[str, Any], score: str) -> float | None:
    """Spearman's correlation over all pairs of a set, mean over seeds; None for mean ranks, which mean nothing across targets."""
    runs = [cell["scores"] for cell in cells.values()]
    if any(score not in run[0] for run in runs):
        return None
    true = [value for cell in cells.values() for value in cell["truth"]]
    over = [correlation(spearmanr, [v for run in runs for v in run[seed][score]], true) for seed in range(len(runs[0]))]
    return float(np.mean(over))


def main() -> None:
    quick = "--quick" in sys.argv
    name = "domain-ranking-quick" if quick else "domain-ranking"
    place = RESULTS / f"{name}.part.json"
    cells: dict[str, Any] = read_json(place) if place.exists() else {}
    seeds = 2 if quick else SEEDS
    for data in ("icwsm4",) if quick else SETS:
        try:
            with one_thread():
                measure(data, seeds, cells, place)
        except FileNotFoundError as error:
            sys.stdout.write(f"{data} is left out: {error}\n")
    there = [data for data in SETS if any(key.startswith(f"{data}|") for key in cells)]
    rows = [row for data in there for row in summary(cells, [data])]
    if len(there) > 1:
        rows += summary(cells, there)
    for row in rows:
        sys.stdout.write(f"{row['set']:24} {row['score']:48} {row['spearman']:6.2f} ({row['low']:5.2f} to {row['high']:5.2f})  "
                         f"regret {row['regret']:4.1f} of {row['random_regret']:4.1f}\n")  # fmt: skip
    facts = {data: _facts(cells, data) for data in there}
    keep(name, labels=LABELS, seeds=seeds, sets=facts, rows=rows)
    place.unlink(missing_ok=True)


def _facts(cells: Mapping[str, Any], data: str) -> dict[str, Any]:
    """Features, CPU seconds, and the accuracy from each source (inner) to each target (outer)."""
    here = {key.split("|")[1]: cell for key, cell in cells.items() if key.startswith(f"{data}|")}
    return {
        "features": next(iter(here.values()))["features"],
        "cpu_seconds": sum(cell["cpu_seconds"] for cell in here.values()),
        "accuracy": {target: dict(zip(cell["sources"], cell["truth"], strict=True)) for target, cell in here.items()},
    }


if __name__ == "__main__":
    main()

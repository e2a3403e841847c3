"""Sentiment across Amazon's domains without target labels (Blitzer 2007, 12 pairs). `make bench-amazon`, some hours on one core.

Two parts. TF-IDF with logistic regression, and with self-training, in three minutes: figures to reproduce. Then MiniLM, fine-tuned
on 2,000 reviews of the source, the target's 2,000 seen without labels, tested on those 2,000: source only, alignment, tapt,
self-training, and the two together; one seed (`--seeds N` for more) of 100 steps of 16. Nothing is chosen by target labels.

Cells are kept in `runs/bench-amazon`, so that a stopped run goes on; `--part 0/2` and `--part 1/2` share them between two
processes. `--quick` runs MiniLM on two pairs of little data; `--tfidf` only the first part. Skipped where the data is absent.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.domain import from_columns
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.verdict import verdicts
from acclimate.tune.examples import Examples
from acclimate.tune.learn.base import Training
from acclimate.tune.learn.pseudo_labels import by_prior
from acclimate.tune.learn.stages import Corpora, build_stages, train_after
from acclimate.tune.run import build_course
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from benchmarks.common import keep
from benchmarks.pacs import FILE as _PACS

FILE = _PACS.parents[1] / "blitzer_amazon" / "data.parquet"
PARTS = Path("runs") / "bench-amazon"
CLASSES = ("negative", "positive")
PLAIN = "source only"
SETTINGS = {"steps": 100, "batch_size": 16, "lr": 1e-4}
QUICK = {"steps": 4, "batch_size": 8, "lr": 1e-4}
#: Rounds of self-training on TF-IDF, and the inverse penalty of its logistic regression.
ROUNDS, PENALTY = 5, 10.0
REFERENCE = {"TF-IDF": 75.1, "TF-IDF + self-training": 79.2}
#: It takes twice the steps of fine-tuning.
TAPT = {"method": "tapt", "max_length": 128}
SELF_TRAINING = {"method": "self-training", "rounds": 2, "share": 1.0, "prior": True}
ARMS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "dan": {"terms": [{"method": "dan", "weight": 0.3}]},
    "dann": {"terms": [{"method": "dann", "weight": 0.3}]},
    "tapt": {"stages": [TAPT]},
    "self-training": {"course": SELF_TRAINING},
    "tapt + self-training": {"stages": [TAPT], "course": SELF_TRAINING},
}

Part = tuple[list[str], NDArray[np.int64]]


def main() -> None:
    if not FILE.exists():
        sys.stdout.write(f"skipped: there is no '{FILE}'\n")
        return
    quick = "--quick" in sys.argv
    domains = read()
    pairs = list(itertools.permutations(domains, 2))
    with one_thread():
        shallow = [tfidf(pair, domains[pair[0]], domains[pair[1]]) for pair in pairs[: 2 if quick else None]]
    seeds = int(sys.argv[sys.argv.index("--seeds") + 1]) if "--seeds" in sys.argv else 1
    deep: list[dict[str, Any]] = []
    if "--tfidf" not in sys.argv:
        deep = minilm(pairs[: 2 if quick else None], domains, seeds, quick)
    part = "--part" in sys.argv
    if not part:
        name = "amazon-quick" if quick else "amazon"
        keep(name, seeds=seeds, settings=SETTINGS, rounds=ROUNDS, reference=REFERENCE, shallow=shallow, deep=deep)


def read() -> dict[str, Part]:
    """Texts and labels by domain, in order of name."""
    table = pq.read_table(FILE, columns=["text", "label", "domain"]).to_pydict()
    found = {}
    for name in sorted(set(table["domain"])):
        rows = [row for row, domain in enumerate(table["domain"]) if domain == name]
        found[name] = [table["text"][row] for row in rows], np.asarray([int(table["label"][row]) for row in rows])
    return found


def tfidf(pair: tuple[str, str], source: Part, target: Part) -> dict[str, Any]:
    """Accuracy in percent of logistic regression on words and pairs of words, and after rounds of its own guesses."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).fit([*source[0], *target[0]])
    features, others = words.transform(source[0]), words.transform(target[0])
    model = LogisticRegression(C=PENALTY, max_iter=1_000).fit(features, source[1])
    plain = model.score(others, target[1])
    prior = np.bincount(source[1], minlength=2) / len(source[1])
    for number in range(1, ROUNDS + 1):
        rows, labels = by_prior(model.predict_proba(others), number / ROUNDS, prior)
        learned = vstack([features, others[rows]]), np.concatenate([source[1], labels])
        model = LogisticRegression(C=PENALTY, max_iter=1_000).fit(*learned)
    found = {"TF-IDF": 100 * plain, "TF-IDF + self-training": 100 * model.score(others, target[1])}
    sys.stdout.write(f"{'→'.join(pair)}: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()) + "\n")
    sys.stdout.flush()
    return {"pair": "→".join(pair), **found}


def minilm(pairs: list[tuple[str, str]], domains: Mapping[str, Part], seeds: int, quick: bool) -> list[dict[str, Any]]:
    """Every arm on every pair with every seed, kept cell by cell."""
    settings, most = (QUICK, 40) if quick else (SETTINGS, None)
    number, parts = (int(one) for one in (sys.argv[sys.argv.index("--part") + 1] if "--part" in sys.argv else "0/1").split("/"))
    done: dict[tuple[str, int, str], dict[str, Any]] = {}
    places = [(pair, seed, arm) for seed in range(seeds) for pair in pairs for arm in ARMS]
    for count, (pair, seed, arm) in enumerate(places):
        place = PARTS / f"{content_hash('amazon', pair, ARMS[arm], seed, settings, most)}.json"
        if not place.exists():
            if count % parts != number:
                continue
            with one_thread():
                write_json(place, carry_out(ARMS[arm], cut(domains[pair[0]], most), cut(domains[pair[1]], most), seed, settings))
        cell = done["→".join(pair), seed, arm] = read_json(place)
        sys.stdout.write(f"{'→'.join(pair)}, seed {seed}, {arm}: {np.mean(cell['correct']):.3f}\n")
        sys.stdout.flush()
    return [] if parts > 1 else summary(done, ["→".join(pair) for pair in pairs], seeds, list(ARMS))


def cut(part: Part, most: int | None) -> Part:
    """Of a domain, so many examples spread over it."""
    rows = np.linspace(0, len(part[0]) - 1, most or len(part[0])).astype(int)
    return [part[0][row] for row in rows], part[1][rows]


def carry_out(spec: Mapping[str, Any], source: Part, target: Part, seed: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train once; which target reviews are right, and what it cost."""
    count = len(source[0])
    given = Examples(source[0], source[1], np.ones(count), np.zeros(count, dtype=bool), target[0])
    begun = time.process_time()
    training = Training("asset:minilm", given, CLASSES, TuneSettings.of(settings), build_terms(spec.get("terms", ())), seed)
    course = build_course(spec["course"]) if "course" in spec else None
    texts = Corpora(from_columns("target", target[0]))
    model = train_after(
        build_stages([{**stage, "steps": 2 * settings["steps"]} for stage in spec.get("stages", ())]), texts, training, course
    )
    spent = time.process_time() - begun
    return {"correct": (model.predict_proba(target[0]).argmax(1) == target[1]).astype(int).tolist(), "cpu_seconds": spent}


def summary(
    done: Mapping[tuple[str, int, str], Mapping[str, Any]], pairs: list[str], seeds: int, arms: list[str]
) -> list[dict[str, Any]]:
    """A row for each arm: accuracy by pair, mean difference from its own source-only, and on how many pairs it is worse."""
    rows = []
    for arm in arms:
        by_pair = {}
        for pair in pairs:
            mine = [np.asarray(done[pair, seed, arm]["correct"]) for seed in range(seeds)]
            plain = [np.asarray(done[pair, seed, PLAIN]["correct"]) for seed in range(seeds)]
            items = np.tile(np.arange(len(mine[0])), seeds), np.repeat(np.arange(seeds), len(mine[0]))
            difference = np.concatenate(mine) - np.concatenate(plain)
            word = "–" if arm == PLAIN else verdicts({arm: (*items, difference)}, PLAIN)[0].verdict
            by_pair[pair] = {"accuracy": 100 * float(np.mean(mine)), "difference": 100 * float(difference.mean()), "verdict": word}
        rows.append(
            {
                "arm": arm,
                "pairs": by_pair,
                "accuracy": float(np.mean([cell["accuracy"] for cell in by_pair.values()])),
                "difference": float(np.mean([cell["difference"] for cell in by_pair.values()])),
                "worse": sum(cell["difference"] < 0 for cell in by_pair.values()),
                "hurt": sum(cell["verdict"] == "hurt" for cell in by_pair.values()),
                "cpu_seconds": float(np.mean([done[pair, seed, arm]["cpu_seconds"] for pair in pairs for seed in range(seeds)])),
            }
        )
    return rows


if __name__ == "__main__":
    main()

"""Does augmentation help? `make bench-augment-gain`, about an hour on two cores; a stopped run goes on.

Every registered augmenter that needs no large model (others with `--methods NAME,NAME`) against no augmentation, at three sizes:
icwsm4 and blitzer_amazon at 20, 100, 500 labels (frozen MiniLM), digits (mnist5k as source; optdigits, USPS as targets; pixels) and
pacs96 at 5, 20, 100 labels a class (frozen EfficientNet-Lite0); all under logistic regression. Guards stand at their defaults, but
without a teacher; "eda, no guards" leaves them out. Mixup mixes the frozen features. Paired over the same test examples and seeds
and judged as every comparison here is (`evaluate/verdict.py`), Holm over the methods of a problem and size. "best three" are the
three with the highest mean accuracy out of fold on the labels learned from; the test chooses nothing. More rows also mean weaker
regularisation, so a second control, "labels repeated", gives each label the weight of itself and its children.

Last, the known small-data gain of EDA: 20 Newsgroups, 20 and 100 documents a class, four children each, TF-IDF and logistic
regression (+0.58 ± .18 and +0.22 ± .12), beside the gain of merely repeating the documents.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from acclimate.augment import METHODS, ONLINE
from acclimate.augment.guard.base import parents_of
from acclimate.augment.mix.mixup import mix_rows
from acclimate.augment.policy import is_light
from acclimate.augment.run import grow
from acclimate.data.domain import Domain, from_images
from acclimate.data.hygiene import clean
from acclimate.data.images import decoded, encoded
from acclimate.data.load import load
from acclimate.data.make import make_target
from acclimate.data.packaged import icwsm4, mnist5k, newsgroups20, optdigits
from acclimate.data.split import k_folds, stratified_draw
from acclimate.data.target import Target
from acclimate.engine.local import cores, map_ordered
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.errors import AcclimateError
from acclimate.evaluate.measure import evaluate
from acclimate.evaluate.verdict import Comparison, verdicts
from acclimate.features.base import Contents, Embed
from acclimate.features.embeddings import Embedder
from acclimate.tune.probe import Probe, unit_rows
from benchmarks.common import keep

SHARED = Path(__file__).parents[2] / "shared" / "data"
PARTS = Path("runs") / "bench-augment-gain"
SEEDS, TEST, FOLDS = 5, 1000, 3
#: New examples for each one, by size: fewer where there are many.
TIMES = {20: 4, 100: 4, 500: 2, 5: 4}
TEXT_SIZES, IMAGE_SIZES = (20, 100, 500), (5, 20, 100)
NONE, BEST = "none", "best three"
#: The labels alone, each weighing as much as itself and its children would: what weaker regularisation alone gives.
REPEAT = "labels repeated"
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {"eda, no guards": ("eda", {"guard": "none"})}
#: Documents a class of 20 Newsgroups, and the inverse penalties of logistic regression: 1 is scikit-learn's default, under which
#: five times as many rows are a weaker penalty first of all; at 10 the penalty matters little.
PENALTIES = {20: (1.0, 10.0), 100: (10.0,)}
#: Side of the pictures of digits, as pixels that logistic regression reads.
SIDE = 16

Cell = tuple[str, int, str]
Kind = Literal["text", "image"]


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A target, what reads it, and source examples that are always learned from (empty for none)."""

    target: Target
    embed: Embed
    kind: Kind
    source: Domain | None = None
    per_class: bool = False

    def labels(self, size: int) -> int:
        return size * len(self.target.classes) if self.per_class else size


class Pixels:
    """Pictures as grey values of :data:`SIDE` × :data:`SIDE`, ``(n, SIDE²)``."""

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        shades = [np.asarray(decoded(bytes(one)).convert("L").resize((SIDE, SIDE))) for one in contents]  # type: ignore[arg-type]
        return np.array(shades, dtype=np.float32).reshape(len(contents), SIDE * SIDE) / 255


@functools.cache
def problem(name: str) -> Problem:
    """One of :func:`names`, cleaned of what repeats its test."""
    data, _, part = name.partition(" ")
    if data == "icwsm4":
        target = make_target(icwsm4()[part], test=TEST)
        return Problem(clean(None, target)[1], Embedder(), "text")
    if data == "blitzer":
        whole = load(SHARED / "blitzer_amazon" / "data.parquet", text="text", label="label", domain="domain")
        target = make_target(_part(whole, part), test=TEST)
        return Problem(clean(None, target)[1], Embedder(max_length=128), "text")
    if data == "digits":
        domain = optdigits() if part == "optdigits" else _usps()
        drawn, _ = stratified_draw(mnist5k(), 1000, 0)
        return Problem(make_target(domain, test=0.4), Pixels(), "image", mnist5k().take(drawn), per_class=True)
    whole = load(SHARED / "pacs96" / "data.parquet", image="image", label="label", domain="domain")
    return Problem(make_target(_part(whole, part), test=TEST), Embedder("asset:efficientnet-lite0"), "image", per_class=True)


def _part(whole: Domain, name: str) -> Domain:
    return whole.take(np.flatnonzero(np.array(whole.domains) == name), name)


def _usps() -> Domain:
    found = np.load(SHARED / "digits" / "usps.npz")
    return from_images("usps", [encoded(one) for one in found["x_test"]], [str(label) for label in found["y_test"]])


def names() -> list[str]:
    """Problems whose data is here."""
    found = ["icwsm4 nyt", "icwsm4 tweets", "blitzer kitchen", "digits optdigits", "digits usps", "pacs96 cartoon"]
    needs = {"blitzer": "blitzer_amazon", "digits usps": "digits", "pacs96": "pacs96"}
    absent = [
        name for name in found if any(name.startswith(key) and not (SHARED / folder).exists() for key, folder in needs.items())
    ]
    for name in absent:
        sys.stdout.write(f"skipped {name}: its data is not in '{SHARED}'\n")
    return [name for name in found if name not in absent]


def methods(kind: Kind) -> list[str]:
    """What is compared with no augmentation: looked up now, so that whatever is registered is here."""
    wanted = sys.argv[sys.argv.index("--methods") + 1].split(",") if "--methods" in sys.argv else []
    found = [name for name in METHODS if kind in METHODS[name].modality and (is_light(name) or name in wanted)]
    variants = [name for name, (method, _) in VARIANTS.items() if method in found]
    return [REPEAT, *found, *variants, *(["mixup"] if "mixup" in ONLINE else [])]


def grown(method: str, view: Target, size: int, seed: int) -> Domain:
    """The new examples of one method."""
    name, settings = VARIANTS.get(method, (method, {}))
    return grow(view, method=name, times=TIMES[size], seed=seed, **settings).kept


def carry_out(cell: Cell) -> Cell:
    """One method on one problem at one size, over all seeds: what was right, accuracy out of fold, CPU seconds."""
    name, size, method = cell
    at = problem(name)
    correct, folded, seconds, made, ids = [], [], 0.0, 0, []
    try:
        for seed in range(_seeds()):
            view = at.target.draw(at.labels(size), seed)
            started = time.process_time()
            with one_thread():
                parts = [grown(part, view, size, seed) for part in _parts(method, name, size)]
                seconds += time.process_time() - started
                made += sum(map(len, parts))
                weight = 1.0 + TIMES[size] if method == REPEAT else 1.0
                learned = _Learned(at, view.classes, "mixup" in _members(method, name, size), seed, weight)
                scores = evaluate(learned.fit(view.labelled, parts), view)
                folded.append(_out_of_fold(learned, view, parts, seed))
            ids = scores.ids
            correct.append(scores.correct.astype(int).tolist())
    except AcclimateError as error:
        write_json(place(cell), {"cell": cell, "skipped": str(error)})
        return cell
    figures = {"ids": ids, "correct": correct, "folded": folded, "cpu_seconds": seconds / _seeds(), "made": made / _seeds()}
    write_json(place(cell), {"cell": cell, **figures})
    return cell


def _members(method: str, name: str, size: int) -> list[str]:
    """The methods behind a name: itself, or the three best out of fold."""
    if method != BEST:
        return [method]
    found = {other: read_json(place((name, size, other))) for other in methods(problem(name).kind)}
    scores = {
        other: float(np.mean(done["folded"]))
        for other, done in found.items()
        if "folded" in done and other not in (*VARIANTS, REPEAT)
    }
    return sorted(scores, key=lambda other: -scores[other])[:3]


def _parts(method: str, name: str, size: int) -> list[str]:
    return [part for part in _members(method, name, size) if part not in (NONE, REPEAT, "mixup")]


@dataclasses.dataclass(frozen=True, eq=False)
class _Learned:
    """Frozen features under logistic regression."""

    at: Problem
    classes: tuple[str, ...]
    mixes: bool
    seed: int
    weight: float = 1.0
    probe: Probe | None = None

    def fit(self, labelled: Domain, parts: Sequence[Domain]) -> _Learned:
        domains = [labelled, *(part for part in parts if len(part)), *([self.at.source] if self.at.source is not None else [])]
        features = np.concatenate([unit_rows(self.at.embed(part.contents)) for part in domains])
        codes = np.array([self.classes.index(str(label)) for part in domains for label in part.labels])
        weights = np.ones(len(codes))
        weights[: len(labelled)] = self.weight
        targets: NDArray[Any] = codes
        if self.mixes:
            rng = np.random.default_rng(self.seed)
            mixed = mix_rows(features, np.eye(len(self.classes))[codes], weights, ONLINE["mixup"]().alpha, rng)
            plain = (features, np.eye(len(self.classes))[codes], weights)
            features, targets, weights = (np.concatenate(pair) for pair in zip(plain, mixed, strict=True))
        return dataclasses.replace(self, probe=Probe().fit(features, targets, len(self.classes), weights))

    def predict_proba(self, contents: Sequence[Any]) -> NDArray[np.float64]:
        assert self.probe is not None
        return self.probe.predict_proba(self.at.embed(contents))


def _out_of_fold(learned: _Learned, view: Target, parts: Sequence[Domain], seed: int) -> float:
    """Accuracy on each third of the labels of a probe that saw neither it nor its children."""
    hits = 0
    for train, held in k_folds(view.labelled, min(FOLDS, min(view.labelled.labels.count(c) for c in view.classes)), seed):
        hidden = {view.labelled.ids[row] for row in held}
        left = [part.take([row for row, of in enumerate(parents_of(part)) if hidden.isdisjoint(of)]) for part in parts]
        model = learned.fit(view.labelled.take(train), left)
        out = view.labelled.take(held)
        predicted = model.predict_proba(out.contents).argmax(axis=1)
        hits += sum(view.classes[code] == label for code, label in zip(predicted.tolist(), out.labels, strict=True))
    return hits / len(view.labelled)


def _seeds() -> int:
    return 2 if "--quick" in sys.argv else SEEDS


def place(cell: Cell) -> Path:
    """Where a finished cell lies."""
    return PARTS / f"{content_hash(list(cell), _seeds())}.json"


def against(done: Mapping[str, Any], control: str) -> list[Comparison]:
    """Every method against one control on one problem at one size."""
    ids = done[control]["ids"]
    items, seeds = np.tile(ids, _seeds()), np.repeat(np.arange(_seeds()), len(ids))
    flat = {name: np.concatenate([np.array(row) for row in found["correct"]]) for name, found in done.items() if "correct" in found}
    return verdicts({name: (items, seeds, flat[name] - flat[control]) for name in flat if name not in (NONE, control)}, control)


def eda_on_newsgroups(a_class: int, seed: int) -> list[dict[str, float]]:
    """Accuracy in percent on the official test: of the documents, of five times the documents, and of them with their children."""
    train, test = newsgroups20("train"), newsgroups20("test")
    few = train.take(stratified_draw(train, a_class * len(train.classes), seed)[0])
    children: Domain = METHODS["eda"]().expand(few, 4, seed)
    learned = {
        "none": (few.texts, few.labels),
        "repeated": (few.texts * 5, few.labels * 5),
        "eda": (few.texts + children.texts, few.labels + children.labels),
    }
    found = []
    for strength in PENALTIES[a_class]:
        row: dict[str, float] = {"a_class": a_class, "seed": seed, "C": strength}
        for name, (texts, labels) in learned.items():
            model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=strength, max_iter=1000)).fit(texts, labels)
            row[name] = 100 * float(np.mean(model.predict(test.texts) == np.array(test.labels)))
        found.append(row)
    return found


def _newsgroups_cell(job: tuple[int, int]) -> tuple[int, int]:
    with one_thread():
        write_json(PARTS / f"newsgroups-{job[0]}-{job[1]}.json", eda_on_newsgroups(*job))
    return job


def main() -> None:
    quick = "--quick" in sys.argv
    problems = ["icwsm4 nyt", "digits optdigits"] if quick else names()
    cells = [(name, size) for name in problems for size in _sizes(name)[: 1 if quick else None]]
    for chosen in (lambda kind: [NONE, *methods(kind)], lambda _: [BEST]):  # the best three are known once all are measured
        jobs = [(*cell, method) for cell in cells for method in chosen(_kind(cell[0]))]
        _do(carry_out, [job for job in jobs if not place(job).exists()])
    jobs = [(size, seed) for size in ((20,) if quick else (20, 100)) for seed in range(_seeds())]
    _do(_newsgroups_cell, [job for job in jobs if not (PARTS / f"newsgroups-{job[0]}-{job[1]}.json").exists()])
    rows = [row for cell in cells for row in _rows(*cell)]
    published = [row for size, seed in jobs for row in read_json(PARTS / f"newsgroups-{size}-{seed}.json")]
    for row in rows:
        sys.stdout.write(f"{row}\n")
    keep("augment-gain-quick" if quick else "augment-gain", seeds=_seeds(), rows=rows, newsgroups=published)


def _do(work: Any, jobs: Sequence[Any]) -> None:
    for done in map_ordered(work, jobs, workers=max(1, min(cores(), len(jobs)))):
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()


def _kind(name: str) -> Kind:
    return "text" if name.startswith(("icwsm4", "blitzer")) else "image"


def _sizes(name: str) -> tuple[int, ...]:
    return TEXT_SIZES if _kind(name) == "text" else IMAGE_SIZES


def _rows(name: str, size: int) -> Iterator[dict[str, Any]]:
    """One row per method: accuracy, cost, and its comparison with no augmentation."""
    done = {method: read_json(place((name, size, method))) for method in (NONE, *methods(_kind(name)), BEST)}
    beside = {control: {found.arm: dataclasses.asdict(found) for found in against(done, control)} for control in (NONE, REPEAT)}
    for method, found in done.items():
        at = {"problem": name, "kind": _kind(name), "size": size, "method": method}
        if "skipped" in found:
            yield {**at, "skipped": found["skipped"]}
            continue
        figures = {"accuracy": float(np.mean(found["correct"])), "cpu_seconds": found["cpu_seconds"], "made": found["made"]}
        members = {"members": _members(method, name, size)} if method == BEST else {}
        yield {**at, **figures, **members, **{control: told[method] for control, told in beside.items() if method in told}}


if __name__ == "__main__":
    from benchmarks import augment_gain  # workers find the functions by the module's own name

    augment_gain.main()

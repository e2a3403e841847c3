"""What augmenting before the split reports, and what acclimate reports on the same files. `make bench-leakage`, about 4 minutes.

20 Newsgroups, 20 documents a class, EDA ×9, TF-IDF and logistic regression: the reference figures are 100.0% reported, 54.2% true.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from acclimate.augment.run import augment
from acclimate.data import hygiene
from acclimate.data.domain import Domain, concatenate
from acclimate.data.make import make_target
from acclimate.data.packaged import newsgroups20
from acclimate.data.split import stratified_draw
from acclimate.data.target import Target
from acclimate.evaluate.measure import evaluate
from benchmarks.common import keep

A_CLASS, TIMES = 20, 9


class TfidfModel:
    """The reference's classifier, as something that ``evaluate`` can measure."""

    def __init__(self, domain: Domain, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
        self._model.fit(domain.texts, domain.labels)

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        """``(n, c)``; a class that training did not show has probability 0."""
        probabilities = np.zeros((len(texts), len(self.classes)))
        columns = [self.classes.index(name) for name in self._model.classes_]
        probabilities[:, columns] = self._model.predict_proba(list(texts))
        return probabilities


def grown(domain: Domain, seed: int) -> Domain:
    """The documents and their EDA children."""
    return concatenate(domain.name, [domain, augment(domain, method="eda", times=TIMES, seed=seed, guard="none")])


def percent(model: TfidfModel, target: Target) -> float:
    return 100 * evaluate(model, target).metrics["accuracy"]


def one_seed(train: Domain, truth: Domain, seed: int) -> dict[str, float]:
    drawn, others = stratified_draw(train, A_CLASS * len(train.classes), seed)
    few, same = train.take(drawn, "few"), train.take(others, "others")

    # What leaks: grow first, split afterwards. The user's two files:
    everything = grown(few, seed)
    rows = np.arange(len(everything))
    fit, held = train_test_split(rows, test_size=0.2, random_state=seed, stratify=everything.labels)
    train_file, test_file = everything.take(fit, "train"), everything.take(held, "test")
    leaked = make_target(train_file, test=test_file)
    naive = TfidfModel(train_file, few.classes)

    # The same two files handed to acclimate; once as they are, once without the column that tells the parents.
    _, cleaned = hygiene.clean(None, leaked)
    bare = make_target(_without_origin(train_file), test=_without_origin(test_file))
    _, cleaned_bare = hygiene.clean(None, bare)
    left = TfidfModel(cleaned_bare.labelled, few.classes)

    # The pipeline's own order: split, then grow what may be learned from.
    honest = make_target(few, test=0.2, seed=seed)
    model = TfidfModel(grown(honest.labelled, seed), few.classes)

    return {
        "leaked: reported": percent(naive, leaked),
        "leaked: true": percent(naive, make_target(few, test=same)),
        "leaked: true, official test": percent(naive, make_target(few, test=truth)),
        "cleaned: reported": percent(left, bare),
        "cleaned: true": percent(left, make_target(few, test=same)),
        "split first: reported": percent(model, honest),
        "split first: true": percent(model, make_target(few, test=same)),
        "split first: true, official test": percent(model, make_target(few, test=truth)),
        "rows handed over": len(train_file),
        "rows removed": len(train_file) - len(cleaned.labelled),
        "rows removed, origin column lost": len(train_file) - len(cleaned_bare.labelled),
    }


def _without_origin(domain: Domain) -> Domain:
    fresh = domain.table.drop_columns(["origin", "id"])
    numbered = fresh.append_column("id", [[f"{domain.name}:{row}" for row in range(len(domain))]])
    return Domain(domain.name, numbered)


def main() -> None:
    seeds = 1 if "--quick" in sys.argv else 5
    train, truth = newsgroups20("train"), newsgroups20("test")
    runs = [one_seed(train, truth, seed) for seed in range(seeds)]
    rows = {name: [run[name] for run in runs] for name in runs[0]}
    for name, values in rows.items():
        sys.stdout.write(f"{name:36} {np.mean(values):8.1f}  {[round(value, 1) for value in values]}\n")
    keep("leakage", seeds=seeds, rows=rows)


if __name__ == "__main__":
    main()

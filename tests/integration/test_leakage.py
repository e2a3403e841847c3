"""Augmenting before the split flatters; acclimate finds the leaked rows, says how many, and reports the honest figure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from acclimate.augment.run import augment
from acclimate.data import hygiene
from acclimate.data.domain import Domain, concatenate
from acclimate.data.make import make_target
from acclimate.data.packaged import newsgroups20

GROUPS, A_GROUP, TIMES = 6, 20, 5

pytestmark = pytest.mark.assets


def _documents(split: str, a_group: int) -> Domain:
    """The first documents of a few groups."""
    news = newsgroups20("train" if split == "train" else "test")
    labels = np.array(news.labels)
    rows = [np.flatnonzero(labels == name)[:a_group] for name in news.classes[:GROUPS]]
    return news.take(np.concatenate(rows), split)


def _accuracy(train: Domain, test: Domain) -> float:
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)).fit(
        train.texts, train.labels
    )
    return float(np.mean(model.predict(test.texts) == np.array(test.labels)))


def _leaky_files() -> tuple[Domain, Domain, set[str]]:
    """What a user makes who grows first, splits afterwards, and keeps neither ids nor origins; and the ids that leak."""
    few = _documents("train", A_GROUP)
    grown = concatenate("grown", [few, augment(few, method="eda", times=TIMES, seed=0, guard="none")])
    family = np.concatenate([np.arange(len(few)), np.repeat(np.arange(len(few)), TIMES)])
    table = grown.table.select(["text", "label"]).add_column(0, "id", pa.array([f"row{n}" for n in range(len(grown))]))
    everything = Domain("grown", table)
    fit, held = train_test_split(np.arange(len(everything)), test_size=0.2, random_state=0, stratify=everything.labels)
    leaked = {f"row{row}" for row in fit if family[row] in set(family[held])}
    return everything.take(fit, "train"), everything.take(held, "test"), leaked


def test_leaked_rows_are_found_without_ids_and_counted() -> None:
    train, test, leaked = _leaky_files()
    truth = _accuracy(train, _documents("test", 60))
    assert _accuracy(train, test) > 0.97  # flattered ...
    assert truth < 0.85  # ... by a lot

    _, cleaned = hygiene.clean(None, make_target(train, test=test))
    removed = set(train.ids) - set(cleaned.labelled.ids)
    assert cleaned.hygiene["total"] == len(removed)
    assert len(removed & leaked) >= 0.95 * len(leaked)
    assert len(removed - leaked) <= 0.05 * len(train)
    assert _accuracy(cleaned.labelled, test) < 0.85


def test_splitting_first_reports_what_is_true() -> None:
    few = _documents("train", A_GROUP)
    reported = []
    for seed in range(3):
        target = make_target(few, test=0.25, seed=seed)
        grown = concatenate("train", [target.labelled, augment(target, method="eda", times=TIMES, seed=seed, guard="none")])
        _, cleaned = hygiene.clean(grown, target)
        assert cleaned.hygiene["removed"]["source"]["descendant"] == 0
        held = few.take([row for row, key in enumerate(few.ids) if key in set(target.test.inputs.ids)])
        reported.append(_accuracy(grown, held))
    truth = _accuracy(
        concatenate("all", [few, augment(few, method="eda", times=TIMES, seed=0, guard="none")]), _documents("test", 60)
    )
    assert abs(np.mean(reported) - truth) < 0.12

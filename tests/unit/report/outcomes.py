"""An outcome with everything in it, as a run on movie reviews and shop comments could give it, and the smallest one there is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.data.domain import Domain, from_columns
from acclimate.evaluate.validators.failures import Failures
from acclimate.evaluate.verdict import Comparison, Verdict
from acclimate.gap.base import DomainMap, GapReport, GapResult
from acclimate.select.base import Selection
from acclimate.strategy.outcome import ArmResult, Fidelity, GeneratedExample, NegativeTransfer, Outcome, Ranking, Suspect
from acclimate.strategy.quality import Quality, Refusal

HOSTILE = "<script>alert('x')</script> \"quoted\" & 'single' \u202eright-to-left\u202c \x00 " + "w" * 300
BEST = "classifier 20% + target×10 + eda(times=4)"
CLASSIFIER, EDA, DSIR, MIXUP = (
    "classifier 20% + target×10",
    "target + eda(times=4)",
    "dsir 5% + target",
    "target + mixup(alpha=0.2)",
)
CONTROL = "everything"

_TEXTS = {
    "tweets": ["loving the new phone, battery lasts forever!!", "ugh, stuck at the airport AGAIN", "best. concert. ever. 🎉"],
    "movie": [
        "A slow start, but the last hour is among the finest things this director has made, and the score carries it.",
        "Two hours of my life that I will never get back; the dialogue is wooden and the plot makes no sense at all.",
        "这部电影的节奏把握得很好，演员的表演细腻动人，结尾令人回味无穷。",
    ],
    "amazon": [
        "Works as described, arrived early. Would buy again.",
        "客服态度差，收到的商品有划痕，退货还要自己付运费。",
        "Broke after a week.",
    ],
}


def pool(size: int = 900) -> Domain:
    """A source of three domains with English and Chinese texts."""
    names = [name for name in _TEXTS for _ in range(size // 3)]
    texts = [f"{_TEXTS[name][row % 3]} ({row})" for row, name in enumerate(names)]
    labels = ["positive" if row % 3 != 1 else "negative" for row in range(len(names))]
    return from_columns("icwsm-pool", texts, labels, domains=names)


def compared(arm: str, difference: float, half: float, p: float, verdict: Verdict, items: int = 879, seeds: int = 5) -> Comparison:
    low, high = difference - half, difference + half
    return Comparison(arm, CONTROL, difference, low, high, p / 3, p, "wilcoxon", items, seeds, verdict)


def result(name: str, accuracy: float, comparison: Comparison | None, *, fidelity: Fidelity = "probe", **cost: float) -> ArmResult:
    count = 5 if fidelity == "probe" else 3
    wobble = np.linspace(-0.012, 0.012, count)
    is_control = name in ("target-only", "source-only", CONTROL, "random 20%")
    scale = 1.0 if fidelity == "probe" else 60.0
    return ArmResult(
        name=name,
        line=name if not is_control else {"everything": "all source + target"}.get(name, name),
        is_control=is_control,
        fidelity=fidelity,
        scores={
            "accuracy": list(accuracy + wobble),
            "macro_f1": list(accuracy - 0.008 + wobble),
            "log_loss": list(1.3 - accuracy - wobble),
            "calibration_error": list(0.06 - wobble),
        },
        validation=list(accuracy - 0.01 + 2 * wobble) if fidelity == "probe" else [],
        comparison=comparison,
        validation_comparison=comparison and dataclasses.replace(comparison, items=100) if fidelity == "probe" else None,
        seconds={"select": cost.get("select", 0.0), "augment": cost.get("augment", 0.0), "train": cost.get("train", 0.7) * scale},
        trained_on={"source": cost.get("source", 0.0), "target": 100.0, "augmented": cost.get("augmented", 0.0)},
        steps=0 if fidelity == "probe" else 200,
    )


def _results() -> list[ArmResult]:
    probe = [
        result("target-only", 0.743, compared("target-only", -0.036, 0.02, 0.0006, "hurt"), train=0.2),
        result("source-only", 0.777, compared("source-only", -0.002, 0.015, 1.0, "no evidence"), train=2.1, source=9000),
        result(CONTROL, 0.779, None, train=2.3, source=9000),
        result("random 20%", 0.771, compared("random 20%", -0.008, 0.014, 0.41, "no evidence"), train=0.7, source=1800),
        result(
            BEST,
            0.803,
            compared(BEST, 0.024, 0.011, 0.0004, "helped"),
            select=3.4,
            augment=0.3,
            train=0.9,
            source=1800,
            augmented=400,
        ),
        result(CLASSIFIER, 0.795, compared(CLASSIFIER, 0.016, 0.012, 0.011, "helped"), select=3.4, train=0.7, source=1800),
        result(DSIR, 0.781, compared(DSIR, 0.002, 0.013, 1.0, "no evidence"), select=1.9, train=0.5, source=450),
        result(EDA, 0.747, compared(EDA, -0.032, 0.019, 0.0021, "hurt"), augment=0.3, train=0.3, augmented=400),
        result(MIXUP, 0.749, compared(MIXUP, -0.03, 0.019, 0.0032, "hurt"), train=0.4),
    ]
    confirmed = compared(BEST, 0.017, 0.014, 0.013, "helped", seeds=3)
    tuned = [
        result(CONTROL, 0.824, None, fidelity="fine-tune", train=2.0, source=9000),
        result(BEST, 0.841, confirmed, fidelity="fine-tune", select=3.4, augment=0.3, train=2.1, source=1800, augmented=400),
    ]
    return probe + tuned


def _gap(source: Domain) -> GapReport:
    rng = np.random.default_rng(0)
    rows = np.arange(0, len(source), 3)
    centres = {"tweets": (-1.5, 0.8), "movie": (1.2, 0.9), "amazon": (0.6, -1.0)}
    ours = np.array([centres[source.domains[row]] for row in rows]) + rng.normal(0, 0.55, (len(rows), 2))
    theirs = np.array([0.4, 0.3]) + rng.normal(0, 0.5, (250, 2))
    plane = DomainMap(
        points=np.concatenate([ours, theirs]),
        ids=[*[source.ids[row] for row in rows], *[f"nyt:{row}" for row in range(250)]],
        domains=[*[source.domains[row] for row in rows], *["nyt"] * 250],
        labels=[*[source.labels[row] for row in rows], *[None] * 250],
        texts=[*[source.texts[row] for row in rows], *["editorial"] * 250],
        explained=0.183,
    )
    saturated = "saturated (above 1.9): the domains are almost never confused; compare by mmd or divergence instead"

    def figures(mmd: float, a: float, warning: str = "") -> dict[str, GapResult]:
        return {
            "mmd": GapResult("mmd", mmd, p_value=0.004),
            "proxy-a": GapResult("proxy-a", a, a - 0.07, a + 0.05, warning=warning),
            "divergence": GapResult("divergence", mmd * 2.1, p_value=0.0005),
        }

    by_domain = {"tweets": figures(0.164, 1.96, saturated), "movie": figures(0.081, 1.62), "amazon": figures(0.097, 1.71)}
    return GapReport(
        "icwsm-pool", "nyt", figures(0.093, 1.74), by_domain, plane, ("label-shift of amazon was not measured: one class",)
    )


def _selections(source: Domain) -> dict[str, Selection]:
    rng = np.random.default_rng(1)
    bonus = {"tweets": -1.5, "movie": 0.6, "amazon": 0.2}
    scores = rng.normal(0, 1, len(source)) + np.array([bonus[name] for name in source.domains])
    chosen = np.argsort(-scores)[: len(source) // 5]
    picked = rng.permutation(len(source))[: len(source) // 5]
    ones = np.ones(len(chosen))
    reasons = [f"p(target)={0.98 - k / 500:.2f} 'editorial' +1.31, 'policy' +0.88" for k in range(len(chosen))]
    return {
        "random 20%": Selection("random(seed=0)", source, picked, rng.random(len(source)), ones, ["drawn"] * len(picked)),
        CLASSIFIER: Selection("classifier(C=1.0)", source, chosen, scores, ones, reasons),
    }


def _hygiene() -> dict[str, Any]:
    twin = {"twin_place": "test", "twin_id": "nyt:871", "twin_text": "The mayor's plan is a step in the right direction."}
    exact = {"place": "source", "id": "movie:17", "text": twin["twin_text"], "similarity": 1.0, **twin}
    near = {
        "place": "labelled",
        "id": "nyt:12",
        "text": "The mayor's plan is one step in the right direction",
        "similarity": 0.9,
        **twin,
    }
    return {
        "checked": {"source": 9018, "labelled": 101, "unlabelled": 1950, "test": 879},
        "removed": {
            "source": {"exact": 11, "normalised": 3, "descendant": 0, "near": 4},
            "labelled": {"exact": 0, "normalised": 0, "descendant": 0, "near": 1},
            "unlabelled": {"exact": 0, "normalised": 0, "descendant": 0, "near": 0},
        },
        "total": 19,
        "inside_test": {"exact": 2, "normalised": 0},
        "examples": {"exact": [exact], "normalised": [], "near": [near]},
    }


def _quality() -> Quality:
    flip = Refusal("negation", "negations: +1", "positive", "The plan is good.", "The plan is not good.")
    other = Refusal("agreement", "teacher: negative, label 0.07 < 0.11", "positive", "A fine <b>day</b>.", "A mulct day.")
    return Quality(
        method="eda",
        made=400,
        kept=371,
        refused={"leakage": 0, "negation": 6, "agreement": 23},
        flips={"genuine": 0.21, "made": 0.082, "kept": 0.031},
        gold=math.nan,
        distinct1={"parents": 0.41, "kept": 0.19},
        distinct2={"parents": 0.86, "kept": 0.47},
        self_bleu={"parents": 0.08, "kept": 0.71},
        coverage={"parents": 0.38, "kept": 0.31, "both": 0.42},
        examples=[flip, other],
    )


def _generated() -> list[GeneratedExample]:
    pairs = [
        ("The senator's speech was a clear and honest answer.", "The senator's address was a clear and frank answer."),
        ("A shameful vote that the city will regret for years.", "A shameful vote that the for will regret city years."),
        ("这家餐厅的服务态度非常好，菜品也很新鲜。", "这家饭馆的服务态度十分好，菜品也很新鲜。"),
    ]
    return [GeneratedExample(EDA, "eda", "positive" if k % 2 == 0 else "negative", a, b) for k, (a, b) in enumerate(pairs)]


def full() -> Outcome:
    """Nine arms and controls on the probe, two confirmed by fine-tuning; helped, hurt and no evidence among them."""
    source = pool()
    reason = {"key": "gate.shown", "arm": BEST, "control": CONTROL, "difference": 0.021, "low": 0.006, "high": 0.036, "p": 0.008}
    return Outcome(
        name="icwsm-nyt",
        task="text-classification",
        model="asset:minilm",
        source="icwsm-pool",
        target="nyt",
        sizes={"source": 9000, "target_labelled": 100, "target_unlabelled": 1950, "test": 879, "by_domain": {"movie": 3000}},
        classes=("negative", "positive"),
        seeds={"probe": 5, "fine-tune": 3},
        results=_results(),
        best_control={"probe": CONTROL, "fine-tune": CONTROL},
        recommended=BEST,
        reason=reason,
        gap=_gap(source),
        selections=_selections(source),
        generated=_generated(),
        quality={EDA: [_quality()]},
        hygiene=_hygiene(),
        notes=[
            "column 'text' was guessed for the text",
            "removed 19 examples that repeat a test example: 18 from source, 1 from labelled",
        ],
        evidence=pa.table({"arm": ["everything"], "accuracy": [0.779]}),
        manifest={
            "name": "icwsm-nyt",
            "recipe": "3f0c9b1d2e4a5f6071829304a5b6c7d8",
            "model": {"name": "asset:minilm", "fingerprint": "0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f"},
            "inputs": {"source": "aa11bb22cc33dd44ee55ff6677889900", "test": "1122334455667788990011223344aabb"},
            "seeds": {"probe": [0, 1, 2, 3, 4], "fine-tune": [0, 1, 2]},
            "versions": {"python": "3.11.9", "acclimate": "0.1.0", "torch": "2.13.0"},
            "hardware": {"system": "Linux x86_64", "processors": 2, "threads": 2, "device": "cpu"},
            "reproduce": ["pip install -r requirements.lock", "acclimate compare recipe.yaml"],
        },
    )


def keeping(control: str = CONTROL) -> Outcome:
    """The answer "do not adapt", with the reason that no arm was shown better."""
    reason = {"key": "gate.not_shown", "arm": DSIR, "control": control, "difference": 0.002, "low": -0.02, "high": 0.024, "p": 1.0}
    results = [r for r in full().results if r.name not in (BEST, CLASSIFIER)]
    return dataclasses.replace(full(), recommended=control, reason=reason, results=results)


def ranked() -> Outcome:
    """Without labels: a validator ranks, the control stays."""
    found = Failures("dev", cells=66, worse=7, changed=40, gain=0.012, possible=0.034, correlation=0.41)
    reason = {
        "key": "gate.offered",
        "arm": BEST,
        "control": "source-only",
        "validator": "dev",
        "worse": 7,
        "cells": 66,
        "gain": 0.012,
    }
    ranking = Ranking("dev", {result.name: [0.7, 0.8] for result in full().results}, found)
    return dataclasses.replace(full(), recommended="source-only", reason=reason, ranking=ranking)


def harmed() -> Outcome:
    """A source domain and, not shown, an augmentation that hurt."""
    told = compared("tweets", -0.041, 0.012, 0.001, "hurt")
    checked = dataclasses.replace(told, difference=-0.02, low=-0.035, high=-0.005)
    suspects = [
        Suspect("arm", EDA, 0, compared(EDA, 0.0, 0.01, 1.0, "no evidence"), None),
        Suspect("augmentation", f"eda in {EDA}", 0, compared(f"eda in {EDA}", -0.004, 0.01, 0.6, "no evidence"), None),
        Suspect("domain", "tweets", 3000, told, checked),
    ]
    notes = ("the domain 'nyt' cannot be left out: fewer than two classes would be left",)
    return dataclasses.replace(full(), negative_transfer=NegativeTransfer(suspects, notes))


def bare() -> Outcome:
    """Nothing measured but two arms on one seed: no gap, no selection, nothing generated, nothing removed, no notes."""
    only = compared(EDA, 0.0, 0.01, 1.0, "no evidence", items=10, seeds=1)
    one = {metric: [0.5] for metric in ("accuracy", "macro_f1", "log_loss", "calibration_error")}
    arm = ArmResult(EDA, EDA, False, "probe", one, [], only, None, {}, {})
    control = ArmResult("target-only", "target", True, "probe", one, [], None, None, {}, {})
    reason = {"key": "gate.no_validation", "arm": EDA, "control": "target-only"}
    return dataclasses.replace(
        full(), results=[control, arm], best_control={"probe": "target-only"}, recommended="target-only", reason=reason, gap=None,
        selections={}, generated=[], quality={}, hygiene={}, notes=[], seeds={"probe": 1}, manifest={},
    )  # fmt: skip


def hostile() -> Outcome:
    """Every name and text that a user can choose is an attack on the page."""
    source = from_columns("pool", [HOSTILE] * 10, [HOSTILE] * 10, domains=[HOSTILE] * 5 + ["fine"] * 5)
    kept = np.arange(4)
    selection = Selection(HOSTILE, source, kept, np.linspace(1, 0, 10), np.ones(4), [HOSTILE] * 4)
    plane = DomainMap(np.random.default_rng(0).normal(size=(10, 2)), source.ids, source.domains, [None] * 10, source.texts, 0.5)
    gap = GapReport(HOSTILE, HOSTILE, {"mmd": GapResult("mmd", 0.1, warning=HOSTILE)}, {}, plane, (HOSTILE,))
    shown = compared(HOSTILE, 0.024, 0.011, 0.0004, "helped")
    arm = dataclasses.replace(full().results[4], name=HOSTILE, line=HOSTILE, comparison=shown)
    twin = {"place": HOSTILE, "id": HOSTILE, "text": HOSTILE, "twin_place": "test", "twin_id": HOSTILE, "twin_text": HOSTILE}
    return dataclasses.replace(
        full(),
        name=HOSTILE,
        task=HOSTILE,
        model=HOSTILE,
        source=HOSTILE,
        target=HOSTILE,
        classes=(HOSTILE, "b"),
        results=[*full().results[:4], arm],
        recommended=HOSTILE,
        reason={**full().reason, "arm": HOSTILE},
        gap=gap,
        selections={HOSTILE: selection},
        generated=[GeneratedExample(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "safe words " + HOSTILE)],
        quality={HOSTILE: [dataclasses.replace(_quality(), method=HOSTILE, examples=[Refusal(*[HOSTILE] * 5)])]},
        hygiene={"removed": {HOSTILE: {HOSTILE: 1}}, "examples": {HOSTILE: [{**twin, "similarity": None}]}},
        notes=[HOSTILE],
        manifest={"versions": {HOSTILE: HOSTILE}, "reproduce": [HOSTILE], HOSTILE: HOSTILE},
    )

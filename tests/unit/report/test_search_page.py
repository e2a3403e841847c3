"""The page of a search says in both languages what to set, how sure that is, and when it is all noise."""

from __future__ import annotations

import dataclasses
import html
import re
from typing import Any

import pyarrow as pa
import pytest

from acclimate.errors import InputError
from acclimate.report.phrases import translate
from acclimate.report.search import render_search_report
from acclimate.strategy.search.found import Found, TrialResult
from acclimate.strategy.search.space import Choice, Range
from acclimate.strategy.search.uncertainty import Against, Gain, Spread

NOISE = (
    "the differences between the 4 trials are noise: accuracies spread by 0.81 points, and by 0.79 "
    "where settings make no difference (p 0.41); keep the recipe's settings, and read nothing into importance"
)
NOTES = (
    "no finalist was shown better than the recipe's settings; none is recommended",
    "3 of 9 other trials cannot be told from the best",
    "cma-es has 1 numeric settings to move in, fewer than the two it needs: trials are random",
    "cma-es draws at random what has no order: batch_size, schedule",
    "the grid has 9 points, fewer than the 30 trials asked for",
    "the budget of 2.5 seconds ended the search after 3 of 30 trials",
    "2 trials failed; the first: The loss became nan at step 3",
    "importance is not shown: it needs at least 8 complete trials that differ",
    "4 workers shared the trials: which points were tried depends on who was first; one worker repeats them",
    "every trial was trained once: what another seed would have given is not in its interval (`repeats` draws more)",
)


def _trial(number: int, accuracy: float | None, state: str = "complete", **settings: Any) -> TrialResult:
    against = Against(-0.01 * number, -0.03, 0.01 - 0.01 * number, 0.2, number < 2) if state == "complete" else None
    return TrialResult(number, state, accuracy, settings, against, 3, 1.5, "<b>broken</b>" if state == "failed" else "")


def found(**changes: Any) -> Found:
    gain = Gain(0, 0.031, 0.008, 0.054, 0.004, 3, 210, 5, "helped")
    trials = [
        _trial(0, 0.84, C=0.5, schedule="linear"),
        _trial(1, 0.83, C=4.0, schedule="<i>cosine</i>"),
        _trial(2, 0.70, C=90.0, schedule="linear"),
        _trial(3, 0.61, "pruned", C=300.0, schedule="linear"),
        _trial(4, None, "failed", C=301.0, schedule="linear"),
        _trial(5, None, "waiting"),
    ]
    values: dict[str, Any] = {
        "name": "<script>r</script>",
        "target": "ward",
        "model": "asset:minilm",
        "line": "all source + target",
        "fidelity": "probe",
        "sampler": "tpe",
        "pruner": "hyperband",
        "folds": 5,
        "repeats": 2,
        "space": {"C": Range(0.04, 400.0, log=True), "schedule": Choice(("linear", "<i>cosine</i>"))},
        "default": {"C": 4.0},
        "default_accuracy": 0.81,
        "trials": trials,
        "best": trials[0].settings,
        "best_trial": 0,
        "gains": [gain, dataclasses.replace(gain, trial=1, difference=-0.02, low=-0.05, high=0.01, verdict="no evidence")],
        "recommended": trials[0].settings,
        "spread": Spread(0.03, 0.008, 0.0001, 3),
        "importance": {"C": 0.9, "schedule": 0.1},
        "notes": NOTES,
        "table": pa.table({}),
        "openings": [],
    }
    return Found(**{**values, **changes})


def _text(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page[page.index("<main>") :]))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_what_to_set_with_its_interval_and_every_trial(language: Any) -> None:
    page = render_search_report(found(), language)
    text = _text(page)
    for figure in ("C = 0.500", "+3.1", "+0.8", "+5.4", "210", "90.0%", "84.0%", "tpe", "hyperband"):
        assert figure in text
    assert {"en": "Set C", "zh": "建议设置"}[language] in text
    assert {"en": "pruned", "zh": "剪枝"}[language] in text
    assert "<script>" not in page
    assert "<i>cosine" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert render_search_report(found(), language) == page


@pytest.mark.parametrize(("language", "warning", "keep"), [("en", "are noise", "Keep the recipe"), ("zh", "只是噪声", "保持配方")])
def test_noise_is_said_at_the_top(language: Any, warning: str, keep: str) -> None:
    spread = Spread(0.008, 0.0079, 0.41, 3)
    text = _text(render_search_report(found(spread=spread, recommended={}, gains=[], notes=[NOISE]), language))
    assert warning in text[: text.index({"en": "in order of trial", "zh": "按试验次序"}[language])]
    assert keep in text


@pytest.mark.parametrize("note", [*NOTES, NOISE])
def test_notes_of_a_search_are_translated(note: str) -> None:
    assert re.search("[\u4e00-\u9fff]", translate(note))


def test_a_search_of_which_nothing_was_measured_has_a_page() -> None:
    nothing = found(
        trials=[_trial(0, None, "waiting")], best={}, best_trial=None, gains=[], recommended={}, spread=None, importance={}
    )
    assert "No trial is complete." in render_search_report(nothing)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="en or zh"):
        render_search_report(found(), "fr")  # type: ignore[arg-type]

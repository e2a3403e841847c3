"""What a page about a search shows: the answer, the trials in order, the finalists, what matters, and the table."""

from __future__ import annotations

import dataclasses
from typing import Any

from markupsafe import Markup

from acclimate.report.figures import Scale, extent, nice_step, ticks
from acclimate.report.sections.verdict import SLUG
from acclimate.report.wording import Words, isolated, p_value, points, significant
from acclimate.strategy.search.found import Found, TrialResult
from acclimate.strategy.search.space import Choice
from acclimate.strategy.search.uncertainty import Gain

#: Trials shown in the table; the file holds all of them.
SHOWN = 100


@dataclasses.dataclass(frozen=True)
class Answer:
    """The sentences at the top; ``tone`` colours them."""

    tone: str
    headline: Markup
    gain: Markup | None
    spread: Markup | None
    is_noise: bool
    alike: Markup | None
    shown: Gain | None
    scale: Scale


def answer(found: Found, words: Words) -> Answer:
    """What to set, or to keep what is there, and how sure that is."""
    gain, others = found.gain, found.complete[1:]
    alike = sum(bool(trial.against and trial.against.may_be_best) for trial in others)
    if found.best_trial is None:
        headline = words("search.none")
    elif found.recommended:
        settings = words("page.comma").join(isolated(f"{name} = {told(value)}") for name, value in found.recommended.items())
        headline = words("search.use", settings=settings)
    else:
        headline = words("search.keep")
    return Answer(
        tone=SLUG[gain.verdict] if gain else "no_evidence",
        headline=headline,
        gain=words("search.gain", **_figures(gain)) if gain else None,
        spread=_spread(found, words),
        is_noise=bool(found.spread and found.spread.is_noise),
        alike=words("search.alike", alike=alike, others=len(others)) if others else None,
        shown=gain,
        scale=_scale([gain] if gain else []),
    )


def _figures(gain: Gain) -> dict[str, Any]:
    return {
        "trial": gain.trial,
        "draws": gain.draws,
        "items": f"{gain.items:,}",
        "difference": points(gain.difference),
        "low": points(gain.low),
        "high": points(gain.high),
        "p": p_value(gain.p_corrected),
        "looked": gain.looked_at,
    }


def _spread(found: Found, words: Words) -> Markup | None:
    spread = found.spread
    if spread is None:
        return None
    figures = {"observed": f"{100 * spread.observed:.2f}", "chance": f"{100 * spread.by_chance:.2f}", "p": p_value(spread.p_value)}
    return words("search.noise" if spread.is_noise else "search.signal", **figures)


def _scale(gains: list[Gain]) -> Scale:
    return Scale(*extent([100 * bound for gain in gains for bound in (gain.low, gain.high)]), 4, 196)


def told(value: Any) -> str:
    """A setting's value as readers see it."""
    return significant(value) if isinstance(value, float) else str(value)


@dataclasses.dataclass(frozen=True)
class Finalist:
    """One finalist with what it sets."""

    gain: Gain
    settings: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Finalists:
    """All of them on one scale."""

    rows: list[Finalist]
    scale: Scale


def finalists(found: Found) -> Finalists:
    """Finalists, best first."""
    settings = {trial.number: trial.settings for trial in found.trials}
    rows = [Finalist(gain, [(name, told(value)) for name, value in settings[gain.trial].items()]) for gain in found.gains]
    return Finalists(rows, _scale(list(found.gains)))


@dataclasses.dataclass(frozen=True)
class Dot:
    """One trial in the chart."""

    number: int
    x: float
    y: float
    is_pruned: bool
    is_best: bool


@dataclasses.dataclass(frozen=True)
class History:
    """Accuracy by trial, the best so far, and the recipe's settings."""

    dots: list[Dot]
    best: str
    default: float
    x_ticks: list[tuple[float, float]]
    y_ticks: list[tuple[float, float]]
    width: int = 480
    height: int = 250


def history(found: Found) -> History | None:
    """The chart; None where nothing was measured."""
    shown = [trial for trial in found.trials if trial.accuracy is not None]
    if not shown:
        return None
    last = max(found.trials[-1].number, 1)
    values = [100 * float(trial.accuracy or 0) for trial in shown] + [100 * found.default_accuracy]
    room = max(0.08 * (max(values) - min(values)), 0.5)
    x, y = Scale(0, last, 44, 470), Scale(min(values) - room, max(values) + room, 210, 10)
    dots = [
        Dot(t.number, x(t.number), y(100 * float(t.accuracy or 0)), t.state != "complete", t.number == found.best_trial)
        for t in shown
    ]
    return History(
        dots=dots,
        best=_best_so_far(shown, x, y),
        default=y(100 * found.default_accuracy),
        x_ticks=[(value, x(value)) for value in ticks(0, last, 6) if value == int(value) or nice_step(last, 6) < 1],
        y_ticks=[(value, y(value)) for value in ticks(y.low, y.high, 6)],
    )


def _best_so_far(shown: list[TrialResult], x: Scale, y: Scale) -> str:
    """A path of steps over the complete trials."""
    path, best = "", float("-inf")
    for trial in shown:
        if trial.state != "complete" or trial.accuracy is None:
            continue
        if not path:
            best = trial.accuracy
            path = f"M{x(trial.number)} {y(100 * best)}"
            continue
        path += f"H{x(trial.number)}"
        if trial.accuracy > best:
            best = trial.accuracy
            path += f"V{y(100 * best)}"
    return path


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: where it was searched, what the recipe says, what was best."""

    name: str
    searched: Markup | str
    recipe: str
    best: str


def space(found: Found, words: Words) -> list[Setting]:
    """Every setting that was varied."""
    rows = []
    for name, dimension in found.space.items():
        if isinstance(dimension, Choice):
            searched: Markup | str = words("page.comma").join(map(told, dimension.values))
        else:
            key = "search.range_log" if dimension.log else "search.range"
            searched = words(key, low=told(dimension.low), high=told(dimension.high))
        recipe = told(found.default[name]) if name in found.default else "–"
        rows.append(Setting(name, searched, recipe, told(found.best[name]) if name in found.best else "–"))
    return rows


def rows(found: Found) -> list[tuple[TrialResult, list[str]]]:
    """Trials for the table, best first, then those that were not completed; each with its settings in order of the space."""
    others = [trial for trial in found.trials if trial.state != "complete"]
    shown = [*found.complete, *others][:SHOWN]
    return [(trial, [told(trial.settings[name]) if name in trial.settings else "–" for name in found.space]) for trial in shown]

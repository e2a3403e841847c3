"""The first thing on the page: what to do, how large the gain is, how sure, on which evidence."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from acclimate.evaluate.verdict import Comparison
from acclimate.report.figures import Scale, extent
from acclimate.report.wording import Words, isolated, p_value, points, size
from acclimate.strategy.outcome import ArmResult, Outcome

#: Verdicts as parts of message keys and names of CSS classes.
SLUG = {"helped": "helped", "no evidence": "no_evidence", "hurt": "hurt"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict's sentences. ``tone`` (helped, no_evidence, hurt) colours the block; ``shown`` is drawn beneath the headline."""

    tone: str
    headline: Markup
    advice: Markup | None
    measured: Markup
    evidence: Markup | None
    why: Markup
    cautions: list[Markup]
    further: list[Markup]
    shown: Comparison | None
    scale: Scale


def verdict(outcome: Outcome, words: Words) -> Verdict:
    """The verdict on the recommended arm, or on the arm that came closest where the answer is a control."""
    adapts = not _is_control(outcome, outcome.recommended)
    arm = outcome.recommended if adapts else str(outcome.reason.get("arm", ""))
    shown = final_result(outcome, arm)
    compared = shown.comparison if shown else None
    tone = SLUG[compared.verdict] if adapts and compared else "no_evidence"
    return Verdict(
        tone=tone,
        headline=words("verdict.adapt", arm=isolated(arm)) if adapts else words("verdict.keep"),
        advice=None if adapts else _use(outcome.recommended, words),
        measured=_measured(compared, words),
        evidence=_evidence(shown, words) if shown else None,
        why=_why(outcome.reason, words),
        cautions=_cautions(outcome, arm, adapts, compared, words),
        further=_further(outcome, words),
        shown=compared,
        scale=Scale(*extent([100 * compared.low, 100 * compared.high] if compared else []), 4, 196),
    )


def _measured(compared: Comparison | None, words: Words) -> Markup:
    if compared is None:
        return words("verdict.test.none")
    return words(f"verdict.test.{SLUG[compared.verdict]}", **_figures(compared, words))


def final_result(outcome: Outcome, name: str) -> ArmResult | None:
    """An arm at the highest fidelity at which it was compared."""
    compared = [result for result in outcome.results if result.name == name and result.comparison]
    return compared[-1] if compared else None


def _is_control(outcome: Outcome, name: str) -> bool:
    return any(result.is_control for result in outcome.results if result.name == name)


def _use(control: str, words: Words) -> Markup:
    if control.startswith("random "):
        return words("verdict.use.random", budget=control.removeprefix("random "))
    return words(f"verdict.use.{control}")


def _figures(compared: Comparison, words: Words) -> dict[str, Any]:
    return {
        "arm": isolated(words.arm(compared.arm)),
        "control": isolated(words.arm(compared.control)),
        "difference": points(compared.difference),
        "size": size(compared.difference),
        "low": points(compared.low),
        "high": points(compared.high),
        "p": p_value(compared.p_corrected),
    }


def _evidence(shown: ArmResult, words: Words) -> Markup:
    assert shown.comparison
    return words(
        "verdict.evidence",
        fidelity=words(f"fidelity.{shown.fidelity}"),
        long=words(f"fidelity.{shown.fidelity}_long"),
        seeds=words.seeds(shown.comparison.seeds),
        items=f"{shown.comparison.items:,}",
    )


def _why(reason: Mapping[str, Any], words: Words) -> Markup:
    """The gate's reason; its figures are those of the comparison on validation."""
    values: dict[str, Any] = {name: isolated(words.arm(str(reason[name]))) for name in ("arm", "control")}
    if "difference" in reason:
        values |= {name: points(reason[name]) for name in ("difference", "low", "high")}
        values |= {"size": size(reason["difference"]), "p": p_value(reason["p"])}
    if "validator" in reason:
        values |= {name: reason[name] for name in ("validator", "worse", "cells")}
        values |= {"gain": points(reason["gain"])}
    return words(str(reason["key"]), **values)


def _cautions(outcome: Outcome, arm: str, adapts: bool, compared: Comparison | None, words: Words) -> list[Markup]:
    """Where validation and test, or the two fidelities, disagree."""
    cautions = []
    if adapts and compared and compared.verdict != "helped":
        cautions.append(words(f"verdict.caution.{SLUG[compared.verdict]}"))
    if not adapts and compared and compared.verdict == "helped":
        cautions.append(words("verdict.caution.missed", arm=isolated(arm)))
    found = {r.fidelity: r.comparison.verdict for r in outcome.results if r.name == arm and r.comparison}
    if len(found) == 2 and found["probe"] != found["fine-tune"]:
        names = {"probe": words(f"pill.{SLUG[found['probe']]}"), "fine_tune": words(f"pill.{SLUG[found['fine-tune']]}")}
        cautions.append(words("verdict.disagree", **names))
    return cautions


def _further(outcome: Outcome, words: Words) -> list[Markup]:
    """How the other arms did, and by name which ones hurt."""
    arms = [result for result in outcome.results if not result.is_control and result.comparison]
    screened = Counter(SLUG[r.comparison.verdict] for r in arms if r.fidelity == "probe" and r.comparison)
    hurt = dict.fromkeys(r.name for r in arms if r.comparison and r.comparison.verdict == "hurt")
    lines = []
    if screened.total() > 1:
        lines.append(words("verdict.count", total=screened.total(), **{slug: screened[slug] for slug in SLUG.values()}))
    if hurt:
        lines.append(words("verdict.hurt", arms=words("page.comma").join(map(isolated, hurt))))
    return lines

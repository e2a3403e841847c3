"""Draws the page: sections filled with values, in one language, as one file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from acclimate.engine.storage import write_text
from acclimate.report import wording
from acclimate.report.advised import tell
from acclimate.report.figures import ticks
from acclimate.report.sections import arms, gap, negative_transfer, provenance, ranking, selection
from acclimate.report.sections.verdict import SLUG, verdict
from acclimate.report.texts import printable, trim
from acclimate.report.wording import Language, Words
from acclimate.strategy.advise.advice import Advice
from acclimate.strategy.outcome import Outcome


def write_report(outcome: Outcome, path: str | Path, language: Language = "en") -> None:
    """Write an outcome as one HTML page that needs no network, no script and no other file.

    Args:
        outcome: what ``compare`` gave back.
        path: the file; written whole or not at all.
        language: ``en`` or ``zh``.

    Raises:
        InputError: an unknown language.
        RunError: the file cannot be written.
    """
    write_text(Path(path), render_report(outcome, language))


def render_report(outcome: Outcome, language: Language = "en") -> str:
    """The page as text; equal outcomes give equal bytes. Raises :class:`InputError` for an unknown language."""
    words = wording.words_in(language)
    tables = arms.tables(outcome)
    return page(
        "page.html.j2",
        words,
        outcome=outcome,
        verdict=verdict(outcome, words),
        tables=tables,
        charts=arms.cost_charts(tables),
        stages=arms.STAGES,
        ranking=ranking.ranking(outcome),
        harm=negative_transfer.negative_transfer(outcome),
        gaps=gap.gap_table(outcome.gap) if outcome.gap else None,
        gap_words=_gap_words(outcome, language),
        map=gap.domain_map(outcome),
        selections=selection.selections(outcome),
        overlap=selection.overlap(outcome),
        generated=provenance.generated(outcome),
        quality=provenance.quality(outcome),
        hygiene=provenance.hygiene(outcome),
        reproduce=provenance.reproduce(outcome.manifest),
        notes=_notes(outcome),
        advice=tell(outcome.advice, words) if outcome.advice else None,
    )


def write_advice(advice: Advice, path: str | Path, language: Language = "en") -> None:
    """Write an advice as one HTML page of the same kind. Raises as :func:`write_report`."""
    write_text(Path(path), render_advice(advice, language))


def render_advice(advice: Advice, language: Language = "en") -> str:
    """The page of an advice as text. Raises :class:`InputError` for an unknown language."""
    words = wording.words_in(language)
    return page("advice.html.j2", words, advice=tell(advice, words), version=version("acclimate"))


def page(template: str, words: Words, **values: Any) -> str:
    """A template filled in, with what every page is handed: its words, the style, and names that are isolated and listed."""
    return (
        environment()
        .get_template(template)
        .render(
            w=words,
            style=Markup(resource("style.css")),
            bdi=lambda names: words("page.comma").join(map(wording.isolated, names)),
            **values,
        )
    )


def environment() -> jinja2.Environment:
    """Templates with everything escaped, undefined names refused, and the number formats as filters."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("acclimate.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
    )
    environment.filters |= {
        "points": wording.points,
        "percent": wording.percent,
        "share": wording.share,
        "p_value": wording.p_value,
        "number": wording.significant,
        "minus": wording.minus,
        "trim_text": trim,
        "slug": SLUG.__getitem__,
    }
    environment.globals["ticks"] = ticks
    return environment


def resource(name: str) -> str:
    return (resources.files("acclimate.report") / "templates" / name).read_text(encoding="utf-8")


def _gap_words(outcome: Outcome, language: Language) -> dict[str, str]:
    """What each measured distance means, in the words of its method."""
    from acclimate.gap import METHODS  # loads torch, which a page without a gap does not need

    summary = "summary_zh" if language == "zh" else "summary"
    names = outcome.gap.results if outcome.gap else {}
    return {name: str(getattr(METHODS[name], summary)) for name in names if name in METHODS}


def _notes(outcome: Outcome) -> Sequence[str]:
    return list(dict.fromkeys((*outcome.notes, *(outcome.gap.notes if outcome.gap else ()))))

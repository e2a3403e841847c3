"""The page of a search: one file that loads nothing, in English or Chinese."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from acclimate.engine.storage import write_text
from acclimate.errors import InputError
from acclimate.report import wording
from acclimate.report.render import environment, resource
from acclimate.report.sections import search
from acclimate.report.sections.provenance import reproduce
from acclimate.report.wording import LANGUAGES, Language, Words
from acclimate.strategy.search.found import Found


def write_search_report(found: Found, path: str | Path, language: Language = "en") -> None:
    """Write what a search found as one HTML page that needs no network, no script and no other file.

    Raises:
        InputError: an unknown language.
        RunError: the file cannot be written.
    """
    write_text(Path(path), render_search_report(found, language))


def render_search_report(found: Found, language: Language = "en") -> str:
    """The page as text; equal searches give equal bytes. Raises :class:`InputError` for an unknown language."""
    if language not in LANGUAGES:
        raise InputError(
            f"Unknown report language '{language}'", expected=" or ".join(LANGUAGES), fix="choose en (English) or zh (Chinese)"
        )
    words = Words(language)
    return (
        environment()
        .get_template("search.html.j2")
        .render(
            w=words,
            found=found,
            style=Markup(resource("style.css")),
            answer=search.answer(found, words),
            history=search.history(found),
            finalists=search.finalists(found),
            space=search.space(found, words),
            shares=list(found.importance.items()),
            rows=search.rows(found),
            reproduce=reproduce(found.manifest),
            notes=list(dict.fromkeys(found.notes)),
            bdi=lambda names: words("page.comma").join(map(wording.isolated, names)),
        )
    )

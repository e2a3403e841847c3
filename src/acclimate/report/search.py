"""The page of a search: one file that loads nothing, in English or Chinese."""

from __future__ import annotations

from pathlib import Path

from acclimate.engine.storage import write_text
from acclimate.report import wording
from acclimate.report.render import page
from acclimate.report.sections import search
from acclimate.report.sections.provenance import reproduce
from acclimate.report.wording import Language
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
    words = wording.words_in(language)
    return page(
        "search.html.j2",
        words,
        found=found,
        answer=search.answer(found, words),
        history=search.history(found),
        finalists=search.finalists(found),
        space=search.space(found, words),
        shares=list(found.importance.items()),
        rows=search.rows(found),
        reproduce=reproduce(found.manifest),
        notes=list(dict.fromkeys(found.notes)),
    )

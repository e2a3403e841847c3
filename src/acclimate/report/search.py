"""The page of a search."""

from __future__ import annotations
from pathlib import Path
from acclimate.engine.storage import write_text
from acclimate.report.wording import Language
from acclimate.strategy.search.found import Found


def write_search_report(found: Found, path: Path, language: Language = "en") -> None:
    write_text(path, "")

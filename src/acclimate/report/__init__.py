"""One self-contained HTML page from an outcome, in English or Chinese."""

from acclimate.report.render import render_report, write_report
from acclimate.report.wording import LANGUAGES, Language

__all__ = ["LANGUAGES", "Language", "render_report", "write_report"]

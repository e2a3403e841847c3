"""The documentation names what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment import ONLINE
from acclimate.augment.guard import METHODS as GUARDS
from acclimate.evaluate.validators import METHODS as VALIDATORS
from acclimate.gap import METHODS as GAPS
from acclimate.select import METHODS as SELECTORS
from acclimate.strategy.search.pruners import METHODS as PRUNERS
from acclimate.strategy.search.samplers import METHODS as SAMPLERS
from acclimate.tune import OBJECTIVES, WAYS

ROOT = Path(__file__).parents[2]
FAMILIES = {"gap": GAPS, "select": SELECTORS, "augment": {**EXPANDERS, **ONLINE}, "tune": {**OBJECTIVES, **WAYS}, "guard": GUARDS}
FAMILIES["validate"] = VALIDATORS
#: Pages in both languages, then those in one.
TWINS = ("README", "docs/concepts", "docs/validators", "docs/search", "docs/advise")
PAGES = [*(f"{name}{ending}.md" for name in TWINS for ending in ("", ".zh-CN")), "docs/methods.md", "docs/recipes.md"]


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, methods in FAMILIES.items() for name in methods])
def test_every_method_has_a_row_and_says_what_it_is(family: str, name: str) -> None:
    method = FAMILIES[family][name]
    assert f"| `{name}` |" in (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert method.paper
    assert method.modality
    assert method.summary != method.summary_zh
    assert any("\u4e00" <= letter <= "\u9fff" for letter in method.summary_zh)


@pytest.mark.parametrize("family", [SAMPLERS, PRUNERS])
def test_every_way_to_search_has_a_row(family: dict[str, object]) -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert [name for name in family if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    import re

    place = ROOT / page
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", place.read_text(encoding="utf-8")):
        assert (place.parent / link).exists(), link

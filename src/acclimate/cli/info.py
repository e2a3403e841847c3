"""`acclimate methods` and `acclimate doctor`: what exists, and what this machine can do."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, Any

import typer

from acclimate.cli.output import print_json, print_table, say
from acclimate.errors import unknown_name

#: Constructor arguments that the pipeline provides; they are not settings of a method.
_PROVIDED = ("embed", "seed", "learner", "predict", "language_model", "tools", "style", "training", "self")
#: What a gap method or an objective may need, and the class attribute that says so; selectors list theirs.
_NEEDS = {
    "embeddings": "needs_embeddings",
    "source labels": "uses_source_labels",
    "unlabelled target texts": "needs_unlabelled",
}


def methods(
    name: Annotated[str | None, typer.Argument(help="One method, in full.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every method: family, paper, settings, what it needs, when to use it."""
    found = list(_cards())
    if name is not None:
        named = [card for card in found if card["name"] == name]
        if not named:
            raise unknown_name("method", name, [card["name"] for card in found])
        found = named
    if json:
        print_json(found)
    elif name is not None:
        for card in found:
            _print_card(card)
    else:
        rows = [(card["family"], card["name"], card["summary"], card["paper"]) for card in found]
        print_table("", ("family", "name", "what it does", "source"), rows)


def _cards() -> list[dict[str, Any]]:
    from acclimate.augment import METHODS as EXPANDERS
    from acclimate.augment import ONLINE
    from acclimate.augment.guard import METHODS as GUARDS
    from acclimate.evaluate.validators import METHODS as VALIDATORS
    from acclimate.evaluate.validators.failures import failures
    from acclimate.gap import METHODS as GAPS
    from acclimate.select import METHODS as SELECTORS
    from acclimate.strategy.search.pruners import METHODS as PRUNERS
    from acclimate.strategy.search.samplers import METHODS as SAMPLERS
    from acclimate.tune import OBJECTIVES, WAYS

    families: dict[str, dict[str, Any]] = {
        "gap": GAPS,
        "select": SELECTORS,
        "augment": {**EXPANDERS, **ONLINE},
        "guard": GUARDS,
        "search": {**SAMPLERS, **{name: method for name, method in PRUNERS.items() if name != "none"}},
        "tune": {name: method for name, method in {**OBJECTIVES, **WAYS}.items() if name not in ONLINE},
    }
    cards = [_card(family, name, method) for family, group in families.items() for name, method in group.items()]
    measured = failures()
    for name, validator in VALIDATORS.items():
        told = {"range": validator.range, "failures": dataclasses.asdict(measured[name])}
        cards.append({**_card("validate", name, validator), **told, "measured": measured[name].sentence})
    return cards


def _card(family: str, name: str, method: Any) -> dict[str, Any]:
    parameters = inspect.signature(method).parameters.values()
    needs = list(getattr(method, "needs", ())) or [need for need, attribute in _NEEDS.items() if _has(method, attribute)]
    if getattr(method, "extra", ""):
        needs.append(f"acclimate[{method.extra}]")
    return {
        "name": name,
        "family": family,
        "modality": list(method.modality),
        "paper": method.paper,
        "settings": {p.name: p.default for p in parameters if p.name not in _PROVIDED},
        "needs": needs,
        "summary": method.summary,
        "summary_zh": method.summary_zh,
        "documentation": inspect.getdoc(method) or "",
    }


def _has(method: Any, attribute: str) -> bool:
    """What a method says of itself; where that follows from its settings, with its defaults."""
    value = getattr(method, attribute, False)
    return bool(getattr(method(), attribute) if isinstance(value, property) else value)


def _print_card(card: dict[str, Any]) -> None:
    say(f"{card['name']} ({card['family']}; {', '.join(card['modality'])})")
    say(f"{card['summary']}\n{card['summary_zh']}")
    say(f"source: {card['paper']}")
    say(f"needs: {', '.join(card['needs']) or 'nothing but the data'}")
    if "measured" in card:
        say(f"score: {card['range']}, the higher the better\nmeasured: {card['measured']}")
    settings = ", ".join(f"{name}={value}" for name, value in card["settings"].items())
    say(f"settings: {settings or 'none'}\n\n{card['documentation']}")


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine can do, what is missing and how to get it."""
    from acclimate.cli.machine import examine

    findings = examine()
    if json:
        print_json(findings)
        return
    rows = [(f["what"], f["state"], f["found"], f["fix"]) for f in findings]
    print_table("", ("what", "state", "found", "how to get it"), rows, {"ok": "green", "missing": "yellow", "problem": "red"})

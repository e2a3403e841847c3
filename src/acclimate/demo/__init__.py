"""Recipes for the packaged data: the whole job without a file of one's own."""

from __future__ import annotations

from importlib.resources import files

from acclimate.errors import unknown_name
from acclimate.recipe import Recipe, parse_recipe

DEMOS = ("text",)
_DOMAINS = ("tweets", "movie", "amazon", "nyt")


def demo_recipe(name: str = "text", *, target: str = "nyt", labels: int = 100) -> Recipe:
    """The recipe of a demo.

    Args:
        name: which demo; ``text`` is the only one so far.
        target: which of the four domains is the target; the other three are the source.
        labels: how many target labels are learned from.
    Raises:
        InputError: no such demo or domain.
    """
    if name not in DEMOS:
        raise unknown_name("demo", name, DEMOS)
    if target not in _DOMAINS:
        raise unknown_name("target", target, _DOMAINS)
    recipe = parse_recipe(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"demo {name}")
    others = tuple(domain for domain in _DOMAINS if domain != target)
    return recipe.model_copy(
        update={
            "name": f"demo-{name}-{target}",
            "source": recipe.source.model_copy(update={"domains": others}),
            "target": recipe.target.model_copy(update={"domains": (target,), "labels": labels}),
        }
    )

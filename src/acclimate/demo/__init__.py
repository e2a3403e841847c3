"""Recipes for the packaged data: the whole job without a file of one's own."""

from __future__ import annotations

from importlib.resources import files

from acclimate.errors import InputError, unknown_name
from acclimate.recipe import Recipe, parse_recipe

DEMOS = ("text", "image", "zh")
_DOMAINS = ("tweets", "movie", "amazon", "nyt")


def demo_recipe(name: str = "text", *, target: str | None = None, labels: int = 100) -> Recipe:
    """The recipe of a demo.

    Args:
        name: ``text``, ``image`` (digits of one hand for those of another) or ``zh`` (English opinions for Chinese ones).
        target: of ``text``, which of the four domains is the target (nyt where not given); the other three are the source.
        labels: how many target labels are learned from.
    Raises:
        InputError: no such demo or domain, or a target for a demo that has but one.
    """
    if name not in DEMOS:
        raise unknown_name("demo", name, DEMOS)
    recipe = parse_recipe(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"demo {name}")
    if name != "text":
        if target is not None:
            raise InputError(f"--target {target} of the demo {name}", expected="no target: this demo has one", fix="leave it out")
        return recipe.model_copy(update={"target": recipe.target.model_copy(update={"labels": labels})})
    target = target or "nyt"
    if target not in _DOMAINS:
        raise unknown_name("target", target, _DOMAINS)
    others = tuple(domain for domain in _DOMAINS if domain != target)
    return recipe.model_copy(
        update={
            "name": f"demo-{name}-{target}",
            "source": recipe.source.model_copy(update={"domains": others}),
            "target": recipe.target.model_copy(update={"domains": (target,), "labels": labels}),
        }
    )

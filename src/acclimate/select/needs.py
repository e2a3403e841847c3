"""Whether a method can serve here; if not, what it lacks and which one can."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import cast

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.select.base import Adjusting, Need, Selector, Toolbox

#: Module of each optional dependency that a method may import.
EXTRAS = {"ot": "ot", "index": "faiss"}
_KINDS: Mapping[Modality, str] = {"text": "texts", "image": "images", "chat": "conversations"}
#: What is missing, what was expected, and how to get it, for each need.
_LACKS: Mapping[Need, tuple[str, str, str]] = {
    "embeddings": ("no encoder was given", "an encoder", "name a model"),
    "source labels": (
        "the source has examples without a label",
        "a label on every source example",
        "name the label column of the source",
    ),
    "target labels": (
        "the target has fewer than two classes of labelled examples beside its test",
        "labelled target examples of at least two classes",
        "label some target examples, or take a smaller test share",
    ),
    "source domains": (
        "the source is a single domain",
        "a source of at least two domains",
        "name the column that holds each row's domain (domain=..., --domain)",
    ),
    "learner": ("no learner was given", "something that trains a classifier", "call `acclimate.select`, which brings the probe"),
    "language model": ("no causal language model was given", "a causal language model", "name one: language_model=..."),
}


def lacks(method: type[Selector] | Selector, source: Domain, target: Target, tools: Toolbox) -> Iterator[tuple[str, str, str]]:
    """(found, expected, fix) for each thing that a method needs, with its settings where it was made, and that is not there."""
    if source.modality not in method.modality:
        read = " or ".join(_KINDS[kind] for kind in method.modality)
        yield f"the source '{source.name}' holds {_KINDS[source.modality]}", read, "choose a method that reads them"
    here: Mapping[Need, bool] = {
        "embeddings": tools.embed is not None,
        "source labels": source.is_labelled,
        "target labels": len(target.labelled.classes) > 1,
        "source domains": len(set(source.domains)) > 1,
        "learner": tools.learner is not None,
        "language model": tools.language_model is not None,
    }
    made = not isinstance(method, type) and "adjusts" in method.traits
    needs = cast("Adjusting", method).needed if made else method.needs
    yield from (_LACKS[need] for need in needs if not here[need])
    if method.extra and importlib.util.find_spec(EXTRAS[method.extra]) is None:
        yield f"the extra '{method.extra}' is not installed", "its packages", f'pip install "acclimate[{method.extra}]"'


def check_needs(
    methods: Mapping[str, type[Selector]],
    name: str,
    source: Domain,
    target: Target,
    tools: Toolbox,
    selector: Selector | None = None,
) -> None:
    """Raise an InputError when ``name`` cannot serve; the message says why, and names a method that can.

    Args:
        selector: the method as it was made, where its settings decide what it needs.
    """
    there = target.inputs.modality
    if source.modality != there:
        raise InputError(
            f"The source '{source.name}' holds {_KINDS[source.modality]} and the target '{target.name}' {_KINDS[there]}",
            expected="examples of one kind",
            fix="check which columns were taken for text, image or messages",
        )
    problems = list(lacks(selector or methods[name], source, target, tools))
    if not problems:
        return
    found, expected, fix = problems[0]
    others = [other for other in _preferred(methods) if other != name]
    able = next((other for other in others if not any(lacks(methods[other], source, target, tools))), "")
    raise InputError(
        f"'{name}' cannot serve here: {found}",
        expected=expected,
        fix=f"{fix}; or use '{able}', which needs none of that" if able else fix,
    )


def _preferred(methods: Mapping[str, type[Selector]]) -> list[str]:
    """Methods in the order in which they are offered: the strongest of those that need little first, controls last."""
    first = [name for name in ("classifier", "knn", "centroid", "logme", "domain-rank") if name in methods]
    return [*first, *sorted((name for name in methods if name not in first), key=lambda name: "random" in methods[name].traits)]

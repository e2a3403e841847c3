"""The model card: what a fine-tuned model was made of, and what it was measured to be worth, in the form of the Hugging Face hub.

``README.md`` starts with YAML between two lines of dashes, whose keys the hub reads (``license``, ``base_model``, ``pipeline_tag``,
``model-index``, ...); the text behind it is for people.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.pins import ASSETS

#: Names on the hub of the models that packages bring.
ORIGINS = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "e5-small": "intfloat/multilingual-e5-small",
    "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
_PACKAGES = ("acclimate", "torch", "transformers", "peft", "tokenizers", "numpy")
_KINDS = {"causal-lm": "text-generation", "masked-lm": "fill-mask"}
#: How each task's model is used, in acclimate's own layout.
_USE = {
    "text-classification": ["from acclimate.tune.adapted import Adapted", 'Adapted.load("this folder").predict_proba(["..."])'],
    "image-classification": [
        "from acclimate.tune.adapted import Adapted",
        'Adapted.load("this folder").predict_proba([open("a.png", "rb").read()])',
    ],
    "causal-lm": [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        'model = AutoModelForCausalLM.from_pretrained("this folder")',
        'tokenizer = AutoTokenizer.from_pretrained("this folder")',
    ],
    "masked-lm": [
        "from transformers import AutoModelForMaskedLM, AutoTokenizer",
        'model = AutoModelForMaskedLM.from_pretrained("this folder")',
        'tokenizer = AutoTokenizer.from_pretrained("this folder")',
    ],
}


def versions() -> dict[str, str]:
    """Of Python and the packages that shape a result."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _PACKAGES}}


def hub_name(base: str) -> str | None:
    """What the hub calls a base model; None of a folder, or of what is trained from scratch."""
    if base.startswith("asset:"):
        return ORIGINS.get(base.removeprefix("asset:"))
    return None if base == "small-cnn" or Path(base).expanduser().is_dir() or base.startswith(("/", "./", "~")) else base


def licence_of(base: str) -> str | None:
    """The licence of a base model as the hub writes it (``apache-2.0``): of packaged models, or from the model's own card.

    Nothing is downloaded for it; None where it is not known.
    """
    if base.startswith("asset:"):
        asset = ASSETS.get(base.removeprefix("asset:"))
        return asset.licence.lower() if asset else None
    card = Path(base).expanduser() / "README.md"
    if not card.is_file():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            cached = try_to_load_from_cache(base, "README.md")
        except HFValidationError:
            return None
        if not isinstance(cached, str):
            return None
        card = Path(cached)
    import yaml
    from huggingface_hub import ModelCard

    try:
        told = ModelCard.load(card).data.get("license")
    except (ValueError, OSError, yaml.YAMLError):
        return None
    return told if isinstance(told, str) else None


def model_card(about: Mapping[str, Any], classes: Sequence[str] = (), use: Sequence[str] = (), library: str = "acclimate") -> str:
    """The whole card.

    Args:
        about: what :class:`acclimate.tune.adapted.Adapted` knows of itself; ``facts`` holds data and evidence where there are any.
        classes: of a classifier, in the order of its outputs.
        use: lines of Python that use the model; those of acclimate's own layout where not given.
        library: what the hub offers to load it with.
    """
    base, task = _published(about), str(about.get("task", "text-classification"))
    facts: Mapping[str, Any] = about.get("facts") or {}
    said = [_front(about, facts, library), f"# {_title(base, task, facts)}", ""]
    said += [f"Classes: {', '.join(classes)}.", ""] if classes else []
    said += _section("Verdict", _evidence(facts.get("evidence")))
    said += _section("Data", [f"{name}: {value}" for name, value in (facts.get("data") or {}).items()])
    said += _section("Arm", [str(facts["arm"])] if facts.get("arm") else [])
    said += _section("Base model", _base(base, about))
    said += _section("Training", _training(about))
    said += _section("Versions", [f"{name} {value}" for name, value in (about.get("versions") or {}).items()])
    lines = use or _USE.get(task, _USE["text-classification"])
    return "\n".join([*said, "## Use", "", "```python", *lines, "```", ""])


def _front(about: Mapping[str, Any], facts: Mapping[str, Any], library: str) -> str:
    """The YAML header, written by ``huggingface_hub`` so that its keys are the hub's."""
    from huggingface_hub import EvalResult, ModelCardData

    base, task = _published(about), str(about.get("task", "text-classification"))
    kind = _KINDS.get(task, task)
    evidence: Mapping[str, Any] = facts.get("evidence") or {}
    target = str(evidence.get("target", "target"))
    results = [
        EvalResult(kind, target.lower().replace(" ", "-"), target, metric, round(float(value), 6), dataset_split="test")
        for metric, value in (evidence.get("scores") or {}).items()
    ]
    data = ModelCardData(
        base_model=hub_name(base),
        license=licence_of(base),
        library_name=library,
        pipeline_tag=kind,
        tags=["acclimate", "domain-adaptation"],
        datasets=sorted({_data_name(name) for name in facts.get("datasets", ()) if name.startswith("hf:")}) or None,
        model_name=_title(base, task, facts) if results else None,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _published(about: Mapping[str, Any]) -> str:
    """The name of the base model, without the stages before fine-tuning that records add to it (``asset:minilm + tapt``)."""
    return str(about.get("base", "")).partition(" + ")[0]


def _data_name(path: str) -> str:
    """``hf:owner/name@config:split`` as the hub's name of the data set."""
    return path.removeprefix("hf:").split("@")[0].split(":")[0]


def _title(base: str, task: str, facts: Mapping[str, Any]) -> str:
    name = (hub_name(base) or Path(base).name or "A model").split("/")[-1]
    target = str((facts.get("data") or {}).get("target", "")).split(",")[0]
    return f"{name} adapted to {target}" if target else f"{name} adapted for {task}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {line}" for line in lines), ""] if lines else []


def _evidence(evidence: Mapping[str, Any] | None) -> list[str]:
    """The verdict with its interval, on the sealed test."""
    if not evidence:
        return ["Not measured: this model was trained without a comparison against controls."]
    lines = [f"**{evidence['verdict']}**: {evidence['sentence']}"] if evidence.get("verdict") else []
    scores = ", ".join(f"{name} {value:.3f}" for name, value in (evidence.get("scores") or {}).items())
    lines += [f"on {evidence.get('items', '?')} sealed test examples of {evidence.get('target', 'the target')}: {scores}"]
    lines += [f"means over {evidence['seeds']} seeds ({evidence.get('fidelity', '')})"] if evidence.get("seeds") else []
    return lines


def _base(base: str, about: Mapping[str, Any]) -> list[str]:
    licence = licence_of(base)
    return [
        f"{hub_name(base) or base} (as `{about.get('base', base)}`, fingerprint {about.get('base_fingerprint', 'unknown')})",
        f"licence: {licence}" if licence else "licence: not known here; see the page of the base model",
    ]


def _training(about: Mapping[str, Any]) -> list[str]:
    lines = [f"seed: {about.get('seed', 0)}"]
    for name in ("objectives", "hardware", "settings"):
        value = about.get(name)
        if isinstance(value, Mapping):
            lines.append(f"{name}: " + ", ".join(f"{key} {inner}" for key, inner in value.items()))
        elif value:
            lines.append(f"{name}: {value}")
    return lines

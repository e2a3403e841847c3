"""What a run was made of: versions, hashes of its inputs, seeds and hardware, enough to make it again."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from acclimate.engine.storage import content_hash
from acclimate.models.reference import resolve
from acclimate.strategy.plan import Plan

_PACKAGES = ("acclimate", "numpy", "scipy", "scikit-learn", "pyarrow", "torch", "transformers", "tokenizers")


def manifest(plan: Plan, recipe: str) -> dict[str, Any]:
    """JSON-ready facts about a run; ``recipe`` is the resolved recipe's text."""
    import torch

    target = plan.target
    return {
        "name": plan.name,
        "recipe": content_hash(recipe),
        "model": {"name": plan.model, "fingerprint": resolve(plan.model).fingerprint},
        "inputs": {
            "source": plan.source.fingerprint,
            "target_labelled": target.labelled.fingerprint,
            "target_unlabelled": target.unlabelled.fingerprint,
            "test": target.test.fingerprint,
        },
        "seeds": {"probe": list(range(plan.seeds)), "fine-tune": list(range(plan.confirm_seeds))},
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _PACKAGES}},
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": "cuda" if torch.cuda.is_available() else "cpu",
        },
        "reproduce": ["pip install -r requirements.lock", "acclimate compare recipe.yaml"],
    }

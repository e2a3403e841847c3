"""Low-rank adapters as the place where gradients are taken: fresh ones, or those that peft saved."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from acclimate.engine.storage import content_hash, read_json
from acclimate.errors import InputError
from acclimate.features.adam import plain_name
from acclimate.features.sketch import Blocks, fnv1a

#: The layers of attention, under the names that Llama, Qwen, Mistral, Gemma and their kin give them.
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclasses.dataclass(frozen=True, eq=False)
class Factors:
    """A linear layer ``W`` and what is added to it: ``y = W x + scale * up down x`` (Hu et al. 2022, eq. 3).

    Attributes:
        name: of the layer in the model.
        down: ``A``, ``(r, inputs)``.
        up: ``B``, ``(outputs, r)``.
        scale: alpha / r.
        fresh: whether ``up`` is zero, as before training: the layer then computes what it did, and ``down`` has no gradient.
    """

    name: str
    down: Tensor
    up: Tensor
    scale: float
    fresh: bool

    @property
    def size(self) -> int:
        """Parameters of both factors."""
        return self.down.numel() + self.up.numel()


@dataclasses.dataclass(frozen=True, eq=False)
class Adapter:
    """The factors of several layers, in the order in which the model holds them, with a fingerprint of their values."""

    layers: tuple[Factors, ...]
    fingerprint: str

    @property
    def size(self) -> int:
        """Parameters of all factors: the length of a gradient."""
        return sum(layer.size for layer in self.layers)

    @property
    def parameters(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each factor, ``A`` before ``B``: the order of a gradient's components, and of peft's parameters."""
        factors = [
            (f"{layer.name}.lora_{kind}", part) for layer in self.layers for kind, part in (("A", layer.down), ("B", layer.up))
        ]
        return [(name, (part.shape[0], part.shape[1])) for name, part in factors]

    @property
    def blocks(self) -> Blocks:
        """The same for a sketch."""
        return [(name, rows * columns) for name, (rows, columns) in self.parameters]


def fresh_adapter(model: nn.Module, *, rank: int, alpha: float, targets: Sequence[str], seed: int) -> Adapter:
    """An adapter as before training: ``A`` uniform within ``±1/sqrt(inputs)`` as in peft, ``B`` zero.

    The gradient of ``B`` is then that of the layer's own weights, its inputs projected at random to ``r``. The numbers follow
    from seed, layer name and shape alone.

    Raises:
        InputError: no layer of the model has one of these names, or the rank is below 1.
    """
    if rank < 1 or not alpha > 0:
        raise InputError(f"LoRA with rank {rank} and alpha {alpha}", expected="a rank of at least 1 and alpha above 0")
    found = linear_layers(model, targets)
    layers = []
    for name, layer in found.items():
        rng = np.random.default_rng([seed, fnv1a(name)])
        bound = 1 / math.sqrt(layer.in_features)
        down = torch.from_numpy(rng.uniform(-bound, bound, (rank, layer.in_features)).astype(np.float32))
        device = layer.weight.device
        layers.append(
            Factors(name, down.to(device), torch.zeros(layer.out_features, rank, device=device), alpha / rank, fresh=True)
        )
    return Adapter(tuple(layers), content_hash("fresh", rank, alpha, list(found), seed))


def read_adapter(folder: Path, model: nn.Module) -> Adapter:
    """The adapter that peft saved in a folder.

    Raises:
        InputError: no adapter there, not plain LoRA, or made for another model.
    """
    try:
        config = read_json(folder / "adapter_config.json")
        weights = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"There is no LoRA adapter in '{folder}': {error}",
            expected="adapter_config.json and adapter_model.safetensors, as peft saves them",
        ) from error
    parts = {plain_name(name): value for name, value in weights.items()}
    odd = next((name for name in parts if not name.endswith((".lora_A", ".lora_B"))), None)
    if odd is not None or config.get("use_dora") or config.get("rank_pattern") or config.get("alpha_pattern"):
        raise InputError(
            f"The adapter in '{folder}' is more than plain LoRA{f' ({odd})' if odd else ''}",
            expected="LoRA with one rank for all layers, without DoRA, bias or whole saved modules",
            fix="train a plain one, or leave the adapter out",
        )
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    names = {name.rpartition(".")[0] for name in parts}
    layers = []
    for name, layer in linear_layers(model, None).items():
        if name in names:
            down, up = (parts[f"{name}.lora_{kind}"].float().to(layer.weight.device) for kind in "AB")
            if (down.shape[1], up.shape[0]) != (layer.in_features, layer.out_features):
                raise _other_model(folder, name)
            layers.append(Factors(name, down, up, scale, fresh=not up.any()))
    if len(layers) < len(names):
        raise _other_model(folder, min(names - {layer.name for layer in layers}))
    values = [part.cpu().numpy().tobytes() for layer in layers for part in (layer.down, layer.up)]
    return Adapter(tuple(layers), content_hash("peft", scale, [layer.name for layer in layers], *values))


def linear_layers(model: nn.Module, targets: Sequence[str] | None) -> dict[str, Any]:
    """The linear layers of a model by name, in order: those whose last name is among ``targets``, or all."""
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and (targets is None or name.rpartition(".")[2] in targets)
    }
    if targets is not None and not found:
        kinds = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        raise InputError(
            f"No linear layer of the model is called {' or '.join(targets)}",
            expected=f"names among {', '.join(sorted(kinds)) or 'none: it has no linear layers'}",
            fix="name the layers to take gradients of: targets=...",
        )
    return found


def _other_model(folder: Path, layer: str) -> InputError:
    return InputError(
        f"The adapter in '{folder}' does not fit the model's layer '{layer}'",
        expected="an adapter that was trained on this very model",
        fix="name the model that the adapter was trained on",
    )

"""Adam's view of a gradient: the state of any trainer's optimiser read from memory or disk, and the step that it would take."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from acclimate.engine.storage import content_hash
from acclimate.errors import InputError

#: A trainer's file (``optimizer.pt``, ``*.safetensors``) or what such a file holds.
AdamSource: TypeAlias = str | Path | Mapping[str, Any]
#: Name and shape of each parameter, in the order of the gradient's components.
Parameters: TypeAlias = Sequence[tuple[str, tuple[int, ...]]]

_MOMENTS = ("exp_avg", "exp_avg_sq")
#: What wrappers (DDP, torch.compile, peft) put around a parameter's own name.
_WRAPPING = re.compile(r"^(?:module\.|_orig_mod\.|base_model\.model\.)+|(?<=lora_[AB])(?:(?:\.\w+)?\.weight|\.default)$")


@dataclasses.dataclass(frozen=True, eq=False)
class AdamState:
    """The moments of Adam over all parameters laid end to end.

    Attributes:
        exp_avg, exp_avg_sq: running means of the gradient and of its square, ``(p,)``, not corrected for their start at zero.
        step: steps taken so far.
        betas, eps: of the optimiser.
    """

    exp_avg: Tensor
    exp_avg_sq: Tensor
    step: int
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    @property
    def fingerprint(self) -> str:
        """A hash of everything in it."""
        moments = [moment.cpu().numpy().tobytes() for moment in (self.exp_avg, self.exp_avg_sq)]
        return content_hash(*moments, self.step, self.betas, self.eps)


def precondition(gradients: Tensor, state: AdamState) -> Tensor:
    """The direction of Adam's next step were it taken for one example alone (Xia et al. 2024, section 3.1).

    ``m / (sqrt(v) + eps)`` with ``m = (b1 exp_avg + (1 - b1) g) / (1 - b1^t)``, ``v = (b2 exp_avg_sq + (1 - b2) g²) / (1 - b2^t)``
    and ``t = step + 1``.

    Args:
        gradients: of ``n`` examples, ``(n, p)``.
    Returns:
        ``(n, p)``, component by component.
    """
    first, second = state.betas
    steps = state.step + 1
    # The corrections are folded into the scalars; what remains is five passes over the components.
    mean = gradients.mul((1 - first) / (1 - first**steps)).add_(state.exp_avg, alpha=first / (1 - first**steps))
    square = gradients.square().mul_((1 - second) / (1 - second**steps)).add_(state.exp_avg_sq, alpha=second / (1 - second**steps))
    return mean.div_(square.sqrt_().add_(state.eps))


def read_adam(source: AdamSource, parameters: Parameters) -> AdamState:
    """Adam's state for these parameters, in their order.

    Understood are a torch optimiser's ``state_dict()`` (``optimizer.pt`` of transformers or of a plain loop; by parameter name
    where it has names, else by order), the same keyed by names (FSDP, torch.distributed.checkpoint), a plain dict of ``name ->
    {exp_avg, exp_avg_sq, step}``, and a safetensors file with ``NAME.exp_avg``, ``NAME.exp_avg_sq`` and ``step`` or
    ``NAME.step``. Names may carry what peft, DDP or torch.compile put around them; parameters that are not asked for are ignored
    where names tell them apart.

    Raises:
        InputError: no such file, not a state of Adam, or parameters are missing, ambiguous or of another shape.
    """
    said = source if isinstance(source, str | Path) else "the given optimiser state"
    content = _load(Path(source)) if isinstance(source, str | Path) else source
    groups = content.get("param_groups", ())
    entries = _by_name(content, groups) or _by_order(content, groups, parameters, said)
    found = [_entry(entries, name, shape, said) for name, shape in parameters]
    steps = {int(entry["step"]) for entry in (*found, content) if "step" in entry}
    if len(steps) != 1:
        raise _not_adam(said, "steps that are the same for all parameters" if steps else "the number of steps")
    group = groups[0] if groups else {}
    moments = [torch.cat([torch.as_tensor(entry[key]).float().reshape(-1).cpu() for entry in found]) for key in _MOMENTS]
    betas = tuple(float(beta) for beta in group.get("betas", (0.9, 0.999)))
    return AdamState(moments[0], moments[1], steps.pop(), (betas[0], betas[1]), float(group.get("eps", 1e-8)))


def plain_name(name: str) -> str:
    """A parameter's own name without what peft, DDP or torch.compile put around it.

    >>> plain_name("base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight")
    'model.layers.0.self_attn.q_proj.lora_A'
    """
    return _WRAPPING.sub("", name)


def _load(path: Path) -> Mapping[str, Any]:
    """What a file holds; pickles are opened in torch's safe mode, which can rebuild tensors and plain values only."""
    if not path.is_file():
        raise InputError(f"There is no optimiser state '{path}'", expected="a file such as checkpoint-100/optimizer.pt")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader stumbles on; any of it means the same here
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The optimiser state '{path}' could not be read safely: {reason}",
            expected="a file that torch.save wrote, of tensors and plain values only",
            fix="save optimizer.state_dict() anew, or write its moments as safetensors",
        ) from error
    if not isinstance(content, Mapping):
        raise _not_adam(path, "a dict")
    return content


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    content: dict[str, Any] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - not a dict
                name, _, kind = key.rpartition(".")
                place = content.setdefault(name, {}) if name else content
                place[kind or key] = file.get_tensor(key)
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"The optimiser state '{path}' is damaged: {error}", fix="write it again") from error
    return {**({"step": int(metadata["step"])} if "step" in metadata else {}), **content}


def _by_name(content: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Moments by plain name, where the state has names; else empty."""
    state = content.get("state", content)
    names = {number: name for group in groups for number, name in zip(group["params"], group.get("param_names", ()), strict=False)}
    named = {names.get(key, key): entry for key, entry in state.items() if isinstance(entry, Mapping) and _MOMENTS[0] in entry}
    return {plain_name(name): entry for name, entry in named.items() if isinstance(name, str)}


def _by_order(
    content: Mapping[str, Any], groups: Sequence[Mapping[str, Any]], parameters: Parameters, said: object
) -> dict[str, Mapping[str, Any]]:
    """Moments of a state that only numbers its parameters: as many as are asked for, in the same order."""
    state = content.get("state", {})
    numbers = [number for group in groups for number in group["params"] if number in state] or sorted(state)
    if len(numbers) != len(parameters):
        raise _not_adam(
            said,
            f"the {len(parameters)} parameters of these gradients in order, or with names; it has {len(numbers)} without names",
        )
    return {plain_name(name): state[number] for number, (name, _) in zip(numbers, parameters, strict=True)}


def _entry(entries: Mapping[str, Mapping[str, Any]], name: str, shape: tuple[int, ...], said: object) -> Mapping[str, Any]:
    entry = entries.get(plain_name(name))
    if entry is None or any(key not in entry for key in _MOMENTS):
        raise _not_adam(said, f"exp_avg and exp_avg_sq of '{plain_name(name)}'")
    for key in _MOMENTS:
        has = tuple(np.shape(entry[key]))
        if has != shape:
            raise _not_adam(said, f"{key} of '{plain_name(name)}' with shape {shape}, not {has}")
    return entry


def _not_adam(said: object, expected: str) -> InputError:
    return InputError(
        f"'{said}' is not the state of an Adam optimiser over the parameters whose gradients are taken",
        expected=expected,
        fix="give the optimiser state that was saved beside the adapter, or leave it out",
    )

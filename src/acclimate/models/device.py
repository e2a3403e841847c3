"""Where a model runs and in which precision."""

from __future__ import annotations

import torch

from acclimate.errors import InputError, unknown_name

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str | None = "auto") -> torch.device:
    """The device to run on; ``"auto"`` (or None) takes CUDA, then Apple's MPS, then the CPU.

    ``"cuda:1"`` names one of several accelerators.

    Raises:
        InputError: an unknown device, or one that this machine does not have.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    wanted, _, number = (name or "auto").partition(":")
    if wanted not in DEVICES or (number and not (wanted == "cuda" and number.isdecimal())):
        raise unknown_name("device", name or "auto", DEVICES)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(kind for kind, here in present.items() if here))
    if not present[wanted] or (number and int(number) >= torch.cuda.device_count()):
        usable = [kind for kind, here in present.items() if here]
        raise InputError(
            f"The device '{name}' is not usable here",
            expected=f"one of auto, {', '.join(usable)}",
            fix="use device auto, or install a build of torch that supports it",
        )
    return torch.device(name or "auto")


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision to compute in; ``"auto"`` is float32 everywhere, so that vectors from different machines can be compared.

    Raises:
        InputError: an unknown precision, or float16 on a CPU, where it is slower than float32 and overflows.

    >>> pick_dtype("auto", torch.device("cpu"))
    torch.float32
    """
    if name == "auto":
        return torch.float32
    if name not in DTYPES:
        raise unknown_name("dtype", name, ("auto", *DTYPES))
    if name == "float16" and device.type == "cpu":
        raise InputError("float16 on the CPU", expected="auto, float32 or bfloat16", fix="leave dtype at auto")
    return DTYPES[name]

"""Where and how a training computes: device, precision, memory, several processes, and who is told of its progress.

None of this says what is learned: a batch keeps its size and its order whatever part of it memory holds at once.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import InputError, MissingExtraError, unknown_name

if TYPE_CHECKING:  # recipes read these settings without loading torch
    import torch

#: Kinds of numbers to compute in; weights and optimiser stay in float32 throughout (mixed precision, Micikevicius 2018).
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: Who can be told of progress: the package each one needs, and the extra that brings it.
REPORTERS = {"tensorboard": ("tensorboard", "track"), "mlflow": ("mlflow", "track"), "wandb": ("wandb", "")}
#: Steps from which compiling is taken to pay on CUDA. An estimate, not a measurement: a compilation of one to two minutes (batches
#: of text are of many lengths, and some compile anew) against a fifth of 0.2 s saved with every step.
COMPILE_FROM = 2_000
#: CUDA capabilities from which float16, and bfloat16 with TF32, are computed by units of their own (Volta; Ampere).
HALVES, BRAINS = 7, 8


@dataclasses.dataclass(frozen=True)
class Hardware:
    """How training uses the machine; none of it changes the data or their order.

    Attributes:
        device: ``auto`` takes CUDA, then Apple's MPS, then the CPU; or one of these by name. Of several GPUs in one machine the
            variable ``CUDA_VISIBLE_DEVICES`` chooses, and ``torchrun`` uses all.
        precision: ``auto`` is bfloat16 on CUDA from Ampere on, float16 on Volta and Turing, float32 on MPS and the CPU, where only
            float32 gives the same bytes again. float16 scales the loss and skips steps that overflow.
        tf32: let float32 products on CUDA from Ampere on round their factors to 10 bits: 2 to 8 times as fast.
        compile: ``auto`` compiles the body of a model on CUDA for trainings of :data:`COMPILE_FROM` steps or more that have no
            further objective (these reach into layers, which a compiled body hides); true and false say so outright.
        accumulate: parts in which a batch goes through the model, its gradients added up: 4 needs about a quarter of the memory
            for activations. ``auto`` tries the whole batch and, whenever memory runs out, twice as many parts from the last
            checkpoint on; across several processes it stays at one part. Losses are weighted so that the task's gradient is that of
            the whole batch; what compares examples of a batch with each other (batch norm, alignment) sees a part.
        gradient_checkpointing: forget what lies between layers and compute it again on the way back: about a third slower, and
            activations of one layer at a time (Chen 2016).
        report_to: names of :data:`REPORTERS`, or of any other that transformers knows.
        fsdp, fsdp_config: as of ``transformers.TrainingArguments``: shard the model over processes that ``torchrun`` started.
        deepspeed: a DeepSpeed configuration, or the path of one.
    """

    device: str = "auto"
    precision: str = "auto"
    tf32: bool = True
    compile: bool | str = "auto"
    accumulate: int | str = "auto"
    gradient_checkpointing: bool = False
    report_to: tuple[str, ...] = ()
    fsdp: str = ""
    fsdp_config: Mapping[str, Any] | str | None = None
    deepspeed: Mapping[str, Any] | str | None = None

    def __post_init__(self) -> None:
        """Raises InputError: a value that means nothing."""
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", str(self.precision), PRECISIONS)
        for name in ("tf32", "gradient_checkpointing"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"The hardware setting {name} is {getattr(self, name)!r}", expected="true or false")
        if not isinstance(self.compile, bool) and self.compile != "auto":
            raise InputError(f"The hardware setting compile is {self.compile!r}", expected="auto, true or false")
        whole = isinstance(self.accumulate, int) and not isinstance(self.accumulate, bool) and self.accumulate >= 1
        if not whole and self.accumulate != "auto":
            raise InputError(f"The hardware setting accumulate is {self.accumulate!r}", expected="auto or a whole number from 1 on")
        told = (self.report_to,) if isinstance(self.report_to, str) else tuple(self.report_to)
        object.__setattr__(self, "report_to", tuple(name for name in told if name != "none"))
        if self.fsdp and self.deepspeed:
            raise InputError("Both fsdp and deepspeed are set", expected="one way to shard a model", fix="leave one of them out")

    @classmethod
    def of(cls, values: Hardware | Mapping[str, Any] | None) -> Hardware:
        """From a mapping such as a recipe's ``hardware`` section; None gives the defaults.

        >>> Hardware.of({"precision": "bfloat16", "report_to": "tensorboard"}).report_to
        ('tensorboard',)

        Raises:
            InputError: an unknown setting (with the nearest valid one) or a value that means nothing.
        """
        if isinstance(values, Hardware):
            return values
        names = [field.name for field in dataclasses.fields(cls)]
        for name in values or {}:
            if name not in names:
                raise unknown_name("hardware setting", name, names)
        return cls(**(values or {}))

    @property
    def numbers(self) -> dict[str, Any]:
        """The settings on which the digits of a result depend; none where all are at their defaults."""
        told = {"device": self.device, "precision": self.precision, "tf32": self.tf32, "accumulate": self.accumulate}
        usual = type(self)()
        return {name: value for name, value in told.items() if value != getattr(usual, name)}

    @property
    def shards(self) -> bool:
        """Whether no process holds the whole model while it trains."""
        return bool(self.fsdp or self.deepspeed)


@dataclasses.dataclass(frozen=True)
class Setup:
    """What :class:`Hardware` comes to on this machine.

    Attributes:
        device: ``cuda``, ``mps`` or ``cpu``.
        precision: ``float32``, ``bfloat16`` or ``float16``.
        tf32, compiles: whether products are rounded, whether the body is compiled.
        parts: into how many a batch is divided.
    """

    device: str
    precision: str
    tf32: bool
    compiles: bool
    parts: int = 1

    def arguments(self, hardware: Hardware) -> dict[str, Any]:
        """In the words of ``transformers.TrainingArguments``."""
        found: dict[str, Any] = {
            "use_cpu": self.device == "cpu",
            "bf16": self.precision == "bfloat16",
            "fp16": self.precision == "float16",
            "gradient_accumulation_steps": self.parts,
            "report_to": list(hardware.report_to) or "none",
        }
        if self.tf32:
            found["tf32"] = True
        if hardware.fsdp:
            found |= {"fsdp": hardware.fsdp, "fsdp_config": _plain(hardware.fsdp_config)}
        if hardware.deepspeed:
            found["deepspeed"] = _plain(hardware.deepspeed)
        return found


def set_up(hardware: Hardware, *, steps: int, has_objectives: bool) -> Setup:
    """What the settings come to on this machine.

    Raises:
        InputError: a device or precision that is not to be had here, or compiling asked for beside objectives.
        MissingExtraError: a reporter whose package is absent.
    """
    from acclimate.models.device import pick_device

    where = pick_device(hardware.device)
    if where.index is not None:
        raise InputError(
            f"device '{hardware.device}' for a training",
            expected="auto, cuda, mps or cpu",
            fix=f"CUDA_VISIBLE_DEVICES={where.index} and device: cuda train on that GPU",
        )
    _check_reporters(hardware.report_to)
    if hardware.compile is True and has_objectives:
        raise InputError(
            "compile: true beside further objectives",
            expected="the task loss alone: objectives reach into layers, which a compiled body hides",
            fix="use compile: auto",
        )
    return Setup(
        device=where.type,
        precision=pick_precision(hardware.precision, where),
        tf32=hardware.tf32 and _capability(where) >= BRAINS,
        compiles=pays_to_compile(where.type, steps, has_objectives) if hardware.compile == "auto" else bool(hardware.compile),
        parts=1 if hardware.accumulate == "auto" else int(hardware.accumulate),
    )


def pick_precision(name: str, device: torch.device) -> str:
    """The numbers to compute in on a device.

    Raises:
        InputError: float16 on a CPU, or bfloat16 on a GPU without it.
    """
    from acclimate.models.device import pick_dtype

    able = _capability(device)
    if name == "auto":
        return "bfloat16" if able >= BRAINS else "float16" if able >= HALVES else "float32"
    pick_dtype(name, device)
    if name == "bfloat16" and device.type == "cuda" and able < BRAINS:
        raise InputError("bfloat16 on a GPU older than Ampere", expected="auto, float32 or float16", fix="leave precision at auto")
    return name


def pays_to_compile(device: str, steps: int, has_objectives: bool) -> bool:
    """The rule behind ``compile: auto``, see :data:`COMPILE_FROM`.

    >>> pays_to_compile("cuda", 100, False), pays_to_compile("cpu", 5_000, False)
    (False, False)
    """
    return device == "cuda" and steps >= COMPILE_FROM and not has_objectives and importlib.util.find_spec("triton") is not None


def more_parts(rows: int, parts: int) -> int | None:
    """Into how many parts to divide a batch whose ``parts`` did not fit: the least divisor of its rows that at least doubles them.

    Args:
        rows: of a batch on one device.

    Returns:
        None where single examples did not fit either.

    >>> more_parts(16, 1), more_parts(12, 4), more_parts(16, 16)
    (2, 12, None)
    """
    return next((count for count in range(2 * parts, rows + 1) if rows % count == 0), None)


def leads() -> bool:
    """Whether this process writes for all that train together (``torchrun`` tells each its number)."""
    return int(os.environ.get("RANK", "0")) == 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of an accelerator or of the machine."""
    from accelerate.utils.memory import should_reduce_batch_size

    told = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # with or without a trace behind it
    return isinstance(error, MemoryError) or told or bool(should_reduce_batch_size(error))


def free_memory() -> None:
    """Give back what a failed attempt held."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


def _capability(device: torch.device) -> int:
    """The major CUDA capability; 0 of everything else."""
    import torch

    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0


def _check_reporters(names: tuple[str, ...]) -> None:
    for name in names:
        package, extra = REPORTERS.get(name, ("", ""))
        if package and importlib.util.find_spec(package) is None:
            if extra:
                raise MissingExtraError(f"report_to: {name}", extra)
            raise InputError(f"report_to: {name}, and '{package}' is not installed", fix=f"pip install {package}")
        if not package:
            from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

            if name not in INTEGRATION_TO_CALLBACK:
                raise unknown_name("reporter", name, INTEGRATION_TO_CALLBACK)


def _plain(value: Mapping[str, Any] | str | None) -> Any:
    """A mapping as a dict of its own, which transformers fills in; a path as text."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(Path(value).expanduser()) if value else None

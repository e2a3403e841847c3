"""Which weights are trained: all of them, the head alone, or small matrices beside frozen ones (by the ``peft`` library).

These are settings of training (``parameters`` of :class:`acclimate.tune.settings.TuneSettings`); the classes here describe them
for listings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from acclimate.errors import InputError, MissingExtraError

if TYPE_CHECKING:  # listings read the descriptions without loading torch
    from torch import nn

    from acclimate.models.objective import Model
    from acclimate.tune.settings import TuneSettings


class Lora:
    """Beside every linear layer of the frozen body two narrow matrices learn: ``W x + (α/r) B A x`` (Hu 2022, section 4.1).

    The fresh head is trained in full. After training the product is added to ``W``: what is saved is a plain model. Set by ``tune:
    {parameters: lora, rank: 8}``; α is twice the rank, so that the factor stays 2 whatever the rank.

    Use when: memory for gradients of the whole model is short, or forgetting shall be little; a learning rate some 10 times that
    of full tuning. Avoid when: the model is small (full tuning then serves better), or a convolutional one.
    """

    paper: ClassVar[str] = "Hu 2022"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Trains low-rank additions to frozen linear layers, merged at the end."
    summary_zh: ClassVar[str] = "训练冻结线性层旁的低秩增量，结束时合并（LoRA）。"


class Dora:
    """LoRA whose columns' lengths are trained apart from their directions (Liu 2024, eq. 5).

    Set by ``tune: {parameters: dora}``.

    Use when: LoRA falls short of full tuning at a low rank. Avoid when: time is short: a step costs up to twice one of LoRA.
    """

    paper: ClassVar[str] = "Liu 2024"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "LoRA with the length of each column trained apart from its direction."
    summary_zh: ClassVar[str] = "将权重的模长与方向分开训练的 LoRA（DoRA）。"


class Qlora:
    """LoRA beside linear layers that are held in four bits (NF4 with double quantisation; Dettmers 2023, section 3).

    Needs a CUDA GPU and ``bitsandbytes``. Set by ``tune: {parameters: qlora}``. At the end the four-bit weights are written out in
    full again, the product added: the saved model is a plain one, which differs from the base by the rounding to four bits too.

    Use when: the base model does not fit the GPU otherwise. Avoid when: it does.
    """

    paper: ClassVar[str] = "Dettmers 2023"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "LoRA beside linear layers held in four bits; CUDA only."
    summary_zh: ClassVar[str] = "在 4 比特量化的线性层旁训练 LoRA（QLoRA，仅限 CUDA）。"


METHODS: dict[str, Any] = {"lora": Lora, "dora": Dora, "qlora": Qlora}
#: What can be trained, by the name that recipes use.
PARAMETERS = ("full", "head", *METHODS)
#: Names under which the models keep what was pre-trained.
BODIES = ("encoder", "backbone", "inner")


class Adapters:
    """Adapters put into a model in place; :meth:`merge` makes it a plain one again."""

    def __init__(self, model: Model, tuner: Any) -> None:
        self._model, self._tuner = cast("nn.Module", model), tuner

    def merge(self) -> None:
        """Add the trained matrices to the weights they lie beside, and remove them."""
        if self._tuner is None:
            return
        name, body = body_of(self._model)
        widen(body)
        setattr(self._model, name, self._tuner.merge_and_unload())


def restrict(model: Model, settings: TuneSettings, seed: int) -> Adapters:
    """Let only what ``settings.parameters`` names be trained; fresh matrices follow from ``seed``.

    Raises:
        InputError: a head asked of a model that has none, adapters for a model without linear layers, or QLoRA without CUDA.
        MissingExtraError: QLoRA without bitsandbytes.
    """
    import torch

    module = cast("nn.Module", model)
    name, body = body_of(module)
    if settings.parameters == "full":
        return Adapters(model, None)
    if settings.parameters == "head":
        if name == "inner":
            raise InputError("A language model has no fresh head", expected="parameters: full, lora or dora", fix="use lora")
        body.requires_grad_(False)
        return Adapters(model, None)
    if settings.parameters == "qlora":
        if not torch.cuda.is_available():
            raise InputError("qlora was asked for, and there is no CUDA GPU", expected="a CUDA GPU", fix="use parameters: lora")
        quantise(body, torch.device("cuda"))
    return Adapters(model, _insert(body, settings, seed))


def _insert(body: nn.Module, settings: TuneSettings, seed: int) -> Any:
    import torch
    from peft import LoraConfig, LoraModel
    from torch import nn

    output = cast("Any", body).get_output_embeddings()  # None of an encoder
    targets = [name for name, part in body.named_modules() if isinstance(part, nn.Linear) and part is not output]
    if not targets:
        raise InputError(
            f"{settings.parameters} found no linear layer in a {type(body).__name__}",
            expected="a transformer",
            fix="use parameters: full or head",
        )
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=2 * settings.rank,
        lora_dropout=0.0,
        target_modules=targets,
        use_dora=settings.parameters == "dora",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LoraModel(body, {"default": config}, "default")


def body_of(model: nn.Module) -> tuple[str, nn.Module]:
    """The name and the module of what was pre-trained."""
    return next((name, part) for name, part in model.named_children() if name in BODIES)


def quantise(body: nn.Module, device: Any) -> None:
    """Put four-bit linear layers in the place of the body's, except for what scores the vocabulary; each is rounded on ``device``.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
    """
    import torch
    from torch import nn

    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingExtraError("qlora", "qlora") from error
    layers = cast("Any", bitsandbytes.nn)
    output = cast("Any", body).get_output_embeddings()  # None of an encoder
    for name, part in list(body.named_modules()):
        if not isinstance(part, nn.Linear) or part is output:
            continue
        made = layers.Linear4bit(
            part.in_features,
            part.out_features,
            bias=part.bias is not None,
            compute_dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
            quant_type="nf4",
            compress_statistics=True,
        )
        made.weight = layers.Params4bit(part.weight.detach(), requires_grad=False, quant_type="nf4", compress_statistics=True)
        made.bias = part.bias
        parent, _, own = name.rpartition(".")
        setattr(body.get_submodule(parent), own, made.to(device))


def widen(body: nn.Module) -> None:
    """Put plain linear layers back in the place of four-bit ones, with the values that those stand for."""
    import torch
    from torch import nn

    for name, part in list(body.named_modules()):
        if type(part).__name__ != "Linear4bit":
            continue
        from bitsandbytes.functional import dequantize_4bit

        held = cast("Any", part)
        made = nn.Linear(held.in_features, held.out_features, bias=held.bias is not None, device=held.weight.device)
        with torch.no_grad():
            made.weight.copy_(dequantize_4bit(held.weight.data, held.weight.quant_state))
            if held.bias is not None:
                made.bias.copy_(held.bias)
        parent, _, own = name.rpartition(".")
        setattr(body.get_submodule(parent), own, made)

"""The hidden layers of any backbone, and the mixing of examples inside them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from torch import Tensor, nn

from acclimate.errors import InputError
from acclimate.models.mixture import Mixture
from acclimate.models.pooling import mean_pool

#: What left each layer: ``(b, t, d)``, or of convolutions ``(b, d, h, w)``.
Recorded: TypeAlias = list[Tensor]


def find_layers(backbone: nn.Module) -> list[nn.Module]:
    """The layers that an example passes one after another: of the lists of modules that no other list contains, the largest.

    This is ``encoder.layer`` of BERT, ``layers`` of Llama and ViT, ``encoder.stages`` of ResNet and ConvNeXt. Of a model that
    sees and reads, it is the seeing half's.

    Raises:
        InputError: the backbone has no such list.
    """
    named = dict(backbone.named_modules())
    seeing = named.get("vision_model")
    named = named if seeing is None else dict(seeing.named_modules())
    lists = {name: module for name, module in named.items() if isinstance(module, nn.ModuleList) and len(module)}
    outer: list[nn.Module] = [
        module for name, module in lists.items() if not any(name.startswith(f"{other}.") for other in lists if other != name)
    ]
    if not outer:
        raise InputError(
            f"No hidden layers were found in a {type(backbone).__name__}",
            expected="a model with a list of layers, such as BERT, ViT, ResNet or Llama",
            fix="choose another model, or mix representations instead (mixup)",
        )
    return list(max(outer, key=_size).children())


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@contextlib.contextmanager
def mixing(layers: list[nn.Module], mixture: Mixture | None, mask: Tensor | None = None) -> Iterator[None]:
    """Inside, a forward pass mixes what leaves layer ``mixture.layer``, and the layers behind it look wherever either text has a
    token; padding enters a mixture as zeros.

    Args:
        mask: 1 for a real token, 0 for padding, ``(b, t)``; None of images.
    """
    if mixture is None:
        yield
        return

    def blend(hidden: Tensor) -> Tensor:
        real = hidden if mask is None else hidden * mask.unsqueeze(-1).to(hidden.dtype)
        return mixture.blend(real)

    handles = []
    if mixture.layer > 0:
        handles.append(layers[mixture.layer - 1].register_forward_hook(lambda _module, _args, output: _on_hidden(blend, output)))
    for number, layer in enumerate(layers[mixture.layer :], mixture.layer):
        hook = _entering(layer, mixture, blend if number == 0 else None)
        handles.append(layer.register_forward_pre_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_hidden(blend: Callable[[Tensor], Tensor], output: Any) -> Any:
    """Layers return their hidden states, alone or first of several values."""
    return (blend(output[0]), *output[1:]) if isinstance(output, tuple) else blend(output)


def _entering(layer: nn.Module, mixture: Mixture, blend: Callable[[Tensor], Tensor] | None) -> Callable[..., Any]:
    """What is done to a layer's arguments: masks are widened, and hidden states mixed where ``blend`` is given."""
    names = list(inspect.signature(layer.forward).parameters)

    def change(name: str, value: Any) -> Any:
        if name == names[0] and blend is not None:
            return blend(value)
        is_mask = "mask" in name and isinstance(value, Tensor) and len(value) == len(mixture.partner)
        return mixture.union(value) if is_mask else value  # a mask that all examples share stays as it is

    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        changed = tuple(change(name, value) for name, value in zip(names, args, strict=False))
        return (*changed, *args[len(names) :]), {name: change(name, value) for name, value in kwargs.items()}

    return hook


@contextlib.contextmanager
def recording(layers: Sequence[nn.Module]) -> Iterator[Recorded]:
    """Gives a list into which a forward pass inside puts what leaves each layer; with no layers the pass is untouched."""
    found: Recorded = []

    def listen(_module: nn.Module, _args: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    handles = [layer.register_forward_hook(listen) for layer in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def over_places(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over real tokens ``(b, t, d)``, or over places ``(b, d, h, w)``, of what left a layer: ``(b, d)``."""
    if hidden.ndim == 4:
        return hidden.mean((2, 3))
    return hidden.mean(1) if mask is None or mask.shape != hidden.shape[:2] else mean_pool(hidden, mask)

"""What training minimises is a sum of objectives; this is the shape of one, and of the models that objectives work on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from acclimate.errors import RunError
from acclimate.models.layers import Recorded, recording
from acclimate.models.mixture import Mixture
from acclimate.models.passes import Dropout, carry, trainable

#: A label that is no label: of padding, and of what a language model is not asked for.
IGNORED = -100

#: What a model reads and is asked for: the class of a text, the class of an image, the next token, or hidden tokens.
Modality = Literal["text", "image", "causal-lm", "masked-lm"]


@dataclasses.dataclass
class Tasks:
    """Which task each labelled example of a batch belongs to; the target's is number 0.

    Attributes:
        numbers: ``(b,)``.
        labels: class numbers within the own task ``(b,)``.
        heads: for every task, how many classes its own head tells apart; 0 where it shares the model's ``(tasks,)``.
    """

    numbers: Tensor
    labels: Tensor
    heads: Tensor


@dataclasses.dataclass
class Batch:
    """What one optimiser step sees.

    Attributes:
        inputs: keyword arguments of the model: ``input_ids`` and ``attention_mask``, both ``(b, t)``; of images ``pixel_values``
            ``(b, 3, h, w)`` between 0 and 1. Rows in which several documents stand bring ``position_ids`` ``(b, t)`` that begin
            anew with each; masked language models bring ``masked`` ``(b, m)``, the places that are asked for.
        labels: class numbers ``(b,)``; of language models the token that follows each one, ``(b, t)``, or the token that was
            hidden, ``(b, m)``; :data:`IGNORED` where none is asked for.
        weights: example weights ``(b,)``, mean about 1; of several documents in a row each token's, as ``labels``.
        from_target: ``(b,)`` bool, True where the example belongs to the target domain.
        generator: the step's own random generator, on the CPU; seeded from (seed, step), so a resumed run draws the same.
        step: optimiser steps done so far.
        unlabelled: inputs of target examples without labels, as ``inputs``; None unless an objective asks for them.
        steps: optimiser steps of the whole training.
        soft: class probabilities to learn from in the place of ``labels`` ``(b, c)``, whose largest ``labels`` still names; None
            where labels are all there is.
        views: the unlabelled examples as a :class:`SeesViews` wants them changed, each as ``inputs``.
        tasks: where examples are of several tasks; ``labels`` of those with a head of their own are then :data:`IGNORED`.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    weights: Tensor
    from_target: Tensor
    generator: torch.Generator
    step: int
    unlabelled: Mapping[str, Tensor] | None = None
    steps: int = 1
    soft: Tensor | None = None
    views: tuple[Mapping[str, Tensor], ...] = ()
    tasks: Tasks | None = None

    @property
    def progress(self) -> float:
        """The share of training that is done, 0 to 1: what schedules are functions of."""
        return min(self.step / max(self.steps, 1), 1.0)

    @property
    def scored(self) -> Tensor:
        """Which labels count, as ``labels``."""
        return self.labels != IGNORED


class Model(Protocol):
    """A model in two halves, so that objectives can reach what lies before, inside and between them.

    A representation is one vector per example ``(b, d)``, or of language models one per token ``(b, t, d)``, of masked ones one
    per hidden token ``(b, m, d)``; logits accordingly.
    """

    @property
    def modality(self) -> Modality:
        """What it reads and is asked for."""
        ...

    @property
    def depth(self) -> int:
        """Number of hidden layers in which examples can be mixed."""
        ...

    @property
    def layers(self) -> list[nn.Module]:
        """The hidden layers, first to last."""
        ...

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The continuous form of the inputs: token embeddings ``(b, t, d)``, pixels ``(b, 3, h, w)``."""
        ...

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None, mixture: Mixture | None = None) -> Tensor:
        """Inputs to representations; from ``embedded`` instead of what :meth:`embed` gives, mixed inside where told."""
        ...

    def classify(self, representation: Tensor) -> Tensor:
        """Representations to logits ``(..., c)``."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of ``nn.Module``."""
        ...

    def modules(self) -> Iterator[nn.Module]:
        """As of ``nn.Module``."""
        ...


class Outputs:
    """The plain forward pass of a batch, run when first asked for: an objective that replaces the task loss never pays for it.

    Args:
        objectives: all that will look at it. With none it is the model's own pass, untouched.
    """

    def __init__(self, model: Model, batch: Batch, objectives: Sequence[Objective] = ()) -> None:
        self._model, self._batch = model, batch
        self._watched = bool(objectives)
        self._counts_task = not any(objective.replaces_task for objective in objectives)
        self._shared = len(objectives) > 1
        self._records = any(isinstance(one, ReadsLayers) and one.reads_layers for one in objectives)
        # The only one that looks wants the gradient: the way back is gone once, for inputs and parameters together.
        self._carries = self._counts_task and not self._shared and any(one.needs_input_gradient for one in objectives)

    @cached_property
    def embedded(self) -> Tensor:
        """The continuous form of the inputs; looked up once, so that its big gradient is made once."""
        return self._model.embed(self._batch.inputs)

    @property
    def representation(self) -> Tensor:
        """``(b, d)`` or ``(b, t, d)``"""
        return self._pass[0]

    @property
    def dropout(self) -> Dropout:
        """What this pass drops, for passes that shall drop the same."""
        return self._pass[1]

    @cached_property
    def logits(self) -> Tensor:
        """``(b, c)`` or ``(b, t, c)``"""
        representation, dropout, position, _ = self._pass
        with dropout.again(position) if self._watched else contextlib.nullcontext():
            return self._model.classify(representation)

    @property
    def hidden(self) -> Recorded:
        """What left each hidden layer on the plain pass; empty unless an objective is a :class:`ReadsLayers`."""
        return self._pass[3]

    @cached_property
    def unlabelled(self) -> Tensor:
        """Representations of the unlabelled batch ``(u, d)``, made once for all objectives.

        Raises:
            RunError: the batch brings none.
        """
        if self._batch.unlabelled is None:
            raise RunError("An objective was handed no unlabelled batch", expected="Batch.unlabelled, as needs_unlabelled asks")
        with recording(self._model.layers if self._records else []) as self._unlabelled_hidden:
            return self._model.represent(self._batch.unlabelled)

    @property
    def unlabelled_hidden(self) -> Recorded:
        """As :attr:`hidden`, of the unlabelled batch."""
        assert self.unlabelled is not None
        return self._unlabelled_hidden

    @cached_property
    def unlabelled_logits(self) -> Tensor:
        """Logits of the unlabelled batch ``(u, c)``."""
        return self._model.classify(self.unlabelled)

    @property
    def task_loss(self) -> Tensor:
        """The plain task loss."""
        return self._gradient[0] if self._carries else task_loss(self.logits, self._batch)

    def input_gradient(self) -> Tensor:
        """The gradient of the task loss with respect to :attr:`embedded`.

        Where nothing else goes through this pass, its parameters' gradients are taken on the same way back and the task loss
        carries them, so that no second way back is needed.
        """
        return self._gradient[1]

    def pull_back(self, cotangent: Tensor) -> Tensor:
        """The gradient of ``Σ cotangent · logits`` with respect to :attr:`embedded`; cotangent as :attr:`logits`."""
        (gradient,) = torch.autograd.grad(self.logits, [self._entry], cotangent, retain_graph=True)
        return gradient

    @cached_property
    def _pass(self) -> tuple[Tensor, Dropout, int, Recorded]:
        """The representation, what is dropped, how much of that was dropped before the head, and what left the layers."""
        dropout = Dropout(self._entry.device)
        layers = self._model.layers if self._records else []
        with dropout.again() if self._watched else contextlib.nullcontext(), recording(layers) as hidden:
            representation = self._model.represent(self._batch.inputs, embedded=self._entry)
        return representation, dropout, dropout.position, hidden

    @cached_property
    def _entry(self) -> Tensor:
        """Where the pass starts, ready for gradients; cut off from the embedding layer where the gradient stops here."""
        if not self._watched or (self.embedded.requires_grad and not self._carries):
            return self.embedded
        return self.embedded.detach().requires_grad_()

    @cached_property
    def _gradient(self) -> tuple[Tensor, Tensor]:
        loss = task_loss(self.logits, self._batch)
        if not self._carries:
            (gradient,) = torch.autograd.grad(loss, [self._entry], retain_graph=self._counts_task or self._shared)
            return loss, gradient
        parameters = trainable(self._model)
        gradient, *others = torch.autograd.grad(loss, [self._entry, *parameters], allow_unused=True)
        return carry(loss, [self.embedded, *parameters], [gradient, *others]), gradient


class Objective(Protocol):
    """A scalar term of the loss; its weight and schedule are set from outside.

    ``modality`` says which models it serves. ``replaces_task`` says that the term already contains the task loss (mixup does), so
    the plain one is left out. ``needs_unlabelled`` asks for a batch of target examples without labels beside the labelled one,
    ``needs_input_gradient`` for :meth:`Outputs.input_gradient`.
    """

    @property
    def modality(self) -> tuple[str, ...]: ...

    @property
    def replaces_task(self) -> bool: ...

    @property
    def needs_unlabelled(self) -> bool: ...

    @property
    def needs_input_gradient(self) -> bool: ...

    def __call__(self, model: Model, batch: Batch, outputs: Outputs, /) -> Tensor:
        """The scalar term, averaged over the batch."""
        ...


@runtime_checkable
class ReadsLayers(Protocol):
    """An :class:`Objective` that looks at :attr:`Outputs.hidden`; where none does, nothing is recorded."""

    @property
    def reads_layers(self) -> bool: ...


@runtime_checkable
class SeesViews(Protocol):
    """An :class:`Objective` that looks at :attr:`Batch.views`: unlabelled examples, changed before the model reads them.

    ``ratio`` says how many unlabelled examples a batch brings for each labelled one.
    """

    @property
    def ratio(self) -> int: ...

    def view(self, contents: Sequence[Any], copies: Sequence[int], seed: int, /) -> tuple[Sequence[Any], ...]:
        """Each view of ``n`` contents; what is drawn for one follows from (seed, content, copy) alone.

        Args:
            copies: how often each was seen before ``(n,)``.
        """
        ...


@runtime_checkable
class SeparatesTasks(Protocol):
    """An :class:`Objective` that tells tasks apart; where none does, a class outside the target's cannot be learned from."""

    @property
    def separates_tasks(self) -> bool: ...


#: Gives the labelled training examples in batches, each once and always in the same order.
Batches = Callable[[], Iterator[Batch]]


@runtime_checkable
class Equipped(Protocol):
    """An :class:`Objective` with a network of its own: a domain classifier, a second head, a frozen copy of where training began.

    Before the first step :func:`acclimate.models.companions.equip` asks each one for its companion and hangs it on the model, so
    that it moves to the device, is trained by the same optimiser, seen by wrappers such as DDP, and written into checkpoints with
    the model. It is taken off before the model is handed out. While training, an objective finds its own by
    :func:`acclimate.models.companions.companion_of`. What must not be trained has ``requires_grad`` off; checkpoints leave it out
    and a resumed training makes it again, so it may depend on the base model, the examples and the seed alone.
    """

    def companion(self, model: Model, batches: Batches, /) -> nn.Module:
        """The network, fresh; torch's generator is seeded, so plain initialisation repeats itself."""
        ...


@runtime_checkable
class Concludes(Protocol):
    """An :class:`Objective` that has the last word: it sets the head that the trained model answers by."""

    def conclude(self, model: Model, batches: Batches, /) -> None:
        """Called after the last step, without gradients, before its companion is taken off; ``batches`` gives every labelled
        example."""
        ...


def task_loss(logits: Tensor, batch: Batch) -> Tensor:
    """The task loss for given logits ``(b, c)`` or ``(b, t, c)``: see :func:`weighted_cross_entropy`; against soft labels where
    the batch has them."""
    if batch.soft is None:
        return weighted_cross_entropy(logits, batch.labels, batch.weights)
    losses = nn.functional.cross_entropy(logits, batch.soft.to(logits.dtype), reduction="none")
    return weighted_mean(losses, batch.scored, batch.weights)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy averaged with example weights, ``sum_i w_i CE_i / sum_i w_i``.

    Args:
        logits: ``(b, c)``, or ``(b, t, c)`` of language models, where every scored token has the weight of its example.
        labels: ``(b,)`` or ``(b, t)``; :data:`IGNORED` ones do not count.
        weights: ``(b,)``.
    """
    return weighted_mean(cross_entropies(logits, labels), labels != IGNORED, weights)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy at each position, 0 where the label is :data:`IGNORED`: ``(..., c)``, ``(...)`` to ``(...)``."""
    flat = nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none", ignore_index=IGNORED)
    return flat.view(labels.shape)


def weighted_mean(values: Tensor, scored: Tensor, weights: Tensor) -> Tensor:
    """``Σ w v / Σ w`` over the scored positions; values and scored ``(b, ...)``, weights ``(b,)`` or as these."""
    each = weights if weights.ndim == values.ndim else weights.reshape(-1, *[1] * (values.ndim - 1))
    spread = each * scored
    return (values * spread).sum() / spread.sum().clamp_min(1e-12)

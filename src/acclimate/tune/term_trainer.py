"""The trainer of ``transformers`` as we drive it: its loss is a sum of named terms, its every draw follows from (seed, step)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from acclimate.engine.progress import track
from acclimate.errors import InputError, RunError
from acclimate.models.companions import COMPANIONS
from acclimate.models.objective import IGNORED, Batch, Model
from acclimate.tune import checkpoints
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import Base
from acclimate.tune.feed import as_batch
from acclimate.tune.hardware import Hardware, Setup, more_parts
from acclimate.tune.schedule import layer_groups, rate_factors, slanted_triangular, split_by_rate, thaw
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Term, evaluate_terms
from acclimate.tune.watch import Watch

#: How often a training logs its terms.
LOGS = 20


class TermTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Sums the weighted task loss and the objectives, and draws everything from (seed, step)."""

    lr_scheduler: Any

    def __init__(
        self, terms: Sequence[Term], seed: int, *, layer_decay: float = 1.0, climb: float | None = None, **trainer: Any
    ) -> None:
        """Take what the loss consists of, and the arguments of ``transformers.Trainer``.

        Args:
            layer_decay: see :class:`acclimate.tune.schedule.Discriminative`.
            climb: share of the steps over which a slanted triangle climbs; None where the rate takes another course.
        """
        self._layer_decay, self._climb = layer_decay, climb
        super().__init__(**trainer)
        self._terms = tuple(terms)
        self._seed = seed
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, float] = {}
        self._moving = {term.name for term in terms if term.schedule != "constant"}
        self._summed = 0
        self._shares: list[float] = [1.0]
        self._part = 0
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        """The dataset is already in the order of training."""
        return SequentialSampler(self.train_dataset if train_dataset is None else train_dataset)

    def create_optimizer(self, model: Any = None) -> Any:
        """With a learning rate for each layer where they differ."""
        optimizer = super().create_optimizer(model)
        if self._layer_decay != 1:
            factors = rate_factors(layer_groups(self.accelerator.unwrap_model(self.model)), self._layer_decay)
            groups = split_by_rate(optimizer.param_groups, factors, self.args.learning_rate)
            optimizer.param_groups.clear()
            for group in groups:
                optimizer.add_param_group(group)
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The course of the learning rate."""
        if self._climb is not None and self.lr_scheduler is None:
            course = partial(slanted_triangular, steps=num_training_steps, cut=self._climb)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, course)
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The parts of the next batch, and how much each weighs in the mean over all of it."""
        parts, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        weights = [_weight(part["labels"], part["weights"]) for part in parts] if len(parts) > 1 else [1.0]
        whole = sum(weights) / len(weights) or 1.0
        self._shares, self._part = [weight / whole for weight in weights], 0
        return parts, items

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """One forward and backward pass; dropout draws from (seed, step), so a resumed run drops what an undisturbed one does."""
        torch.manual_seed(derive(self._seed, "dropout", *self._place()))
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self._part += 1
        return loss

    def _place(self) -> list[int]:
        """Step, process and, from the second on, part of the batch: what random draws follow from."""
        return [self.state.global_step, self.args.process_index, *([self._part] if self._part else [])]

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor | tuple[Tensor, Any]:
        """The sum of all terms.

        Raises:
            RunError: it is not a finite number.
        """
        del num_items_in_batch  # every term is already a mean over the batch
        batch = self._batch(inputs)
        outputs = model(step=lambda classifier: self._sum_terms(classifier, batch))
        if not torch.isfinite(outputs.loss):
            raise RunError(
                f"The loss became {outputs.loss.item()} at step {self.state.global_step + 1}",
                expected="a finite number",
                fix=f"use a lower lr (it is {self.args.learning_rate:g}) or a smaller weight for the objectives",
            )
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    def _sum_terms(self, model: Model, batch: Batch) -> Tensor:
        values = evaluate_terms(self._terms, model, batch)
        share = self._shares[self._part]
        for name, weight, value in values:
            self._weights[name] = weight
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + share * value.detach()
        self._summed += 1
        return share * torch.stack([weight * value for _, weight, value in values]).sum()

    def _batch(self, inputs: Mapping[str, Tensor]) -> Batch:
        generator = torch.Generator().manual_seed(derive(self._seed, "objectives", *self._place()))
        return as_batch(inputs, generator, self.state.global_step, self.args.max_steps)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of every term since the last log, and the present weight of those whose weight moves."""
        if self._summed:
            means = {f"term/{name}": total.item() / self._summed for name, total in self._sums.items()}
            weights = {f"weight/{name}": weight for name, weight in self._weights.items() if name in self._moving}
            self._sums, self._summed = {}, 0
            logs = {**logs, **means, **weights}
        super().log(logs, start_time)

    def history(self) -> list[dict[str, float]]:
        """What was logged while training, without the closing summary of times."""
        return [entry for entry in self.state.log_history if "loss" in entry]

    def _get_output_dir(self, trial: Any) -> str:
        """Checkpoints are written aside first, see :meth:`_save_checkpoint`."""
        return str(Path(super()._get_output_dir(trial)) / checkpoints.STAGING)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A process killed while writing leaves the last whole checkpoint, never half of one."""
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, SafetensorError) as error:
            raise RunError(
                f"A checkpoint could not be written to '{self.args.output_dir}': {error}",
                expected="a writable folder with free space",
                fix="free some space and start again: training continues from the last whole checkpoint",
            ) from error
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            checkpoints.publish(Path(self.args.output_dir), self.state.global_step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The model as safetensors, without the pickled arguments that transformers would add.

        Companions of objectives lie in the same file; what of them is frozen is made again on resuming.
        """
        model = self.accelerator.unwrap_model(self.model)
        frozen = {name for name, value in model.named_parameters() if not value.requires_grad and name.startswith(COMPANIONS)}
        if frozen:
            whole = model.state_dict() if state_dict is None else state_dict
            state_dict = {name: value for name, value in whole.items() if name not in frozen}
        self.accelerator.unwrap_model(self.model).save_pretrained(
            output_dir or self.args.output_dir, state_dict=state_dict, is_main_process=self.args.should_save
        )


class Thaw(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Lets one more layer learn every few steps, see :class:`acclimate.tune.schedule.GradualUnfreezing`."""

    def __init__(self, groups: Sequence[Sequence[torch.nn.Parameter]], every: int) -> None:
        self._groups, self._every = groups, every

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        thaw(self._groups, state.global_step, self._every)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        thaw(self._groups, len(self._groups), 1)


class Watching(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Shows the model as it is, every so many steps but the last, see :class:`acclimate.tune.watch.Watch`."""

    def __init__(self, watch: Watch, base: Base, about: Mapping[str, Any]) -> None:
        self._watch, self._base, self._about = watch, base, about

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        if state.global_step % self._watch.every == 0 and state.global_step < state.max_steps:
            model = self._base.model
            try:
                self._watch.look(state.global_step, Adapted(cast("Any", model), self._base.reader, self._about))
            finally:
                model.train()


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Moves acclimate's progress bar, one tick a step."""

    def __init__(self) -> None:
        self._bar: Iterator[int] = iter(())

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        left = state.max_steps - state.global_step
        self._bar = track(range(left), "fine-tuning", total=left)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        next(self._bar, None)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        next(self._bar, None)


def _weight(labels: Tensor, weights: Tensor) -> float:
    """What the labels of a batch that are asked for weigh together; labels ``(b, ...)``, weights ``(b,)`` or as these."""
    each = weights if weights.ndim == labels.ndim else weights.reshape(-1, *[1] * (labels.ndim - 1))
    return float((each * (labels != IGNORED)).sum())


def arguments_for(settings: TuneSettings, place: Path, seed: int, hardware: Hardware, setup: Setup, *, keep: bool) -> Any:
    """Our few settings in the words of transformers; everything that guesses or pushes is off, and reports where not asked for."""
    arguments = TrainingArguments(
        output_dir=str(place),
        max_steps=settings.steps,
        learning_rate=settings.lr,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup * settings.steps),
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule)
        if settings.schedule != "slanted-triangular"
        else "linear",
        max_grad_norm=settings.max_grad_norm,
        save_strategy="steps" if keep else "no",
        save_steps=settings.checkpoint_every,
        logging_steps=max(1, settings.steps // LOGS),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        seed=seed % 2**32,
        **setup.arguments(hardware),
    )
    if settings.batch_size % arguments.world_size:
        raise InputError(
            f"A batch of {settings.batch_size} over {arguments.world_size} processes",
            expected="a batch_size that is a multiple of the number of processes",
            fix=f"use batch_size {-(-settings.batch_size // arguments.world_size) * arguments.world_size}",
        )
    rows = settings.batch_size // arguments.world_size
    if rows % setup.parts:
        raise InputError(
            f"A batch of {rows} examples on a device in {setup.parts} parts",
            expected="accumulate to divide it",
            fix=f"use accumulate {more_parts(rows, -(-setup.parts // 2)) or rows}",
        )
    arguments.per_device_train_batch_size = rows // setup.parts
    # Several GPUs in one process would be driven by DataParallel, which copies models and splits tensors but knows nothing of a
    # step; one process each (torchrun) is the way to use them.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments

"""The one training loop: a ``transformers.Trainer`` whose loss is a sum of named terms and whose every draw can be repeated."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from acclimate.augment.mix import METHODS as MIXERS
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError, RunError, unknown_name
from acclimate.models.companions import dismiss, equip
from acclimate.models.loading import quiet
from acclimate.models.objective import IGNORED, Batch, Batches, Concludes, Objective, SeesViews
from acclimate.tune import checkpoints
from acclimate.tune.adapted import Adapted, is_finished
from acclimate.tune.bases import LANGUAGE, TASKS, Base, load_base
from acclimate.tune.card import versions
from acclimate.tune.examples import Content, Examples
from acclimate.tune.feed import Collator, Draws, labelled_batches
from acclimate.tune.hardware import Hardware, Setup, free_memory, is_out_of_memory, more_parts, set_up
from acclimate.tune.peft import Adapters, body_of, restrict
from acclimate.tune.pieces import in_packs, in_pieces
from acclimate.tune.readers import Reader, Splitting
from acclimate.tune.schedule import layer_groups
from acclimate.tune.seeds import derive, untouched_randomness
from acclimate.tune.settings import TuneSettings
from acclimate.tune.term_trainer import Progress, TermTrainer, Thaw, Watching, arguments_for
from acclimate.tune.terms import Term
from acclimate.tune.watch import Watch


def fine_tune(
    model_name: str,
    examples: Examples,
    classes: Sequence[str],
    settings: TuneSettings | None = None,
    objectives: Sequence[Term] = (),
    seed: int = 0,
    folder: Path | None = None,
    save: bool = False,
    task: str = "text-classification",
    called: str | None = None,
    hardware: Hardware | None = None,
    facts: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> Adapted:
    """Train every weight of a model, and of a classifier's fresh head, for ``settings.steps`` optimiser steps.

    On a CPU, the same arguments and the same number of threads give the same weights, byte for byte: also when a process was
    killed and this is called again with the same ``folder``.

    Args:
        model_name: ``asset:NAME``, a local folder or a hub name; ``small-cnn`` is a network for digits, trained from scratch.
        examples: what is learned from; labels are class numbers into ``classes``, which are none for a language model.
        objectives: see :func:`acclimate.tune.terms.build_terms`.
        folder: where checkpoints lie while training lasts; they are removed at its end.
        save: write the finished model into ``folder`` too; where it already lies there, made of the same, it is read back.
        task: one of :data:`acclimate.tune.bases.TASKS`.
        called: what records call the model, where its name is only the place in which it lies.
        hardware: where and how it computes; the best that the machine has where not given.
        facts: what a saved model's card tells of ``data``, ``arm`` and ``evidence``; nothing depends on it.
        watch: looks at the model while it learns, and may end the training by raising; nothing else depends on it.

    Raises:
        InputError: no examples, one class only, a label outside ``classes``, an objective that does not serve the task or lacks
            the unlabelled examples it needs, or a model that cannot be used.
        RunError: the loss stopped being a number, or not even one example at a time fits the memory.
    """
    chosen = settings or TuneSettings()
    means = hardware or Hardware()
    check(examples, classes, chosen, objectives, task)
    setup = set_up(means, steps=chosen.steps, has_objectives=bool(objectives))
    base = load_base(model_name, task, classes, seed, chosen)
    about: dict[str, Any] = {
        "task": task,
        "base": called or model_name,
        "base_fingerprint": base.fingerprint,
        "settings": dataclasses.asdict(chosen),
        "objectives": [
            {"method": term.name, "weight": term.weight, "schedule": term.schedule, **term.settings} for term in objectives
        ],
        "seed": seed,
        "hardware": {name: getattr(setup, name) for name in ("device", "precision", "parts")},
    }
    about["training"] = _key(about, examples, classes)
    if save and folder is not None and is_finished(folder, about["training"]):
        return Adapted.load(folder)
    counts = _counts(examples)
    examples, read = readable(examples, base.reader, chosen)
    about |= {"read": read} if read else {}
    about |= {"notes": list(base.notes)} if base.notes else {}
    with contextlib.ExitStack() as stack:
        place = checkpoints.place(folder) if folder else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(untouched_randomness())
        stack.enter_context(quiet())
        first = [base]
        del base  # a training that has to start again needs the memory

        def make(setup: Setup) -> Loop:
            again = first.pop() if first else load_base(model_name, task, classes, seed, chosen)
            loop = assemble(again, examples, chosen, objectives, seed, place, means, setup, keep=folder is not None)
            if watch is not None:
                loop.trainer.add_callback(Watching(watch, again, about))
            return loop

        loop, setup = train(make, lambda: checkpoints.claim(place, about["training"]), means, setup, chosen)
        about["hardware"]["parts"] = setup.parts
        about |= {"versions": versions(), "facts": {"data": counts, **(facts or {})}}
        model = loop.finish(lambda: load_base(model_name, task, classes, seed, chosen))
        adapted = Adapted(model.eval(), loop.reader, about, loop.trainer.history())
        if save and folder is not None and loop.trainer.args.should_save:
            adapted.save(folder)
        checkpoints.release(place)
    return adapted


@dataclasses.dataclass(frozen=True, eq=False)
class Loop:
    """A training, ready to start: the trainer, the adapters that its end merges, and the labelled examples in batches, all of them
    with ``most=None``."""

    trainer: TermTrainer
    adapters: Adapters
    reader: Reader
    settings: TuneSettings
    objectives: tuple[Objective, ...]
    seed: int
    batches: Callable[..., Iterator[Batch]]
    sharded: bool

    def finish(self, load: Callable[[], Base]) -> Any:
        """The plain model that training made.

        Args:
            load: the base model again; asked for where the trained one lies in pieces on several processes.
        """
        if not self.sharded:
            model = self.trainer.accelerator.unwrap_model(self.trainer.model, keep_fp32_wrapper=False)
            body_of(model)[1]._compiled_call_impl = None  # as it was: answers do not depend on a compiler
            self._end(model, self.adapters)
            return model
        weights = self.trainer.accelerator.get_state_dict(self.trainer.model_wrapped)
        whole = cast("Any", load().model)
        if weights:  # the main process holds them
            adapters = _ready(whole, self.settings, self.objectives, self.seed, self.batches)
            whole.load_state_dict(weights)
            self._end(whole, adapters)
        return whole

    def _end(self, model: Any, adapters: Adapters) -> None:
        """Merge adapters, let objectives that have a last word set the head, and take their companions off."""
        adapters.merge()
        model.eval()
        with torch.no_grad():
            for objective in self.objectives:
                if isinstance(objective, Concludes):
                    objective.conclude(model, partial(self.batches, most=None))
        dismiss(model)


def assemble(
    base: Base,
    examples: Examples,
    settings: TuneSettings,
    objectives: Sequence[Term],
    seed: int,
    place: Path,
    hardware: Hardware,
    setup: Setup,
    *,
    keep: bool,
    draws: Draws | None = None,
) -> Loop:
    """Everything that :func:`fine_tune` starts, from a base model.

    Args:
        keep: whether checkpoints are written into ``place``.
        draws: the order of the examples; that of ``seed`` where not given.
    """
    inner = tuple(term.objective for term in objectives)
    viewer = _viewer(objectives)
    reads = Collator(examples, base.reader, partial(_views, viewer, seed) if viewer else None)
    batches = partial(labelled_batches, reads, len(examples))
    adapters = _ready(base.model, settings, inner, seed, batches)
    _ease(body_of(cast("torch.nn.Module", base.model))[1], hardware, setup)
    trainer = TermTrainer(
        objectives,
        seed,
        model=base.model,
        args=arguments_for(settings, place, seed, hardware, setup, keep=keep),
        train_dataset=draws or draw(examples, settings, objectives, seed),
        data_collator=reads,
        callbacks=[Progress()],
        layer_decay=settings.layer_decay,
        climb=settings.warmup if settings.schedule == "slanted-triangular" else None,
    )
    if settings.unfreeze:
        epoch = len(examples) / settings.batch_size
        trainer.add_callback(Thaw(layer_groups(base.model), math.ceil(settings.unfreeze * epoch)))
    return Loop(trainer, adapters, base.reader, settings, inner, seed, batches, hardware.shards)


def readable(examples: Examples, reader: Reader, settings: TuneSettings) -> tuple[Examples, Mapping[str, int]]:
    """What a model reads at once: documents of language models in pieces, packed where asked for, with counts of these; others as
    they are.

    Raises:
        InputError: no document holds a token to learn from.
    """
    if not isinstance(reader, Splitting):
        return examples, {}
    pieces, told = in_pieces(examples, reader.pieces)
    return (in_packs(pieces, reader.max_length) if settings.packing else pieces), told


def draw(examples: Examples, settings: TuneSettings, objectives: Sequence[Term], seed: int) -> Draws:
    """The order of the examples, with as many unlabelled ones as the objectives want."""
    viewer = _viewer(objectives)
    wanting = any(term.objective.needs_unlabelled for term in objectives)
    return Draws(examples, settings, seed, wanting, viewer.ratio if viewer else 1)


def _ready(model: Any, settings: TuneSettings, objectives: Sequence[Objective], seed: int, batches: Batches) -> Adapters:
    """Give a model its adapters and the companions of its objectives."""
    adapters = restrict(model, settings, derive(seed, "companions"))
    equip(model, objectives, batches, derive(seed, "companions"))
    return adapters


def _viewer(objectives: Sequence[Term]) -> SeesViews | None:
    """The objective that sees changed unlabelled examples.

    Raises:
        InputError: there are several, which would each want others.
    """
    found = [(term.name, term.objective) for term in objectives if isinstance(term.objective, SeesViews)]
    if len(found) > 1:
        names = " and ".join(name for name, _ in found)
        raise InputError(f"{names} each see views of their own", expected="at most one such objective", fix="choose one")
    return found[0][1] if found else None


def _views(viewer: SeesViews, seed: int, contents: Sequence[Content], copies: Sequence[int]) -> Sequence[Sequence[Content]]:
    return viewer.view(contents, copies, derive(seed, "views"))


def train(
    make: Callable[[Setup], Loop], last: Callable[[], Path | None], hardware: Hardware, setup: Setup, settings: TuneSettings
) -> tuple[Loop, Setup]:
    """Train to the end, in smaller parts from the last checkpoint on whenever memory runs out.

    Args:
        make: a loop at its start.
        last: the checkpoint to go on from, if there is one.

    Returns:
        The finished loop and what it ran with.

    Raises:
        RunError: see :func:`fine_tune`.
    """
    while True:
        loop = make(setup)
        try:
            with loop.trainer.args.main_process_first(local=False):  # one process clears the folder, the others look at it
                checkpoint = last()
            loop.trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except (RuntimeError, MemoryError) as error:
            setup = _smaller(error, hardware, setup, settings)
        else:
            return loop, setup
        del loop
        free_memory()


def _ease(body: torch.nn.Module, hardware: Hardware, setup: Setup) -> None:
    """Compile what was pre-trained, or let it forget what it can compute again, where asked for.

    Raises:
        InputError: gradient checkpointing of a model that cannot.
    """
    if hardware.gradient_checkpointing:
        if not getattr(body, "supports_gradient_checkpointing", False):
            raise InputError(
                f"gradient_checkpointing of a {type(body).__name__}, which cannot do it",
                expected="a model of transformers that supports it",
                fix="use accumulate: 4 to save memory",
            )
        cast("Any", body).gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if setup.compiles:
        body.compile()


def _smaller(error: RuntimeError | MemoryError, hardware: Hardware, setup: Setup, settings: TuneSettings) -> Setup:
    """What to try after an error: smaller parts where memory ran out, and may be divided further; else the error goes on.

    Raises:
        RunError: memory ran out and nothing smaller is left.
    """
    if not is_out_of_memory(error):
        raise error
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rows = settings.batch_size // world
    parts = more_parts(rows, setup.parts) if hardware.accumulate == "auto" and world == 1 else None
    if parts is None:
        raise RunError(
            f"Memory ran out with {rows // setup.parts} of {settings.batch_size} examples in the model at once ({setup.device})",
            expected="a training that fits",
            fix="raise hardware.accumulate, set gradient_checkpointing: true, a shorter max_length, or parameters: lora",
        ) from error
    return dataclasses.replace(setup, parts=parts)


def check(examples: Examples, classes: Sequence[str], settings: TuneSettings, objectives: Sequence[Term], task: str) -> None:
    """Raise InputError where training could not start."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    mixing = [term.name for term in objectives if term.name in MIXERS]
    if settings.packing and (task != "causal-lm" or mixing):
        raise InputError(
            f"Packing was asked for {mixing[0] if mixing else task}",
            expected="a causal language model, and no objective that mixes the rows of a batch",
            fix="set packing: false",
        )
    present = np.unique(examples.labels[examples.labels != IGNORED])
    if task not in LANGUAGE and (len(present) < 2 or present[0] < 0 or present[-1] >= len(classes)):
        raise InputError(
            f"The {len(examples)} examples have the class numbers {present.tolist()}",
            expected=f"at least two of the numbers 0 to {len(classes) - 1}, for the classes {', '.join(classes)}",
            fix="add examples of another class, or name all classes",
        )
    for term in objectives:
        if task.removesuffix("-classification") not in term.objective.modality:
            raise InputError(
                f"The objective {term.name} does not serve {task}",
                expected=f"one of {', '.join(term.objective.modality)}",
                fix=f"leave out {term.name}; `acclimate methods` names what each objective reads",
            )
    wanting = [term.name for term in objectives if term.objective.needs_unlabelled]
    if wanting and not examples.unlabelled:
        raise InputError(
            f"The objective {wanting[0]} needs target examples without labels, and there are none",
            expected="a target with unlabelled examples",
            fix=f"give unlabelled target data, or leave out {wanting[0]}",
        )


def _counts(examples: Examples) -> dict[str, str]:
    """How many examples of each kind, as a card tells it."""
    mine = int(examples.from_target.sum())
    general = 0 if examples.replayed is None else int(examples.replayed.sum())
    found = {"examples of the target": mine, "examples of the source": len(examples) - mine - general}
    found |= {"examples replayed": general, "unlabelled": len(examples.unlabelled)}
    return {name: f"{count:,}" for name, count in found.items() if count}


def _key(about: Mapping[str, Any], examples: Examples, classes: Sequence[str]) -> str:
    """Names a training by everything that its outcome depends on."""
    arrays = (examples.labels.tolist(), examples.weights.tolist(), examples.from_target.tolist())
    contents = (_hashable(examples.contents), _hashable(examples.unlabelled))
    further: list[Any] = [] if examples.soft is None else [examples.soft.tolist()]
    if examples.tasks is not None:
        further += [examples.tasks.numbers.tolist(), examples.tasks.labels.tolist(), list(examples.tasks.heads)]
    further += [] if examples.replayed is None else [examples.replayed.tolist()]
    return content_hash(about, *contents, *arrays, list(classes), *further)


def _hashable(contents: Sequence[Content]) -> list[Content]:
    """Pictures as their hashes, the others as they are."""
    return [hashlib.blake2b(content, digest_size=16).hexdigest() if isinstance(content, bytes) else content for content in contents]

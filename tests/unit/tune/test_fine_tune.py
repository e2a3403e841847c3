"""The one training loop: it learns, it repeats itself to the last bit, and it refuses what cannot work."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from acclimate.errors import InputError, RunError
from acclimate.models.objective import Batch, Model, Objective, Outputs, weighted_cross_entropy
from acclimate.tune.adapted import Adapted
from acclimate.tune.examples import Examples, gather
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Term, build_terms
from acclimate.tune.trainer import fine_tune
from tests.shift import sentences

CLASSES = ("bad", "good")
SHORT = TuneSettings(steps=6, batch_size=4, lr=1e-3)


@pytest.fixture
def examples() -> Examples:
    return gather(CLASSES, target=sentences("clinic", 40, seed=1), unlabelled=sentences("clinic", 9, seed=2).texts)


def weights(model: Adapted) -> bytes:
    return b"".join(value.numpy().tobytes() for value in model.model.state_dict().values())


@dataclasses.dataclass
class Recorder:
    """Adds a constant to the loss and keeps what it was handed."""

    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False
    modality: ClassVar[tuple[str, ...]] = ("text",)
    value: float = 0.0
    batches: list[Batch] = dataclasses.field(default_factory=list)
    task_losses: list[float] = dataclasses.field(default_factory=list)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        assert model.classify(outputs.representation).shape == outputs.logits.shape
        self.batches.append(batch)
        self.task_losses.append(weighted_cross_entropy(outputs.logits, batch.labels, batch.weights).item())
        return outputs.logits.new_tensor(self.value)


def test_it_learns_the_target(encoder_folder: Path) -> None:
    settings = TuneSettings(steps=80, batch_size=8, lr=2e-3)
    train = gather(CLASSES, target=sentences("clinic", 80, seed=1))
    test = sentences("clinic", 60, seed=2)
    model = fine_tune(str(encoder_folder), train, CLASSES, settings)
    answers = model.predict_proba(test.texts)
    assert answers.shape == (60, 2)
    assert answers.dtype == np.float64
    assert (np.asarray(CLASSES)[answers.argmax(1)] == np.asarray(test.labels)).mean() > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(encoder_folder: Path, examples: Examples) -> None:
    torch.manual_seed(1)
    first = fine_tune(str(encoder_folder), examples, CLASSES, SHORT, build_terms(["mixup"]), seed=3)
    torch.manual_seed(2)
    same = fine_tune(str(encoder_folder), examples, CLASSES, SHORT, build_terms(["mixup"]), seed=3)
    other = fine_tune(str(encoder_folder), examples, CLASSES, SHORT, build_terms(["mixup"]), seed=4)
    assert weights(first) == weights(same) != weights(other)


def test_training_leaves_the_callers_random_draws_alone(encoder_folder: Path, examples: Examples) -> None:
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002  # the global generator is what is protected
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    fine_tune(str(encoder_folder), examples, CLASSES, SHORT)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_a_step_sees_labelled_rows_with_their_weights_and_an_unlabelled_batch(encoder_folder: Path) -> None:
    source, target = sentences("shop", 12, seed=1), sentences("clinic", 8, seed=1)
    given = gather(CLASSES, source=source, target=target, unlabelled=["visit"] * 5, target_weight=3)
    recorder = Recorder()
    fine_tune(str(encoder_folder), given, CLASSES, SHORT, [Term("recorder", recorder)])
    assert [batch.step for batch in recorder.batches] == list(range(6))
    for batch in recorder.batches:
        light, heavy = given.weights[0], given.weights[-1]
        expected = torch.where(batch.from_target, heavy, light).float()
        torch.testing.assert_close(batch.weights, expected)
        assert batch.unlabelled is not None
        assert batch.unlabelled["input_ids"].shape == (4, 3)  # [CLS] visit [SEP]
    draws = {int(torch.randint(2**62, (), generator=batch.generator)) for batch in recorder.batches}
    assert len(draws) == 6


def test_every_term_is_logged_and_the_loss_is_their_weighted_sum(encoder_folder: Path, examples: Examples) -> None:
    recorder = Recorder(value=2.0)
    model = fine_tune(str(encoder_folder), examples, CLASSES, SHORT, [Term("recorder", recorder, weight=0.25)])
    assert len(model.history) == 6
    for entry, task in zip(model.history, recorder.task_losses, strict=True):
        assert entry["term/task"] == pytest.approx(task)
        assert entry["term/recorder"] == 2.0
        assert entry["loss"] == pytest.approx(task + 0.5, abs=1e-5)


def test_an_objective_that_contains_the_task_loss_takes_its_place(encoder_folder: Path, examples: Examples) -> None:
    model = fine_tune(str(encoder_folder), examples, CLASSES, SHORT, build_terms(["mixup"]))
    assert all("term/task" not in entry and entry["loss"] == pytest.approx(entry["term/mixup"]) for entry in model.history)


def test_the_rate_climbs_then_falls_to_nothing(encoder_folder: Path, examples: Examples) -> None:
    settings = dataclasses.replace(SHORT, steps=10, warmup=0.2)
    rates = [entry["learning_rate"] for entry in fine_tune(str(encoder_folder), examples, CLASSES, settings).history]
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) <= 2
    assert rates[-1] < 0.2e-3


def test_nothing_is_left_behind_or_printed(
    encoder_folder: Path, examples: Examples, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fine_tune(str(encoder_folder), examples, CLASSES, dataclasses.replace(SHORT, checkpoint_every=2), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_loss_that_is_no_number_stops_the_run_with_advice(encoder_folder: Path, examples: Examples) -> None:
    with pytest.raises(RunError, match="lower lr"):
        fine_tune(str(encoder_folder), examples, CLASSES, SHORT, [Term("broken", Recorder(value=float("nan")))])


@pytest.mark.parametrize("labels", [[1, 1], [0, 2], [-1, 1], []])
def test_labels_that_cannot_be_learned_are_refused(encoder_folder: Path, labels: list[int]) -> None:
    count = len(labels)
    given = Examples(["good"] * count, np.asarray(labels, dtype=np.int64), np.ones(count), np.ones(count, dtype=bool))
    with pytest.raises(InputError, match="class numbers"):
        fine_tune(str(encoder_folder), given, CLASSES, SHORT)


def test_an_objective_without_the_unlabelled_texts_it_needs_is_refused(encoder_folder: Path, examples: Examples) -> None:
    bare = dataclasses.replace(examples, unlabelled=())
    with pytest.raises(InputError, match="coral needs target examples without labels"):
        fine_tune(str(encoder_folder), bare, CLASSES, SHORT, build_terms(["coral"]))


def test_a_recorder_is_an_objective() -> None:
    objective: Objective = Recorder()
    assert objective.needs_unlabelled

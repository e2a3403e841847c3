"""R-Drop and label smoothing against torch's own losses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from acclimate.errors import InputError
from acclimate.models.objective import Outputs, task_loss
from acclimate.models.passes import Dropout
from acclimate.tune.regularize.label_smoothing import LabelSmoothing
from acclimate.tune.regularize.r_drop import RDrop
from tests.online import base, batch_of, examples

KINDS = ["text", "image", "causal-lm"]


@pytest.mark.parametrize("kind", KINDS)
def test_r_drop_teaches_two_passes_and_draws_them_together(kind: str, folders: dict[str, Path]) -> None:
    made = base(kind, folders, dropout=0.4)
    batch, model = batch_of(examples(kind), made.reader, [0, 35, 41]), made.model.train()
    batch.weights = torch.tensor([0.5, 1.0, 1.5])
    torch.manual_seed(4)
    found = RDrop(alpha=0.7)(model, batch, Outputs(model, batch))
    torch.manual_seed(4)
    twice = {name: values.repeat(2, *[1] * (values.ndim - 1)) for name, values in batch.inputs.items()}
    with Dropout(torch.device("cpu")).again():
        first, second = model.classify(model.represent(twice)).chunk(2)
    one, other = first.log_softmax(-1), second.log_softmax(-1)
    kl = torch.nn.functional.kl_div
    apart = (kl(one, other, reduction="none", log_target=True) + kl(other, one, reduction="none", log_target=True)).sum(-1) / 2
    weights = batch.weights.view(-1, *[1] * (apart.ndim - 1)) * (batch.labels != -100)
    expected = (task_loss(first, batch) + task_loss(second, batch)) / 2 + 0.7 * (apart * weights).sum() / weights.sum()
    torch.testing.assert_close(found, expected)
    if kind != "causal-lm":  # this one has no dropout
        assert not torch.allclose(first, second)


def test_without_dropout_nothing_is_drawn_together(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    batch, model = batch_of(examples("text"), made.reader, [0, 35, 41]), made.model.eval()
    outputs = Outputs(model, batch)
    torch.testing.assert_close(RDrop(alpha=100.0)(model, batch, outputs), outputs.task_loss)


@pytest.mark.parametrize("kind", KINDS)
def test_label_smoothing_is_torchs(kind: str, folders: dict[str, Path]) -> None:
    made = base(kind, folders)
    batch, model = batch_of(examples(kind), made.reader, [0, 35, 41]), made.model.eval()
    outputs = Outputs(model, batch)
    logits, labels = outputs.logits.flatten(0, -2), batch.labels.flatten()
    expected = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2, ignore_index=-100)
    torch.testing.assert_close(LabelSmoothing(epsilon=0.2)(model, batch, outputs), expected)


@pytest.mark.parametrize("value", [0, 1.0, -0.1, True])
def test_shares_that_mean_nothing_are_refused(value: float) -> None:
    with pytest.raises(InputError):
        LabelSmoothing(epsilon=value)
    with pytest.raises(InputError):
        RDrop(alpha=-1.0)

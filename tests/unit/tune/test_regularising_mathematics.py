"""Regularisers that look back at the pre-trained model, against naive sums, SciPy and what must hold of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor

from acclimate.errors import InputError
from acclimate.models.companions import COMPANIONS, companion_of, equip
from acclimate.models.objective import Outputs
from acclimate.tune import OBJECTIVES
from acclimate.tune.feed import Collator, labelled_batches
from acclimate.tune.regularize.bss import smallest_energies
from acclimate.tune.regularize.co_tuning import CoTuning, calibrated, logits_of, relation
from acclimate.tune.regularize.delta import Delta, attentions, behaviour_gap, channel_worth
from acclimate.tune.regularize.l2_sp import L2Sp, pulled
from acclimate.tune.regularize.readout import fit_readout, glance
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.online import CLASSES, base, batch_of, examples


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_pull_to_the_start_has_autograds_gradient() -> None:
    weights = [rows(3, 4).requires_grad_(), rows(5, seed=1).requires_grad_()]
    starts, pulls = [rows(3, 4, seed=2), rows(5, seed=3)], [0.3, 2.0]
    plain = sum(pull / 2 * (w - s).square().sum() for pull, w, s in zip(pulls, weights, starts, strict=True))
    written = pulled(weights, starts, pulls)
    np.testing.assert_allclose(written.item(), plain.item(), rtol=1e-6)
    for mine, theirs in zip(torch.autograd.grad(2 * written, weights), torch.autograd.grad(2 * plain, weights), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 3)])
def test_spectral_shrinkage_is_the_smallest_singular_values_squared(shape: tuple[int, int]) -> None:
    values = rows(*shape).requires_grad_()
    singular = np.sort(np.linalg.svd(values.detach().numpy(), compute_uv=False))
    np.testing.assert_allclose(smallest_energies(values, 2).item(), (singular[:2] ** 2).sum(), rtol=1e-9)
    assert torch.autograd.gradcheck(lambda v: smallest_energies(v, 1), (values,))


def test_channel_worth_is_what_a_linear_loss_grows_by_without_the_channel() -> None:
    hidden, slope = rows(3, 4, 5), rows(3, 4, 5, seed=1)
    for j in range(5):
        without = hidden.clone()
        without[..., j] = 0
        growth = ((slope * without).sum() - (slope * hidden).sum()).item()
        np.testing.assert_allclose(channel_worth(hidden, slope)[j].item(), growth, rtol=1e-5)


def test_the_behaviour_gap_weighs_channels_and_leaves_padding_out() -> None:
    new, old = rows(2, 3, 4), rows(2, 3, 4, seed=1)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    weights = rows(4, seed=2).softmax(0).float()
    expected = 0.0
    for b in range(2):
        for j in range(4):
            changes = [(new[b, t, j] - old[b, t, j]).item() ** 2 for t in range(3) if mask[b, t]]
            expected += weights[j].item() * np.mean(changes) / 2
    np.testing.assert_allclose(behaviour_gap([new], [old], [weights], {"attention_mask": mask}).item(), expected, rtol=1e-5)


def test_attention_is_a_share_and_no_two_layers_are_alike(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    collate = Collator(examples("text"), made.reader)
    shares = attentions(made.model.eval(), lambda: labelled_batches(collate, 70))
    assert len(shares) == made.model.depth
    np.testing.assert_allclose([share.sum().item() for share in shares], 1, rtol=1e-5)
    assert all(share.max() > 2 / len(share) for share in shares)


def test_before_the_first_step_nothing_has_moved(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    given = examples("text")
    collate = Collator(given, made.reader)
    objectives = [Delta(), L2Sp(beta=0.0)]
    equip(made.model, objectives, lambda: labelled_batches(collate, len(given)), seed=0)
    batch = batch_of(given, made.reader, range(8))
    outputs = Outputs(made.model.eval(), batch, objectives)
    for objective in objectives:
        np.testing.assert_allclose(objective(made.model, batch, outputs).item(), 0, atol=1e-10)


def test_the_frozen_copy_stays_while_training_and_leaves_the_model(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    settings = TuneSettings(steps=6, batch_size=8, lr=8e-3)
    adapted = fine_tune(str(folders["text"]), examples("text"), CLASSES, settings, build_terms(["delta", "l2-sp"]))
    assert not any(name.startswith(COMPANIONS) for name in adapted.model.state_dict())
    assert set(adapted.model.state_dict()) == set(made.model.state_dict())
    assert adapted.history[-1]["term/delta"] > 0


@pytest.mark.parametrize(("name", "weight"), [("l2-sp", 30.0), ("delta", 300.0)])
def test_a_heavy_weight_holds_the_model_where_it_was(folders: dict[str, Path], name: str, weight: float) -> None:
    settings = TuneSettings(steps=20, batch_size=8, lr=1e-3)
    before = base("text", folders).model

    def moved(objectives: list[object]) -> float:
        adapted = fine_tune(str(folders["text"]), examples("text"), CLASSES, settings, build_terms(objectives))  # type: ignore[arg-type]
        batch = batch_of(examples("text"), base("text", folders).reader, range(30))
        with torch.no_grad():
            return (adapted.model.represent(batch.inputs) - before.eval().represent(batch.inputs)).square().mean().item()

    assert moved([{"method": name, "weight": weight}]) < 0.5 * moved([])


def test_the_readout_is_a_classifier_of_raw_features_and_knows_absent_classes() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 30)
    features = rng.normal(size=(60, 6)) + labels[:, None]
    guessed = softmax(logits_of(fit_readout(features, labels, 4), features).numpy(), axis=1)
    assert (guessed.argmax(1) == labels).mean() > 0.95
    assert guessed[:, [1, 3]].max() < 1e-4
    three = np.arange(60) % 3
    guessed = softmax(logits_of(fit_readout(features + 3 * np.eye(6)[three], three, 3), features + 3 * np.eye(6)[three]), axis=1)
    assert (guessed.argmax(1) == three).mean() > 0.9


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4_000, 3)) * 2
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    np.testing.assert_allclose(calibrated(torch.from_numpy(logits * 3), labels), 3, rtol=0.1)


def test_the_relation_is_the_mean_of_what_the_source_head_says() -> None:
    logits, labels = rows(5, 3), np.array([0, 0, 2, 0, 2])
    told = relation(logits, labels, 3).numpy()
    probabilities = softmax(logits.numpy(), axis=1)
    np.testing.assert_allclose(told[0], probabilities[[0, 1, 3]].mean(0), rtol=1e-5)
    np.testing.assert_allclose(told[2], probabilities[[2, 4]].mean(0), rtol=1e-5)
    np.testing.assert_allclose(told[1], [0, 1, 0])


def test_co_tuning_teaches_the_target_rows_of_a_batch_in_the_sources_classes(folders: dict[str, Path]) -> None:
    made = base("text", folders, dropout=0.0)
    given = examples("text")
    collate = Collator(given, made.reader)
    objective = CoTuning()
    equip(made.model, [objective], lambda: labelled_batches(collate, len(given)), seed=0)
    batch = batch_of(given, made.reader, [0, 45, 50, 3])
    outputs = Outputs(made.model.eval(), batch, [objective])
    own = companion_of(made.model, objective)
    told = own.get_parameter("relation.0").numpy()
    logits = own.get_submodule("head")(outputs.representation).detach().double().numpy()
    surprise = -np.log(softmax(logits, axis=1))
    expected = np.mean([(told[given.labels[row]] * surprise[place]).sum() for place, row in ((1, 45), (2, 50))])
    np.testing.assert_allclose(objective(made.model, batch, outputs).item(), expected, rtol=1e-4)
    np.testing.assert_allclose(told.sum(1), 1, rtol=1e-5)


def test_co_tuning_without_labelled_source_says_so(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    batch = batch_of(examples("text"), made.reader, range(40, 60))
    with pytest.raises(InputError, match="0 labelled source examples"):
        equip(made.model, [CoTuning()], lambda: iter([batch]), seed=0)


def test_a_glance_leaves_the_model_in_the_mode_it_was_in(folders: dict[str, Path]) -> None:
    made = base("text", folders)
    collate = Collator(examples("text"), made.reader)
    seen = glance(made.model.train(), lambda: labelled_batches(collate, 70))
    assert made.model.training
    assert len(seen.features) == len(seen.labels) == len(seen.from_target) == 70
    assert set(OBJECTIVES) >= {"l2-sp", "delta", "bss", "co-tuning"}

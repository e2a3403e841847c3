"""Mixup's numbers: the shares it draws, the rows it mixes, the loss it computes and where the gradient goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from acclimate.augment.mix.mixup import Mixup, draw_lambda, mix, mix_rows, mixed_cross_entropy
from acclimate.errors import InputError
from acclimate.models.objective import Batch, Outputs


class LinearModel:
    """Two real linear maps where a text classifier has an encoder and a head; counts how often each runs."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.encoder, self.head = torch.nn.Linear(5, 4), torch.nn.Linear(4, 3)
        self.represented = self.classified = 0

    modality = "text"

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return inputs["input_ids"]

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor) -> Tensor:
        del inputs
        self.represented += 1
        return self.encoder(embedded)

    def classify(self, representation: Tensor) -> Tensor:
        self.classified += 1
        return self.head(representation)

    def outputs(self, batch: Batch) -> Outputs:
        return Outputs(self, batch)


def make_batch(seed: int = 0, count: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(99)
    return Batch(
        inputs={"input_ids": torch.randn(count, 5, generator=generator)},
        labels=torch.arange(count) % 3,
        weights=torch.linspace(0.5, 2.0, count),
        from_target=torch.ones(count, dtype=torch.bool),
        generator=torch.Generator().manual_seed(seed),
        step=0,
    )


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    shares = draw_lambda(4_000, alpha, np.random.default_rng(0))
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixing_interpolates_row_by_row() -> None:
    a, b = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    share = torch.tensor([0.0, 0.25, 0.5, 1.0])
    mixed = mix(a, b, share)
    for row in range(4):
        torch.testing.assert_close(mixed[row], share[row] * a[row] + (1 - share[row]) * b[row])


def test_the_loss_equals_cross_entropy_against_soft_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    labels, partner = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([3, 0, 1, 2, 4])
    share = torch.rand(5, generator=generator, dtype=torch.float64)
    one_hot = torch.eye(3, dtype=torch.float64)
    soft = share[:, None] * one_hot[labels] + (1 - share[:, None]) * one_hot[labels[partner]]
    expected = torch.nn.functional.cross_entropy(logits, soft)  # torch's own soft-label loss
    torch.testing.assert_close(mixed_cross_entropy(logits, labels, torch.ones(5).double(), partner, share), expected)


def test_example_weights_follow_their_example_into_the_mixture() -> None:
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels, weights = torch.tensor([0, 1, 1]), torch.tensor([1.0, 10.0, 0.0]).double()
    partner, share = torch.tensor([1, 2, 0]), torch.tensor([0.3, 0.6, 0.9]).double()
    log_p = torch.log_softmax(logits, 1)
    above = below = 0.0
    for i in range(3):
        j = int(partner[i])
        own, other = float(share[i] * weights[i]), float((1 - share[i]) * weights[j])
        above += -own * float(log_p[i, labels[i]]) - other * float(log_p[i, labels[j]])
        below += own + other
    assert mixed_cross_entropy(logits, labels, weights, partner, share).item() == pytest.approx(above / below)


def test_the_objective_is_the_mixed_loss_of_the_models_own_halves() -> None:
    model, batch = LinearModel(), make_batch(seed=4)
    loss = Mixup(alpha=1.0)(model, batch, model.outputs(batch))
    again = torch.Generator().manual_seed(4)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=again)))
    share = torch.tensor(rng.beta(1.0, 1.0, size=6), dtype=torch.float32)
    partner = torch.tensor(rng.permutation(6))
    hidden = model.encoder(batch.inputs["input_ids"])
    logits = model.head(share[:, None] * hidden + (1 - share[:, None]) * hidden[partner])
    torch.testing.assert_close(loss, mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share))


def test_the_gradient_agrees_with_finite_differences() -> None:
    labels, partner = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])
    share, weights = torch.tensor([0.2, 0.5, 0.9]).double(), torch.tensor([1.0, 2.0, 0.5]).double()
    head = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def loss(hidden: Tensor) -> Tensor:
        return mixed_cross_entropy(mix(hidden, hidden[partner], share) @ head.T, labels, weights, partner, share)

    hidden = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    assert torch.autograd.gradcheck(loss, (hidden,))


def test_a_step_costs_one_pass_of_the_encoder() -> None:
    model, batch = LinearModel(), make_batch()
    Mixup()(model, batch, model.outputs(batch)).backward()
    assert model.represented == 1
    assert model.classified <= 2


def test_the_same_generator_draws_the_same_mixture_and_another_does_not() -> None:
    model = LinearModel()
    losses = [Mixup()(model, batch, model.outputs(batch)).item() for batch in (make_batch(1), make_batch(1), make_batch(2))]
    assert losses[0] == losses[1] != losses[2]


def test_mixed_rows_keep_the_weighted_label_mass_and_stay_between_their_parents() -> None:
    rng = np.random.default_rng(0)
    X, Y, w = rng.normal(size=(50, 3)), np.eye(4)[rng.integers(0, 4, 50)], rng.uniform(0.1, 5, 50)
    mixed, labels, weights = mix_rows(X, Y, w, 0.4, np.random.default_rng(1))
    again = np.random.default_rng(1)
    share, partner = again.beta(0.4, 0.4, size=50), again.permutation(50)
    np.testing.assert_allclose(mixed, share[:, None] * X + (1 - share[:, None]) * X[partner])
    np.testing.assert_allclose(labels.sum(1), 1)
    own, other = (share * w)[:, None] * Y, ((1 - share) * w[partner])[:, None] * Y[partner]
    np.testing.assert_allclose(labels * weights[:, None], own + other)


def test_a_pair_without_weight_gives_no_label_and_no_nan() -> None:
    _, labels, weights = mix_rows(np.ones((2, 1)), np.eye(2), np.zeros(2), 1.0, np.random.default_rng(0))
    assert weights.tolist() == [0, 0]
    assert np.isfinite(labels).all()


@pytest.mark.parametrize("settings", [{"alpha": 0}, {"alpha": -1.0}, {"alpha": float("inf")}, {"alpha": "x"}, {"level": "pixels"}])
def test_bad_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Mixup(**settings)

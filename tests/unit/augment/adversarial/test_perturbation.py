"""Lengths, balls and starts, against NumPy; and what two passes drop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.augment.adversarial import perturbation as to
from acclimate.models.objective import Batch
from acclimate.models.passes import Dropout, carry, draw_mask, steady_statistics

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_batch(seed: int = 0) -> Batch:
    none = torch.zeros(3)
    return Batch({"attention_mask": MASK}, none.long(), none, none.bool(), torch.Generator().manual_seed(seed), 0)


def test_lengths_are_of_each_example_over_its_whole_sequence() -> None:
    given = values(3, 4, 5)
    rows = given.numpy().reshape(3, -1)
    np.testing.assert_allclose(to.lengths(given).squeeze(), np.sqrt((rows**2).sum(1)), rtol=1e-6)
    np.testing.assert_allclose(to.largest(given).squeeze(), np.abs(rows).max(1))


def test_balls_are_projected_into_and_their_inside_stays() -> None:
    given = values(3, 4, 5)
    radius = torch.tensor([0.5, 100.0, 2.0], dtype=torch.float64).view(3, 1, 1)
    inside = to.into_l2_ball(given, radius)
    assert (to.lengths(inside) <= radius * (1 + 1e-6)).all()
    torch.testing.assert_close(inside[1], given[1])
    torch.testing.assert_close(inside[0] / inside[0].norm(), given[0] / given[0].norm())
    boxed = to.into_linf_ball(given, radius)
    np.testing.assert_allclose(boxed, np.clip(given.numpy(), -radius.numpy(), radius.numpy()))


def test_a_start_lies_inside_the_ball_and_off_the_padding() -> None:
    embedded = values(3, 4, 5)
    real = to.real_positions({"attention_mask": MASK}, embedded)
    radius = to.radii(0.1, embedded, real)
    start = to.uniform_start(some_batch(), embedded, real, radius)
    assert (start * (1 - real) == 0).all()
    assert (to.lengths(start) < radius).all()
    bound = radius / torch.sqrt(5.0 * MASK.sum(1)).view(3, 1, 1)
    assert (start.abs() <= bound + 1e-9).all()
    assert (start.abs().flatten(1).amax(1) > 0.5 * bound.flatten()).all()


def test_a_radius_is_a_share_of_what_is_no_padding() -> None:
    embedded = values(3, 4, 5)
    real = to.real_positions({"attention_mask": MASK}, embedded)
    expected = [0.1 * np.linalg.norm(embedded[row, : int(MASK[row].sum())].numpy()) for row in range(3)]
    np.testing.assert_allclose(to.radii(0.1, embedded, real).flatten(), expected, rtol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_masks_drop_their_share_and_keep_the_mean(share: float) -> None:
    mask = draw_mask(torch.empty(1001, 99), share, torch.Generator().manual_seed(0))
    dropped = float((mask == 0).double().mean())
    assert abs(dropped - share) < 4 * np.sqrt(share * (1 - share) / mask.numel())
    assert set(mask.unique().tolist()) == {0.0, torch.tensor(1 / (1 - share)).item()}
    runs = (mask.flatten()[1:] == 0) & (mask.flatten()[:-1] == 0)
    assert abs(float(runs.double().mean()) - share**2) < 5 * share / np.sqrt(mask.numel())


def test_passes_drop_the_same_inside_and_leave_the_draws_outside_alone() -> None:
    torch.manual_seed(0)
    layer, inputs = torch.nn.Dropout(0.5), torch.ones(40, 40)
    dropout = Dropout(torch.device("cpu"))
    before = torch.get_rng_state()
    with dropout.again():
        first = layer(layer(inputs)), torch.rand(3)
    with dropout.again():
        second = layer(layer(inputs)), torch.rand(3)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(before, torch.get_rng_state())
    with Dropout(torch.device("cpu")).again():
        assert not torch.equal(layer(layer(inputs)), first[0])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_inside_is_that_of_torch(causal: bool) -> None:
    query, key, value = (values(2, 4, 6, 8, seed=seed) for seed in range(3))
    mask = None if causal else torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(5)) > 0.2
    if mask is not None:
        mask[..., 0] = True
    attend = torch.nn.functional.scaled_dot_product_attention
    expected = attend(query, key, value, attn_mask=mask, is_causal=causal)
    with Dropout(torch.device("cpu")).again():
        found = attend(query, key, value, attn_mask=mask, dropout_p=1e-9, is_causal=causal)
        grouped = attend(query, key[:, :2], value[:, :2], attn_mask=mask, dropout_p=1e-9, is_causal=causal, enable_gqa=True)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(grouped, attend(query, key[:, :2], value[:, :2], attn_mask=mask, is_causal=causal, enable_gqa=True))


def test_carried_gradients_take_the_factors_of_the_loss() -> None:
    weight, other = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    loss = carry(torch.tensor(2.0), [weight, other], [torch.tensor([1.0, 2.0, 3.0]), None])
    (3 * loss + (weight**2).sum()).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [5.0, 8.0, 11.0]
    assert other.grad is None


def test_batch_norm_forgets_perturbed_passes() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(4))
    before = model[0].running_mean.clone()
    with steady_statistics(model):
        model(torch.randn(8, 4) + 5)
    assert torch.equal(before, model[0].running_mean)
    model(torch.randn(8, 4) + 5)
    assert not torch.equal(before, model[0].running_mean)

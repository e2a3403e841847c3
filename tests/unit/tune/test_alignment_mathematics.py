"""Every alignment term against a naive NumPy loop, SciPy, or what must hold of it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from scipy.special import softmax
from torch import Tensor, nn

from acclimate.errors import RunError
from acclimate.models.companions import COMPANIONS, companion_of, dismiss, equip
from acclimate.models.objective import Batch, Outputs
from acclimate.models.reversal import reverse
from acclimate.tune import OBJECTIVES
from acclimate.tune.align import METHODS
from acclimate.tune.align.afn import mean_norm_gap, norm_growth
from acclimate.tune.align.cdan import Cdan, certainty, outer, projected
from acclimate.tune.align.cmd import central_moment_discrepancy
from acclimate.tune.align.dann import Dann
from acclimate.tune.align.ddc import mean_distance
from acclimate.tune.align.deepjdot import DeepJdot, cheapest_plan
from acclimate.tune.align.mcc import class_confusion
from acclimate.tune.align.mcd import discrepancy
from acclimate.tune.align.mdd import margin_disparity
from acclimate.tune.align.mmd import joint_mmd
from acclimate.tune.align.opponents import domain_loss
from acclimate.tune.ramps import RAMPS, ganin

CLASSES, WIDTH = 3, 5


def rows(count: int, seed: int, width: int = WIDTH) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Linear(nn.Module):
    """A model whose representation is a linear map of its input."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.modality, self.depth, self.layers = "text", 0, list[nn.Module]()
        self.double()

    def embed(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs["input_ids"]

    def represent(self, inputs: dict[str, Tensor], *, embedded: Tensor | None = None) -> Tensor:
        return self.encoder(inputs["input_ids"] if embedded is None else embedded)

    def classify(self, representation: Tensor) -> Tensor:
        return self.head(representation)


def batch(source: int = 6, target: int = 4, step: int = 50) -> Batch:
    labels = torch.arange(source) % CLASSES
    mine = torch.zeros(source, dtype=torch.bool)
    unlabelled = {"input_ids": rows(target, 2) + 1}
    return Batch({"input_ids": rows(source, 1)}, labels, torch.ones(source), mine, torch.Generator(), step, unlabelled, steps=100)


def equipped(objective: object) -> Linear:
    model = Linear()
    equip(model, [objective], lambda: iter([batch()]), seed=0)  # type: ignore[arg-type, list-item]
    return model.double()


def naive_joint_mmd(source: list[np.ndarray], target: list[np.ndarray]) -> float:
    n, m = len(source[0]), len(target[0])
    kernel = np.ones((n + m, n + m))
    for one, other in zip(source, target, strict=True):
        both = np.vstack([one, other])
        squared = cdist(both, both, "sqeuclidean")
        width = np.sort(squared[np.triu_indices(n + m, 1)])[(len(squared) * (len(squared) - 1) // 2 - 1) // 2]
        kernel *= np.mean([np.exp(-squared / (2 * width * factor)) for factor in (0.25, 0.5, 1, 2, 4)], axis=0)
    within = sum(kernel[i, j] for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
    within += sum(kernel[n + i, n + j] for i, j in itertools.permutations(range(m), 2)) / (m * (m - 1))
    return within - 2 * np.mean([kernel[i, n + j] for i in range(n) for j in range(m)])


def test_mmd_of_one_layer_and_of_two_is_the_naive_one() -> None:
    source, target = [rows(6, 0), rows(6, 1, 3)], [rows(5, 2) + 1, rows(5, 3, 3)]
    for layers in (1, 2):
        expected = naive_joint_mmd([x.numpy() for x in source[:layers]], [y.numpy() for y in target[:layers]])
        np.testing.assert_allclose(joint_mmd(source[:layers], target[:layers]).item(), expected)


def test_mmd_grows_with_the_shift_and_is_about_zero_without() -> None:
    source, target = rows(200, 0), rows(200, 1)
    shifts = [joint_mmd([source], [target + shift]).item() for shift in (0.0, 0.5, 1.0, 2.0)]
    assert abs(shifts[0]) < 0.01
    assert shifts == sorted(shifts)


def test_central_moments_are_those_of_a_loop() -> None:
    x, y = rows(7, 0).tanh(), rows(6, 1).tanh()
    a, b = x.numpy(), y.numpy()
    expected = np.linalg.norm(a.mean(0) - b.mean(0)) / 2
    for order in range(2, 6):
        moments = [((side - side.mean(0)) ** order).mean(0) for side in (a, b)]
        expected += np.linalg.norm(moments[0] - moments[1]) / 2**order
    np.testing.assert_allclose(central_moment_discrepancy(x, y, 5, 2.0).item(), expected)


def test_equal_sides_have_no_central_moment_discrepancy_and_finite_gradients() -> None:
    x = rows(5, 0).requires_grad_()
    central_moment_discrepancy(x, x, 5, 2.0).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_the_mean_distance_is_the_loop() -> None:
    x, y = rows(7, 0), rows(6, 1)
    expected = sum((x[:, k].mean() - y[:, k].mean()) ** 2 for k in range(WIDTH))
    torch.testing.assert_close(mean_distance(x, y), expected)


def test_the_domain_loss_is_binary_cross_entropy_of_both_sides() -> None:
    source, target = rows(6, 0)[:, 0], rows(4, 1)[:, 0]
    bce = nn.functional.binary_cross_entropy_with_logits
    expected = (bce(source, torch.ones_like(source)) + bce(target, torch.zeros_like(target))) / 2
    torch.testing.assert_close(domain_loss(source, target), expected)


def test_the_outer_product_is_numpys_and_projections_keep_its_inner_products() -> None:
    features, probabilities = rows(4, 0), rows(4, 1, CLASSES).softmax(-1)
    whole = outer(features, probabilities)
    expected = [np.outer(f, p).ravel() for f, p in zip(features.numpy(), probabilities.numpy(), strict=True)]
    np.testing.assert_allclose(whole.numpy(), expected)
    generator = torch.Generator().manual_seed(0)
    across = torch.randn(WIDTH, 400_000, generator=generator)
    down = torch.randn(CLASSES, 400_000, generator=generator)
    seen = projected(features, probabilities, across, down)
    torch.testing.assert_close(seen @ seen.T, whole @ whole.T, rtol=0.03, atol=0.03)


def test_certainty_runs_from_one_over_the_classes_to_one() -> None:
    flat, sharp = certainty(torch.zeros(1, CLASSES)), certainty(torch.tensor([[100.0, 0, 0]]))
    np.testing.assert_allclose([flat.item(), sharp.item()], [1 + 1 / CLASSES, 2], rtol=1e-6)


def test_class_confusion_is_the_papers_five_steps() -> None:
    logits = rows(6, 0, CLASSES)
    guessed = softmax(logits.numpy(), axis=1)
    weights = 1 + np.exp((guessed * np.log(guessed)).sum(1))
    weights = len(guessed) * weights / weights.sum()
    shared = np.zeros((CLASSES, CLASSES))
    for row, weight in zip(guessed, weights, strict=True):
        shared += weight * np.outer(row, row)
    shared /= shared.sum(1, keepdims=True)
    expected = sum(shared[i, j] for i, j in itertools.permutations(range(CLASSES), 2)) / CLASSES
    np.testing.assert_allclose(class_confusion(logits).item(), expected)
    certain = torch.eye(CLASSES) * 100
    assert class_confusion(certain).item() < 1e-6


def test_the_discrepancy_of_two_heads_is_the_mean_difference() -> None:
    one, other = rows(4, 0, CLASSES).softmax(-1), rows(4, 1, CLASSES).softmax(-1)
    np.testing.assert_allclose(discrepancy(one, other).item(), np.mean(np.abs(one.numpy() - other.numpy())))


def test_the_margin_disparity_is_cross_entropy_and_its_mirror() -> None:
    source, target = rows(4, 0, CLASSES), rows(5, 1, CLASSES)
    s_class, t_class = torch.tensor([0, 1, 2, 1]), torch.tensor([2, 0, 0, 1, 2])
    p, q = softmax(source.numpy(), axis=1), softmax(target.numpy(), axis=1)
    expected = -4 * np.mean([np.log(p[i, k]) for i, k in enumerate(s_class)])
    expected -= np.mean([np.log(1 - q[j, k]) for j, k in enumerate(t_class)])
    np.testing.assert_allclose(margin_disparity(source, s_class, target, t_class, 4.0).item(), expected)
    far = torch.tensor([[200.0, 0, 0]])
    assert torch.isfinite(margin_disparity(far, torch.tensor([1]), far, torch.tensor([0]), 4.0))


def test_norms_are_asked_to_grow_by_a_step_or_to_meet_a_radius() -> None:
    x = rows(6, 0).requires_grad_()
    lengths = np.linalg.norm(x.detach().numpy(), axis=1)
    np.testing.assert_allclose(norm_growth(x, 0.5).item(), 0.25)
    np.testing.assert_allclose(mean_norm_gap(x, 3.0).item(), (lengths.mean() - 3) ** 2)
    (gradient,) = torch.autograd.grad(norm_growth(x, 0.5), x)
    assert ((gradient * x).sum(1) < 0).all()  # downhill is outward


def test_the_plan_is_the_linear_programmes() -> None:
    costs = rows(4, 0, 5).square()
    n, m = costs.shape
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    solved = linprog(costs.numpy().ravel(), A_eq=sums, b_eq=[1 / n] * n + [1 / m] * m, bounds=(0, None))
    plan = cheapest_plan(costs)
    np.testing.assert_allclose((plan * costs).sum().item(), solved.fun, rtol=1e-9)
    np.testing.assert_allclose(plan.sum(1), 1 / n)
    np.testing.assert_allclose(plan.sum(0), 1 / m)


def test_transport_prefers_the_example_of_the_same_class() -> None:
    model = equipped(DeepJdot())
    given = batch(3, 3)
    outputs = Outputs(model, given, [DeepJdot()])
    surprise = -model.classify(model.represent(given.unlabelled)).log_softmax(-1)
    costs = cdist(outputs.representation.detach().numpy(), outputs.unlabelled.detach().numpy(), "sqeuclidean") * 0.3
    costs += 0.7 * surprise.detach().numpy()[:, given.labels.numpy()].T
    best = min(sum(costs[i, p] for i, p in enumerate(order)) / 3 for order in itertools.permutations(range(3)))
    np.testing.assert_allclose(DeepJdot(distance=0.3, label=0.7)(model, given, outputs).item(), best)


def test_reversal_turns_the_gradient_and_nothing_else() -> None:
    x = rows(3, 0).requires_grad_()
    assert torch.equal(reverse(x, 0.3), x)
    (gradient,) = torch.autograd.grad(reverse(x, 0.3).square().sum(), x)
    torch.testing.assert_close(gradient, -0.3 * 2 * x)


def test_the_ramp_is_ganins() -> None:
    for progress in (0.0, 0.1, 0.5, 1.0):
        np.testing.assert_allclose(ganin(progress), math.tanh(5 * progress))
    assert [ramp(1.0) for name, ramp in RAMPS.items() if name != "ganin"] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["dann", "cdan", "mcd", "mdd"])
def test_the_opponent_descends_its_loss_and_the_encoder_climbs_it(name: str) -> None:
    """A small step of the opponent alone lowers the game's value, one of the encoder alone raises it."""
    objective = METHODS[name]()
    model = equipped(objective).eval()
    own = companion_of(model, objective)

    def game() -> Tensor:
        given = batch()
        outputs = Outputs(model, given, [objective])
        if name == "mcd":  # its first part is no game: the second head's task loss, which everybody lowers
            target = outputs.unlabelled
            return -discrepancy(model.classify(target).softmax(-1), own(target).softmax(-1))
        return objective(model, given, outputs)

    before = game().item()
    given = batch()
    outputs = Outputs(model, given, [objective])
    value = objective(model, given, outputs)
    if name == "mcd":
        second = own(outputs.representation)
        value = value - nn.functional.cross_entropy(second, given.labels)
    value.backward()
    for part, rises in ((own, False), (model.encoder, True)):
        moved = [p for p in part.parameters() if p.grad is not None]
        size = 1e-3 / math.sqrt(sum(p.grad.square().sum().item() for p in moved if p.grad is not None))
        with torch.no_grad():
            for p in moved:
                p -= size * p.grad
        after = game().item()
        assert (after > before) is rises
        with torch.no_grad():
            for p in moved:
                p += size * p.grad


@pytest.mark.parametrize("name", ["ddc", "dan", "jan", "coral", "cmd", "mcc", "deepjdot"])
def test_gradients_of_representations_agree_with_finite_differences(name: str) -> None:
    objective = {"dan": lambda: METHODS["dan"](hidden=0), "deepjdot": lambda: DeepJdot(1.0, 1.0)}.get(name, METHODS[name])()
    model = Linear()
    given = batch()
    weight = model.encoder.weight

    def value() -> float:
        return objective(model, given, Outputs(model, given, [objective])).item()

    (gradient,) = torch.autograd.grad(objective(model, given, Outputs(model, given, [objective])), weight)
    if name in ("dan", "jan"):  # the kernels' widths move with the weights and are no part of the gradient
        assert gradient.abs().max() > 0
        return
    for place in ((0, 0), (2, 3)):
        with torch.no_grad():
            weight[place] += 1e-6
            up = value()
            weight[place] -= 2e-6
            down = value()
            weight[place] += 1e-6
        if name == "mcc":  # its weights of examples get no gradient
            assert gradient[place] != 0
        else:
            np.testing.assert_allclose(gradient[place].item(), (up - down) / 2e-6, rtol=1e-4, atol=1e-9)


def test_companions_follow_from_the_seed_and_leave_without_a_trace() -> None:
    plain = set(Linear().state_dict())
    first, second = equipped(Dann()), equipped(Dann())
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
    assert any(name.startswith(COMPANIONS) for name in first.state_dict())
    dismiss(first)
    assert set(first.state_dict()) == plain
    with pytest.raises(RunError, match="Dann has no network"):
        companion_of(first, Dann())


def test_many_classes_are_shown_to_the_opponent_by_fixed_projections() -> None:
    model = Linear()
    model.head = nn.Linear(WIDTH, 1_000).double()
    objective = Cdan()
    equip(model, [objective], lambda: iter(()), seed=0)  # type: ignore[arg-type]
    model.double()
    given = batch()
    value = objective(model, given, Outputs(model, given, [objective]))
    value.backward()
    assert companion_of(model, objective).get_parameter("fixed.across").grad is None
    assert torch.isfinite(value)


def test_unlabelled_representations_are_made_once_for_all_objectives() -> None:
    model, given = Linear(), batch()
    calls = []
    plain = model.represent
    model.represent = lambda inputs, **more: calls.append(1) or plain(inputs, **more)  # type: ignore[method-assign, func-returns-value, assignment]
    objectives = [METHODS[name]() for name in ("ddc", "coral", "mcc", "afn")]
    outputs = Outputs(model, given, objectives)
    for objective in objectives:
        objective(model, given, outputs)
    assert len(calls) == 2


def test_all_of_them_are_objectives() -> None:
    assert set(METHODS) <= set(OBJECTIVES)
    assert len(METHODS) == 12

"""Attacks against plain references: loss, every parameter's gradient, the ball, the padding, and what stays untouched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from acclimate.augment.adversarial import perturbation as to
from acclimate.augment.adversarial.fgm import Fgm
from acclimate.augment.adversarial.freelb import FreeLb
from acclimate.augment.adversarial.pgd import Pgd
from acclimate.augment.adversarial.smart import Smart
from acclimate.augment.adversarial.vat import Vat
from acclimate.errors import InputError
from acclimate.models.objective import Batch, Outputs, task_loss
from acclimate.models.passes import Dropout
from acclimate.tune.terms import Term, evaluate_terms
from tests.online import assert_same_gradients, base, batch_of, examples, gradients, redrawn

KINDS = ["text", "image", "causal-lm"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def prepared(kind: str, folders: dict[str, Path]) -> tuple[Any, Batch]:
    """A model in evaluation mode, so that a reference needs no masks, and a batch of texts of unequal length."""
    made = base(kind, folders)
    batch = batch_of(examples(kind), made.reader, [0, 35, 41, 2, 50])
    batch.weights = torch.linspace(0.5, 1.5, 5)
    if "attention_mask" in batch.inputs:  # no two of one length
        for row in range(5):
            count = int(batch.inputs["attention_mask"][row].sum()) - row
            batch.inputs["attention_mask"][row, count:] = 0
            if kind == "causal-lm":
                batch.labels[row, count - 1 :] = -100
    return made.model.eval(), batch


def total(objective: Any, model: Any, batch: Batch) -> Tensor:
    values = evaluate_terms([Term("it", objective)], model, batch)
    return torch.stack([weight * value for _, weight, value in values]).sum()


def loss_at(model: Any, batch: Batch, embedded: Tensor) -> Tensor:
    return task_loss(model.classify(model.represent(batch.inputs, embedded=embedded)), batch)


def mask_of(batch: Batch, embedded: Tensor) -> np.ndarray:
    if "attention_mask" not in batch.inputs:
        return np.ones_like(embedded.detach().numpy())
    return np.broadcast_to(batch.inputs["attention_mask"].unsqueeze(-1).numpy(), embedded.shape).astype(np.float32)


def numbers(values: Tensor) -> np.ndarray:
    return values.detach().numpy().astype(np.float64)


def by_example(values: np.ndarray, norm: Callable[[np.ndarray], float]) -> np.ndarray:
    return np.array([norm(row.ravel()) for row in values]).reshape(-1, *[1] * (values.ndim - 1))


def l2(row: np.ndarray) -> float:
    return float(np.sqrt((row * row).sum()))


def clipped(kind: str, values: Tensor) -> Tensor:
    return values.clamp(0, 1) if kind == "image" else values


def reference_gradient(model: Any, batch: Batch, at: Tensor) -> np.ndarray:
    leaf = at.detach().requires_grad_()
    (found,) = torch.autograd.grad(loss_at(model, batch, leaf), [leaf])
    return numbers(found)


def test_fgm_is_the_plain_loss_and_the_loss_one_normalised_step_away(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    embedded = model.embed(batch.inputs)
    mask = mask_of(batch, embedded)
    uphill = reference_gradient(model, batch, embedded) * mask
    step = 0.1 * by_example(numbers(embedded) * mask, l2) * uphill / by_example(uphill, l2)
    moved = clipped(kind, embedded + torch.from_numpy(step.astype(np.float32)))
    expected = loss_at(model, batch, embedded) + loss_at(model, batch, moved)
    found = total(Fgm(epsilon=0.1), model, batch)
    torch.testing.assert_close(found, expected)
    wanted = gradients(expected, model)
    assert_same_gradients(gradients(found, model), wanted, atol=2e-5, rtol=1e-3)


def test_fgm_beside_another_term_has_the_same_gradient(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)

    class Nothing:
        modality, replaces_task, needs_unlabelled, needs_input_gradient = (kind,), False, False, False

        def __call__(self, model: Any, batch: Batch, outputs: Outputs) -> Tensor:
            del model, batch
            return outputs.logits.sum() * 0

    alone = gradients(total(Fgm(), model, batch), model)
    values = evaluate_terms([Term("fgm", Fgm()), Term("nothing", Nothing())], model, batch)
    both = gradients(torch.stack([value for _, _, value in values]).sum(), model)
    assert_same_gradients(both, alone, atol=2e-5, rtol=1e-3)


def test_fgm_moves_along_the_gradient_by_the_radius_and_never_on_padding(kind: str, folders: dict[str, Path]) -> None:
    from acclimate.augment.adversarial.fgm import fast_gradient

    model, batch = prepared(kind, folders)
    embedded = model.embed(batch.inputs)
    real = to.real_positions(batch.inputs, embedded)
    uphill = torch.from_numpy(reference_gradient(model, batch, embedded))
    radius = torch.linspace(0.1, 2, 5, dtype=torch.float64).reshape(-1, *[1] * (embedded.ndim - 1))
    delta = fast_gradient(uphill, real.double(), radius)
    torch.testing.assert_close(to.lengths(delta), radius)
    assert (delta * (1 - real) == 0).all()
    cosines = (delta * uphill * real).flatten(1).sum(1) / (to.lengths(delta) * to.lengths(uphill * real)).flatten()
    torch.testing.assert_close(cosines, torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 3])
def test_pgd_follows_its_definition(kind: str, folders: dict[str, Path], steps: int) -> None:
    model, batch = prepared(kind, folders)
    objective = Pgd(epsilon=0.1, steps=steps, step=0.4)
    embedded = model.embed(batch.inputs)
    mask = mask_of(batch, embedded)
    real = to.real_positions(batch.inputs, embedded)
    radius = to.radii(0.1, embedded, real) if kind != "image" else torch.full((5, 1, 1, 1), 0.1)
    start = to.uniform_start(redrawn(batch), embedded.detach(), real, radius)
    delta = numbers(start) * (np.sqrt(embedded[0].numel()) if kind == "image" else 1)
    bound = numbers(radius)
    for _ in range(steps):
        at = clipped(kind, embedded + torch.from_numpy(delta.astype(np.float32)))
        uphill = reference_gradient(model, batch, at) * mask
        if kind == "image":
            inside = (numbers(embedded) + delta > 0) & (numbers(embedded) + delta < 1)
            delta = np.clip(delta + 0.4 * bound * np.sign(uphill * inside), -bound, bound)
        else:
            delta = delta + 0.4 * bound * uphill / by_example(uphill, l2)
            delta = delta * np.minimum(1, bound / by_example(delta, l2))
    expected = loss_at(model, batch, clipped(kind, embedded + torch.from_numpy(delta.astype(np.float32))))
    torch.testing.assert_close(total(objective, model, redrawn(batch)), expected, atol=1e-4, rtol=1e-4)


def test_pgd_stays_in_its_ball_off_the_padding_and_leaves_gradients_alone(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    embedded = model.embed(batch.inputs).detach()
    real = to.real_positions(batch.inputs, embedded)
    delta = Pgd(epsilon=0.02, steps=4, step=3.0).climb(model, batch, embedded, Dropout(embedded.device))
    if kind == "image":
        assert delta.abs().max() <= 0.02 + 1e-7
        moved = to.perturbed(model, embedded, delta)
        assert moved.min() >= 0
        assert moved.max() <= 1
    else:
        assert (to.lengths(delta) <= to.radii(0.02, embedded, real) * (1 + 1e-5)).all()
    assert (delta * (1 - real) == 0).all()
    assert all((parameter.grad == 7).all() for parameter in model.parameters())


def test_pgd_finds_worse_points_than_it_starts_from(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    plain = loss_at(model, batch, model.embed(batch.inputs)).item()
    assert total(Pgd(epsilon=0.2, steps=3), model, batch).item() > plain


def test_a_share_of_the_clean_loss_stands_beside_the_worst(folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    worst = total(Pgd(), model, redrawn(batch))
    plain = loss_at(model, batch, model.embed(batch.inputs))
    torch.testing.assert_close(total(Pgd(clean=0.25), model, redrawn(batch)), 0.75 * worst + 0.25 * plain)


def test_freelb_is_the_mean_over_its_ascent(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    objective = FreeLb(epsilon=0.1, steps=3, step=0.7)
    start = model.embed(batch.inputs).detach()
    mask, real = mask_of(batch, start), to.real_positions(batch.inputs, start)
    radius = to.radii(0.1, start, real)
    delta, bound = numbers(to.uniform_start(redrawn(batch), start, real, radius)), numbers(radius)
    model.zero_grad()
    losses = []
    for _ in range(3):  # algorithm 1, with a way back of its own for every ascent
        shift = torch.from_numpy(delta.astype(np.float32)).requires_grad_()
        loss = loss_at(model, batch, clipped(kind, model.embed(batch.inputs) + shift)) / 3
        loss.backward()
        losses.append(loss.item())
        assert shift.grad is not None
        uphill = numbers(shift.grad) * mask
        delta = delta + 0.7 * bound * uphill / by_example(uphill, l2)
        delta = delta * np.minimum(1, bound / by_example(delta, l2))
    expected = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    found = total(objective, model, redrawn(batch))
    assert found.item() == pytest.approx(sum(losses), abs=1e-4)
    assert_same_gradients(gradients(found, model), expected, atol=2e-5, rtol=2e-3)


def reference_symmetric(first: Tensor, second: Tensor, batch: Batch) -> Tensor:
    kl = torch.nn.functional.kl_div
    one, other = first.log_softmax(-1), second.log_softmax(-1)
    both = kl(one, other, reduction="none", log_target=True) + kl(other, one, reduction="none", log_target=True)
    scored = batch.labels != -100
    return (both.sum(-1) * scored).sum() / scored.sum()


def test_smart_follows_its_definition(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    objective = Smart(epsilon=0.1, steps=2, step=0.6, noise=0.3, start="input")
    embedded = model.embed(batch.inputs)
    mask = mask_of(batch, embedded)
    masked = numbers(embedded) * mask
    bound = 0.1 * np.sqrt(by_example(masked**2, np.sum) / by_example(mask, np.sum))
    noise = torch.randn(embedded.shape, generator=torch.Generator().manual_seed(0))
    delta = numbers(noise) * mask * 0.3 * bound
    plain = model.classify(model.represent(batch.inputs, embedded=embedded))

    def logits_at(shift: Tensor) -> Tensor:
        return model.classify(model.represent(batch.inputs, embedded=clipped(kind, embedded + shift)))

    for _ in range(2):
        shift = torch.from_numpy(delta.astype(np.float32)).requires_grad_()
        (uphill,) = torch.autograd.grad(reference_symmetric(logits_at(shift), plain.detach(), batch), [shift], retain_graph=True)
        rows = numbers(uphill) * mask
        delta = np.clip(delta + 0.6 * bound * rows / by_example(rows, lambda row: float(np.abs(row).max())), -bound, bound)
    last = logits_at(torch.from_numpy(delta.astype(np.float32)))
    expected = task_loss(plain, batch) + reference_symmetric(last, plain, batch)
    found = total(objective, model, redrawn(batch))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert_same_gradients(gradients(found, model), gradients(expected, model), atol=5e-5, rtol=5e-3)


def test_smarts_two_starts_find_the_same_directions_with_two_classes(folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    model.double()  # the paper's start is so close to the input that 32 bits blur the slope there
    found = {}
    for start, noise in (("prediction", 0.01), ("input", 1e-5)):
        outputs = Outputs(model, redrawn(batch), [Smart()])
        delta = Smart(start=start, noise=noise, step=0.1, steps=1).climb(model, redrawn(batch), outputs.embedded.detach(), outputs)
        found[start] = delta.flatten(1)
    cosines = torch.nn.functional.cosine_similarity(found["prediction"], found["input"])
    assert (cosines.abs() > 0.999).all()


def test_smart_stays_in_its_box_and_off_the_padding(kind: str, folders: dict[str, Path]) -> None:
    from acclimate.augment.adversarial.smart import root_mean_square

    model, batch = prepared(kind, folders)
    outputs = Outputs(model, batch, [Smart()])
    delta = Smart(epsilon=0.05, step=3.0, steps=2).climb(model, batch, outputs.embedded.detach(), outputs)
    real = to.real_positions(batch.inputs, delta)
    assert (delta.abs() <= 0.05 * root_mean_square(outputs.embedded.detach(), real) * (1 + 1e-5)).all()
    assert (delta * (1 - real) == 0).all()
    assert delta.abs().max() > 0


class Logistic:
    """Softmax regression on pixels: the KL's second derivative is known in closed form."""

    modality = "image"

    def __init__(self, classes: int) -> None:
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.randn(classes, 12, generator=generator, dtype=torch.float64)

    def embed(self, inputs: Any) -> Tensor:
        return inputs["pixel_values"]

    def represent(self, inputs: Any, *, embedded: Tensor | None = None) -> Tensor:
        return (inputs["pixel_values"] if embedded is None else embedded).flatten(1)

    def classify(self, representation: Tensor) -> Tensor:
        return representation @ self.weight.T

    def modules(self) -> Any:
        return iter(())


def test_power_iteration_finds_the_most_sensitive_direction() -> None:
    model = Logistic(4)
    pixels = torch.rand(3, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs = {"pixel_values": pixels}
    batch = Batch(inputs, torch.zeros(3).long(), torch.ones(3), torch.ones(3).bool(), torch.Generator().manual_seed(0), 0)
    plain = model.classify(model.represent(inputs))
    real = to.real_positions(inputs, pixels)
    found = Vat(power=200).direction(model, batch, (inputs, pixels, real), plain, Dropout(pixels.device)).flatten(1).numpy()
    for row in range(3):
        p = plain[row].softmax(-1).numpy()
        fisher = np.diag(p) - np.outer(p, p)
        hessian = model.weight.numpy().T @ fisher @ model.weight.numpy()  # of KL(p ‖ p(x + r)) at r = 0
        top = np.linalg.eigh(hessian)[1][:, -1]
        assert abs(found[row] @ top) > 0.999


def test_one_power_iteration_is_one_product_with_the_second_derivative() -> None:
    model = Logistic(3)
    pixels = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs = {"pixel_values": pixels}
    batch = Batch(inputs, torch.zeros(1).long(), torch.ones(1), torch.ones(1).bool(), torch.Generator().manual_seed(0), 0)
    plain = model.classify(model.represent(inputs))
    found = Vat().direction(model, batch, (inputs, pixels, to.real_positions(inputs, pixels)), plain, Dropout(pixels.device))
    drawn = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0)).double().flatten().numpy()
    p = plain[0].softmax(-1).numpy()
    expected = model.weight.numpy().T @ (np.diag(p) - np.outer(p, p)) @ model.weight.numpy() @ drawn
    np.testing.assert_allclose(found.flatten().numpy(), expected / np.linalg.norm(expected), atol=2e-3)


def test_vat_is_the_divergence_at_that_direction_on_labelled_and_unlabelled_examples(folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    assert batch.unlabelled is not None
    objective = Vat(epsilon=0.2)
    found = objective(model, redrawn(batch), Outputs(model, batch, [objective]))
    generator, sums, count = torch.Generator().manual_seed(0), 0.0, 0
    for inputs in (batch.inputs, batch.unlabelled):
        embedded = model.embed(inputs).detach()
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        size = (embedded * mask).flatten(1).norm(dim=1).view(-1, 1, 1)
        drawn = torch.randn(embedded.shape, generator=generator) * mask
        step = (1e-3 * size * drawn / drawn.flatten(1).norm(dim=1).view(-1, 1, 1)).requires_grad_()
        log_p = model.classify(model.represent(inputs)).log_softmax(-1).detach()

        def divergence(shift: Tensor, log_p: Tensor = log_p, inputs: Any = inputs, embedded: Tensor = embedded) -> Tensor:
            log_q = model.classify(model.represent(inputs, embedded=embedded + shift)).log_softmax(-1)
            return torch.nn.functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)

        (uphill,) = torch.autograd.grad(divergence(step).sum(), [step])
        uphill = uphill * mask
        worst = 0.2 * size * uphill / uphill.flatten(1).norm(dim=1).view(-1, 1, 1)
        sums, count = sums + divergence(worst).sum().item(), count + len(embedded)
    assert found.item() == pytest.approx(sums / count, rel=2e-2)
    assert found.item() > 0


def test_vat_teaches_the_perturbed_side_alone(folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    outputs = Outputs(model, batch, [Vat(on="labelled")])
    _ = outputs.logits
    loss = Vat(on="labelled")(model, batch, outputs)
    (none,) = torch.autograd.grad(loss, [outputs.logits], allow_unused=True, retain_graph=True)
    assert none is None


@pytest.mark.parametrize("objective", [Fgm(), Pgd(), FreeLb(), Smart(), Smart(start="input"), Vat(on="labelled")], ids=repr)
def test_all_passes_drop_the_same(folders: dict[str, Path], objective: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every perturbation at nothing, all passes of a network in training give one and the same prediction."""
    made = base("text", folders, dropout=0.4)
    batch = batch_of(examples("text"), made.reader, [0, 35, 41])
    model = made.model.train()
    seen: list[Tensor] = []
    classify = model.classify
    monkeypatch.setattr(model, "classify", lambda representation: seen.append(classify(representation)) or seen[-1])
    monkeypatch.setattr(to, "perturbed", lambda _model, embedded, delta: embedded + 0 * delta)
    torch.manual_seed(0)
    total(objective, model, batch)
    assert len(seen) >= 2
    for logits in seen[1:]:
        torch.testing.assert_close(logits, seen[0], atol=1e-4, rtol=0)  # VAT's small step moves it a little


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fgm(epsilon=0),
        lambda: Pgd(epsilon=-1),
        lambda: Pgd(steps=0),
        lambda: Pgd(clean=1.0),
        lambda: FreeLb(step=float("nan")),
        lambda: FreeLb(steps=True),
        lambda: Smart(noise=0),
        lambda: Smart(start="nowhere"),
        lambda: Vat(xi=0),
        lambda: Vat(on="all"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        make()

"""CutMix, manifold, saliency and cross-domain mixing against plain references."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from acclimate.augment.mix import METHODS
from acclimate.augment.mix.cross_domain import CrossDomain, across
from acclimate.augment.mix.cutmix import Cutmix, boxes, kept_shares, paste, spans
from acclimate.augment.mix.draws import draw_pairs
from acclimate.augment.mix.manifold import Manifold, eligible_layers
from acclimate.augment.mix.mixup import Mixup, mixed_cross_entropy
from acclimate.augment.mix.saliency import SaliencyMix, salient_boxes, salient_spans
from acclimate.errors import InputError
from acclimate.models.layers import find_layers, mixing
from acclimate.models.mixture import Mixture
from acclimate.models.objective import Batch, Outputs
from tests.online import base, batch_of, examples, redrawn


def prepared(kind: str, folders: dict[str, Path]) -> tuple[Any, Batch]:
    made = base(kind, folders)
    batch = batch_of(examples(kind), made.reader, [0, 35, 41, 2, 50, 7])
    batch.weights = torch.linspace(0.5, 1.5, 6)
    if "attention_mask" in batch.inputs:
        for row in range(6):
            count = int(batch.inputs["attention_mask"][row].sum()) - row
            batch.inputs["attention_mask"][row, count:] = 0
            if kind == "causal-lm":
                batch.labels[row, count - 1 :] = -100
    return made.model.eval(), batch


def loss_of(objective: Any, model: Any, batch: Batch, seed: int = 0) -> Tensor:
    found = redrawn(batch, seed)
    return objective(model, found, Outputs(model, found, [objective]))


def soft_loss(logits: Tensor, batch: Batch, partner: Tensor, share: Tensor) -> float:
    """The loss against mixed labels, position by position."""
    above = below = 0.0
    log_p = logits.detach().log_softmax(-1)
    for row in range(len(logits)):
        for first, weight in ((row, share[row]), (int(partner[row]), 1 - share[row])):
            labels = batch.labels[first].reshape(-1)
            rows = log_p[row].reshape(len(labels), -1)
            for place, label in enumerate(labels.tolist()):
                if label != -100:
                    above -= float(weight * batch.weights[first] * rows[place, label])
                    below += float(weight * batch.weights[first])
    return above / below


@pytest.mark.parametrize("name", ["mixup", "cutmix", "manifold", "saliency", "cross-domain"])
def test_shares_follow_the_beta_distribution_of_their_alpha(name: str) -> None:
    alpha = METHODS[name]().alpha
    many = torch.zeros(3000)
    batch = Batch({}, many.long(), many, many.bool(), torch.Generator().manual_seed(1), 0)
    shares, partners = draw_pairs(batch, alpha)
    assert stats.kstest(shares.double().numpy().clip(1e-12, 1 - 1e-12), stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert sorted(partners.tolist()) == list(range(3000))


def test_boxes_have_the_area_they_should_and_the_label_follows_what_is_left() -> None:
    shares = np.linspace(0, 1, 9)
    inside = boxes(shares, 40, 60, np.random.default_rng(0), np.tile([20, 30], (9, 1)))
    for share, box in zip(shares, inside, strict=True):
        side = np.sqrt(1 - share)
        assert box.sum() == np.floor(40 * side) * np.floor(60 * side)
        rows, columns = np.nonzero(box)
        assert not len(rows) or box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
    kept = kept_shares(inside, np.full(9, 2400))
    np.testing.assert_allclose(kept, [1 - box.mean() for box in inside])
    drawn = boxes(np.zeros(200), 8, 8, np.random.default_rng(0))
    assert 0.4 < drawn.mean() < 0.75  # cut off at the border: on average nine sixteenths are left of the whole


def test_spans_are_contiguous_and_stay_between_the_marks_of_both_texts() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 20, 300)
    partners = rng.permutation(300)
    shares = rng.random(300)
    inside = spans(shares, lengths, partners, 20, rng)
    for row in range(300):
        places = np.nonzero(inside[row])[0]
        assert len(places) == min(round((1 - shares[row]) * lengths[row]), max(min(lengths[row], lengths[partners[row]]) - 2, 0))
        if len(places):
            assert places.tolist() == list(range(places[0], places[-1] + 1))
            assert places[0] >= 1
            assert places[-1] < min(lengths[row], lengths[partners[row]]) - 1


@pytest.mark.parametrize("kind", ["text", "image"])
def test_cutmix_is_the_loss_of_pasted_inputs(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    found = loss_of(Cutmix(), model, batch)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(0))))
    shares, partners = rng.beta(1, 1, 6), rng.permutation(6)
    embedded = model.embed(batch.inputs)
    pasted = embedded.clone()
    if kind == "image":
        inside = boxes(shares, *embedded.shape[-2:], rng)
        sizes = np.full(6, inside[0].size)
    else:
        sizes = batch.inputs["attention_mask"].sum(1).numpy()
        inside = spans(shares, sizes, partners, embedded.shape[1], rng)
    for row in range(6):
        region = torch.from_numpy(inside[row])
        if kind == "image":
            pasted[row][:, region] = embedded[int(partners[row])][:, region]
        else:
            pasted[row][region] = embedded[int(partners[row])][region]
    logits = model.classify(model.represent(batch.inputs, embedded=pasted))
    share = torch.tensor([1 - inside[row].sum() / sizes[row] for row in range(6)])
    assert found.item() == pytest.approx(soft_loss(logits, batch, torch.from_numpy(partners), share), rel=1e-4)


def test_pasting_takes_the_partner_inside_alone() -> None:
    given = torch.arange(2 * 3 * 2).view(2, 3, 2).float()
    pasted = paste(given, torch.tensor([1, 0]), torch.tensor([[False, True, False], [False, False, False]]))
    assert pasted[0].tolist() == [given[0, 0].tolist(), given[1, 1].tolist(), given[0, 2].tolist()]
    assert torch.equal(pasted[1], given[1])


@pytest.mark.parametrize(("kind", "layer"), [("text", 0), ("text", 1), ("text", 2), ("causal-lm", 0), ("causal-lm", 1)])
def test_a_hidden_mixture_is_that_of_the_layers_run_by_hand(kind: str, layer: int, folders: dict[str, Path]) -> None:
    """Each text alone, without padding, up to the layer; then mixed; then on with the union of both masks."""
    model, batch = prepared(kind, folders)
    partner, share = torch.tensor([3, 0, 1, 2, 5, 4]), torch.tensor([0.3, 0.9, 0.5, 0.7, 0.2, 0.6])
    mask = batch.inputs["attention_mask"]
    backbone = model.encoder if kind == "text" else model.inner.base_model
    states = []
    for row in range(6):
        count = int(mask[row].sum())
        alone = {"input_ids": batch.inputs["input_ids"][row : row + 1, :count]}
        hidden = backbone(**alone, output_hidden_states=True)
        state = hidden.hidden_states[layer]
        states.append(torch.nn.functional.pad(state[0], (0, 0, 0, mask.shape[1] - count)))
    before = torch.stack(states)
    mixed = share.view(-1, 1, 1) * before + (1 - share.view(-1, 1, 1)) * before[partner]
    union = torch.maximum(mask, mask[partner])
    with torch.no_grad():
        found = model.represent(batch.inputs, mixture=Mixture(partner, share, layer))
        expected = _behind(model, kind, mixed, union, layer)
    wanted = expected if kind == "causal-lm" else (expected * union.unsqueeze(-1)).sum(1) / union.sum(1, keepdim=True)
    if kind == "causal-lm":  # what stands on padding means nothing
        found, wanted = found * union.unsqueeze(-1), wanted * union.unsqueeze(-1)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def _behind(model: Any, kind: str, hidden: Tensor, mask: Tensor, layer: int) -> Tensor:
    """The layers behind ``layer`` by hand, with a mask as a number added to scores."""
    tokens = hidden.shape[1]
    hidden_keys = (1 - mask).view(len(mask), 1, 1, tokens).bool()
    if kind == "causal-lm":
        hidden_keys = hidden_keys | ~torch.ones(tokens, tokens).tril().bool()
    added = torch.zeros(hidden_keys.shape).masked_fill(hidden_keys, torch.finfo(torch.float32).min)
    if kind == "text":
        for module in model.encoder.encoder.layer[layer:]:
            hidden = module(hidden, added)
        return hidden
    decoder = model.inner.base_model
    positions = torch.arange(tokens).unsqueeze(0)
    for module in decoder.layers[layer:]:
        hidden = module(
            hidden, attention_mask=added, position_embeddings=decoder.rotary_emb(hidden, positions), position_ids=positions
        )
    return decoder.norm(hidden)


def test_an_image_mixed_in_a_layer_is_mixed_there(folders: dict[str, Path]) -> None:
    model, batch = prepared("image", folders)
    partner, share = torch.tensor([3, 0, 1, 2, 5, 4]), torch.rand(6, generator=torch.Generator().manual_seed(0))
    hidden = (batch.inputs["pixel_values"] - model.mean) / model.std
    for number, block in enumerate(model.backbone.blocks):
        if number == 2:
            hidden = share.view(-1, 1, 1, 1) * hidden + (1 - share.view(-1, 1, 1, 1)) * hidden[partner]
        hidden = block(hidden)
    found = model.represent(batch.inputs, mixture=Mixture(partner, share, 2))
    torch.testing.assert_close(found, model.backbone.hidden(hidden).flatten(1).relu())


@pytest.mark.parametrize("kind", ["text", "image", "causal-lm"])
def test_manifold_is_the_mixed_loss_at_a_drawn_layer(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    found = loss_of(Manifold(layers=(1,)), model, batch)
    again = redrawn(batch)
    torch.randint(1, (), generator=again.generator)
    share, partner = draw_pairs(again, 0.4)
    logits = model.classify(model.represent(batch.inputs, mixture=Mixture(partner, share, 1)))
    assert found.item() == pytest.approx(soft_loss(logits, batch, partner, share), rel=1e-4)


def test_every_eligible_layer_is_drawn_and_hooks_are_gone_afterwards(folders: dict[str, Path]) -> None:
    model, batch = prepared("image", folders)
    layers = find_layers(model.backbone)
    with mixing(layers, Mixture(torch.tensor([0]), torch.tensor([1.0]), 1)):
        assert any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)
    assert eligible_layers(model.depth, "image") == (0, 1, 2)
    assert eligible_layers(2, "text") == (2,)
    values = {loss_of(Manifold(alpha=5.0), model, batch, seed).item() for seed in range(4)}
    assert len(values) > 1


@pytest.mark.parametrize("kind", ["text", "image", "causal-lm"])
def test_mixup_of_inputs_is_the_mixed_loss(kind: str, folders: dict[str, Path]) -> None:
    model, batch = prepared(kind, folders)
    found = loss_of(Mixup(alpha=1.0, level="input"), model, batch)
    share, partner = draw_pairs(redrawn(batch), 1.0)
    embedded, inputs = model.embed(batch.inputs), dict(batch.inputs)
    if kind != "image":
        mask = inputs["attention_mask"]
        embedded = embedded * mask.unsqueeze(-1)
        inputs["attention_mask"] = torch.maximum(mask, mask[partner])
    by_row = share.view(-1, *[1] * (embedded.ndim - 1))
    logits = model.classify(model.represent(inputs, embedded=by_row * embedded + (1 - by_row) * embedded[partner]))
    assert found.item() == pytest.approx(soft_loss(logits, batch, partner, share), rel=1e-4)


def test_positions_without_a_label_do_not_count() -> None:
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1, -100, 3], [2, 0, -100]])
    weights, partner, share = torch.tensor([1.0, 3.0]), torch.tensor([1, 0]), torch.tensor([0.25, 0.5])
    log_p = logits.log_softmax(-1)
    above = below = 0.0
    for row in range(2):
        for first, part in ((row, share[row]), (1 - row, 1 - share[row])):
            for place in range(3):
                if labels[first, place] >= 0:
                    above -= float(part * weights[first] * log_p[row, place, labels[first, place]])
                    below += float(part * weights[first])
    assert mixed_cross_entropy(logits, labels, weights, partner, share).item() == pytest.approx(above / below)


def test_the_most_salient_span_replaces_the_least_salient_one() -> None:
    rng = np.random.default_rng(0)
    saliency, lengths = rng.random((40, 15)), rng.integers(1, 16, 40)
    partners, shares = rng.permutation(40), rng.random(40)
    inside, origins = salient_spans(saliency, lengths, shares, partners)
    for row, partner in enumerate(partners):
        most = min(lengths[row], lengths[partner]) - 2
        size = max(int(min(round((1 - shares[row]) * lengths[row]), most)), 0)
        assert inside[row].sum() == size
        if not size:
            continue
        own = {start: saliency[row, start : start + size].sum() for start in range(1, lengths[row] - size)}
        other = {start: saliency[partner, start : start + size].sum() for start in range(1, lengths[partner] - size)}
        where = np.nonzero(inside[row])[0]
        assert where[0] == min(own, key=own.__getitem__)
        assert origins[row, where[0]] == max(other, key=other.__getitem__)
        assert (np.diff(origins[row, where]) == 1).all()


def test_the_most_salient_pixel_of_the_partner_lies_in_the_box() -> None:
    saliency = np.random.default_rng(0).random((12, 9, 7))
    partners = np.random.default_rng(1).permutation(12)
    inside = salient_boxes(saliency, np.full(12, 0.6), partners)
    for row, partner in enumerate(partners):
        assert inside[row][np.unravel_index(saliency[partner].argmax(), (9, 7))]


@pytest.mark.parametrize("kind", ["text", "image"])
def test_saliency_is_the_gradient_of_the_task_loss(kind: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = prepared(kind, folders)
    leaf = model.embed(batch.inputs).detach().requires_grad_()
    loss = torch.nn.functional.cross_entropy(
        model.classify(model.represent(batch.inputs, embedded=leaf)), batch.labels, reduction="none"
    )
    ((loss * batch.weights).sum() / batch.weights.sum()).backward()
    assert leaf.grad is not None
    expected = leaf.grad.abs().sum(1) if kind == "image" else leaf.grad.norm(dim=-1)
    module = importlib.import_module("acclimate.augment.mix.saliency")
    name = "salient_boxes" if kind == "image" else "salient_spans"
    seen: list[np.ndarray] = []
    real = getattr(module, name)
    monkeypatch.setattr(module, name, lambda saliency, *rest: seen.append(saliency) or real(saliency, *rest))
    found = loss_of(SaliencyMix(), model, batch)
    assert torch.isfinite(found)
    np.testing.assert_allclose(seen[0], expected.numpy(), atol=1e-6, rtol=1e-3)


def test_partners_come_from_the_other_domain() -> None:
    from_target = np.array([True, False, False, True, False])
    for seed in range(20):
        partners = across(from_target, np.random.default_rng(seed))
        assert (from_target[partners] != from_target).all()
    assert sorted(across(np.ones(4, dtype=bool), np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("partners", ["labelled", "pseudo", "unlabelled"])
def test_cross_domain_is_the_loss_of_mixed_representations(partners: str, folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    assert batch.unlabelled is not None
    found = loss_of(CrossDomain(alpha=1.0, partners=partners), model, batch)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(0))))
    share = torch.tensor(rng.beta(1.0, 1.0, 6), dtype=torch.float32)
    own = model.represent(batch.inputs)
    if partners == "labelled":
        partner = torch.from_numpy(across(batch.from_target.numpy(), rng))
        logits = model.classify(share[:, None] * own + (1 - share[:, None]) * own[partner])
        assert found.item() == pytest.approx(soft_loss(logits, batch, partner, share), rel=1e-4)
        return
    other = model.represent(batch.unlabelled)
    other = other[torch.from_numpy(rng.integers(0, len(other), 6))]
    if partners == "unlabelled":
        share = torch.maximum(share, 1 - share)
    log_p = model.classify(share[:, None] * own + (1 - share[:, None]) * other).log_softmax(-1)
    labels = torch.eye(2)[batch.labels]
    soft = share[:, None] * labels + (1 - share[:, None]) * model.classify(other).softmax(-1) if partners == "pseudo" else labels
    expected = (-(soft * log_p).sum(1) * batch.weights).sum() / batch.weights.sum()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cutmix(alpha=0),
        lambda: Manifold(layers=(-1,)),
        lambda: SaliencyMix(alpha=float("inf")),
        lambda: CrossDomain(partners="nobody"),
        lambda: Mixup(level="pixels"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_a_layer_that_the_model_lacks_is_refused(folders: dict[str, Path]) -> None:
    model, batch = prepared("text", folders)
    with pytest.raises(InputError, match="layer 9 of a model of 2"):
        loss_of(Manifold(layers=(9,)), model, batch)

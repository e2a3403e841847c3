"""A causal model adapted to texts, on a tiny random model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.models.causal import CausalModel
from acclimate.select.importance.moore_lewis import MooreLewis
from acclimate.select.importance.neural_lm import NeuralLosses, adapt, merged
from tests.causal import make_causal

WARD = [f"fever dose ward {row}" for row in range(12)]
TRADE = [f"price bank loan {row}" for row in range(12)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return CausalModel(str(make_causal(tmp_path_factory.mktemp("causal"))), device="cpu")


def test_adapting_lowers_the_loss_of_the_texts_and_more_so_than_of_others(model: CausalModel) -> None:
    before, after = model.losses(WARD[:4] + TRADE[:4])[0], []
    adapter = adapt(model, WARD[4:], steps=10, seed=0)
    with merged(model.model, adapter):
        after = model.losses(WARD[:4] + TRADE[:4])[0]
    gains = before - after
    assert (gains[:4] > 0).all()
    assert gains[:4].mean() > gains[4:].mean()


def test_merging_leaves_no_trace(model: CausalModel) -> None:
    weights = {name: value.clone() for name, value in model.model.state_dict().items()}
    with merged(model.model, adapt(model, WARD, steps=2, seed=0)):
        changed = [name for name, value in model.model.state_dict().items() if not torch.equal(value, weights[name])]
        assert changed
    assert all(torch.equal(value, weights[name]) for name, value in model.model.state_dict().items())


def test_a_merged_adapter_computes_what_a_linear_layer_with_it_does(model: CausalModel) -> None:
    layer = adapt(model, WARD, steps=3, seed=0).layers[0]
    module = model.model.get_submodule(layer.name)
    x = torch.randn(5, layer.down.shape[1], generator=torch.Generator().manual_seed(0))
    expected = module(x) + layer.scale * (x @ layer.down.T @ layer.up.T)
    with merged(model.model, adapt(model, WARD, steps=3, seed=0)):
        assert torch.allclose(module(x), expected, atol=1e-6)


def test_the_first_step_is_adams_along_the_mean_gradient(model: CausalModel) -> None:
    """Adam's first step has the length of its rate along the sign of the gradient; the fresh first factor stays as it is."""
    adapter = adapt(model, WARD, steps=1, seed=0)
    for layer in adapter.layers:
        moved = layer.up[layer.up != 0].abs()
        assert moved.numel() > 0
        assert float(moved.max()) <= 1e-3 * 1.0001


def test_seed_and_texts_alone_decide_and_not_their_order(model: CausalModel) -> None:
    first, second = (NeuralLosses.of(model, [texts], steps=3, seed=1)(TRADE)[0] for texts in (WARD, WARD[::-1]))
    assert first.tobytes() == second.tobytes()


def test_the_neural_difference_finds_what_is_like_the_target(model: CausalModel) -> None:
    source = from_columns("s", [*WARD[6:], *TRADE, *(f"market share {row}" for row in range(12))])
    labelled = from_columns("t", WARD[:6], ["a"] * 6)
    target = Target("t", labelled, labelled.take([]).without_labels(), Sealed(labelled, "test"), ("a",))
    selector = MooreLewis(language_model=model, models="neural", steps=15).fit(source, target)
    scores = selector.score(source)
    assert set(np.argsort(-scores)[:6].tolist()) == set(range(6))
    assert selector.score(source.take([3])).tobytes() == scores[3:4].tobytes()
    assert selector.score(source.take([])).shape == (0,)

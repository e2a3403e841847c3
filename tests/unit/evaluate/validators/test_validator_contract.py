"""Every validator: what it looks at, what it says of good and bad models, what it refuses; each against a plain reference."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import entropy as scipy_entropy

from acclimate.errors import InputError
from acclimate.evaluate.validators import METHODS, SAFEST
from acclimate.evaluate.validators.base import Seen
from acclimate.evaluate.validators.dev import controlled_risk
from acclimate.evaluate.validators.failures import failures, safest
from acclimate.evaluate.validators.importance_weighted import weighted_accuracy
from acclimate.evaluate.validators.ratio import density_ratio
from acclimate.evaluate.validators.snd import Snd, neighbourhood_density

every_validator = pytest.mark.parametrize("name", METHODS)
CLASSES = 3


def chances(
    rng: np.random.Generator, truth: NDArray[np.int64], right: float, sure: float, noise: float = 0.3
) -> NDArray[np.float64]:
    """Answers of a model that is right so often and gives its answer the log-odds ``sure``, scattered by ``noise``."""
    answer = np.where(rng.random(len(truth)) < right, truth, (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES)
    logits = rng.normal(0, noise, (len(truth), CLASSES)) + sure * np.eye(CLASSES)[answer]
    powers = np.exp(logits)
    found: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return found


def seen(right: float, sure: float, seed: int = 0, rows: int = 120, noise: float = 0.3) -> Seen:
    """What validators see of a model that is as good on the source as on the target."""
    rng = np.random.default_rng(seed)
    truth, held = np.arange(rows) % CLASSES, np.arange(rows) % CLASSES
    features, held_features = rng.normal(size=(rows, 8)) + 0.4, rng.normal(size=(rows, 8))
    return Seen(
        chances(rng, truth, right, sure, noise),
        features,
        held_probabilities=chances(rng, held, right, sure, noise),
        held_labels=held,
        held_features=held_features,
        others=tuple(chances(rng, truth, right, sure, noise) for _ in range(3)),
        seed=7,
    )


@every_validator
def test_a_model_that_is_right_and_sure_scores_above_one_that_guesses(name: str) -> None:
    method = METHODS[name]()
    assert method.score(seen(0.95, 5.0)) > method.score(seen(0.4, 0.5, noise=1.5))


@every_validator
def test_the_order_of_the_target_examples_does_not_matter(name: str) -> None:
    look = seen(0.8, 2.0)
    assert look.features is not None
    order = np.random.default_rng(1).permutation(len(look.probabilities))
    turned = dataclasses.replace(
        look, probabilities=look.probabilities[order], features=look.features[order], others=tuple(o[order] for o in look.others)
    )
    assert METHODS[name]().score(turned) == pytest.approx(METHODS[name]().score(look), abs=1e-5)


@every_validator
def test_the_same_look_gives_the_same_bits(name: str) -> None:
    assert METHODS[name]().score(seen(0.8, 2.0)) == METHODS[name]().score(seen(0.8, 2.0))


@every_validator
@pytest.mark.parametrize("rows", [3, 4])
def test_a_handful_of_examples_serve(name: str, rows: int) -> None:
    assert np.isfinite(METHODS[name]().score(seen(0.9, 3.0, rows=rows)))


@every_validator
def test_what_is_needed_and_not_there_is_said(name: str) -> None:
    bare = Seen(seen(0.8, 2.0).probabilities)
    if METHODS[name].needs:
        with pytest.raises(InputError, match="This validator was"):
            METHODS[name]().score(bare)
    else:
        assert METHODS[name]().score(bare) == METHODS[name]().score(seen(0.8, 2.0))


@every_validator
def test_each_says_its_range_and_comes_with_its_measured_failures(name: str) -> None:
    method, found = METHODS[name], failures()[name]
    assert method.range
    assert method.paper
    assert 0 <= found.worse <= found.changed <= found.cells
    assert found.gain <= found.possible
    assert f"worse than doing nothing in {found.worse} of {found.cells} measured cells" in found.sentence


def test_the_safest_is_the_one_that_was_worse_least_often() -> None:
    rates = {name: found.worse / found.cells for name, found in failures().items()}
    assert set(rates) == set(METHODS)
    assert rates[safest()] == min(rates.values())
    assert SAFEST not in METHODS


@pytest.mark.parametrize(
    "broken",
    [
        {"probabilities": np.empty((0, 3))},
        {"probabilities": np.array([[np.nan, 0.5, 0.5]])},
        {"features": np.zeros((5, 8))},
        {"held_probabilities": np.full((120, 2), 0.5)},
        {"others": (np.full((3, 3), 1 / 3),)},
    ],
)
def test_shapes_that_do_not_fit_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(seen(0.8, 2.0), **broken)


def test_entropy_is_scipys() -> None:
    look = seen(0.7, 1.0)
    assert METHODS["entropy"]().score(look) == pytest.approx(-np.mean(scipy_entropy(look.probabilities, axis=1)))
    assert METHODS["entropy"]().score(Seen(np.full((5, 4), 0.25))) == pytest.approx(-np.log(4))
    assert METHODS["entropy"]().score(Seen(np.eye(4))) == 0


def test_snd_is_the_papers_sum_over_pairs() -> None:
    outputs, temperature = seen(0.8, 1.5, rows=9).probabilities, 0.05
    total = 0.0
    for i, one in enumerate(outputs):
        alike = {
            j: np.exp(one @ other / np.linalg.norm(one) / np.linalg.norm(other) / temperature)
            for j, other in enumerate(outputs)
            if j != i
        }
        shares = np.array(list(alike.values())) / sum(alike.values())
        total -= sum(share * np.log(share) for share in shares)
    assert METHODS["snd"]().score(Seen(outputs)) == pytest.approx(total / len(outputs))


def test_snd_is_the_same_in_blocks_and_largest_where_all_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = seen(0.8, 1.5, rows=50).probabilities
    whole = neighbourhood_density(outputs, 0.05)
    monkeypatch.setattr(sys.modules[Snd.__module__], "_BLOCK", 7)
    assert neighbourhood_density(outputs, 0.05) == pytest.approx(whole, rel=1e-12)
    assert neighbourhood_density(np.tile([0.2, 0.8], (50, 1)), 0.05) == pytest.approx(np.log(49))


def test_bnm_is_the_trace_of_the_root_of_the_gram_matrix() -> None:
    outputs = seen(0.8, 1.5).probabilities
    roots = np.sqrt(np.clip(np.linalg.eigvalsh(outputs.T @ outputs), 0, None))
    assert METHODS["bnm"]().score(Seen(outputs)) == pytest.approx(roots.sum() / np.sqrt(len(outputs)))
    assert METHODS["bnm"]().score(Seen(np.tile(np.eye(3), (4, 1)))) == pytest.approx(np.sqrt(3))
    assert METHODS["bnm"]().score(Seen(np.full((6, 3), 1 / 3))) == pytest.approx(1 / np.sqrt(3))


def test_agreement_is_counted_pair_by_pair() -> None:
    look = seen(0.7, 1.0)
    count, pairs = 0, 0
    for one, other in itertools.combinations(look.others, 2):
        pairs += len(one)
        count += sum(int(a.argmax() == b.argmax()) for a, b in zip(one, other, strict=True))
    assert METHODS["agreement"]().score(look) == pytest.approx(count / pairs)


def test_of_two_models_in_all_the_judged_one_is_a_member() -> None:
    look = seen(0.7, 1.0)
    alone = dataclasses.replace(look, others=(look.probabilities,))
    assert METHODS["agreement"]().score(alone) == 1


def test_the_density_ratio_is_that_of_two_known_normal_distributions() -> None:
    """On unit circles a logistic classifier is von Mises against von Mises: the log ratio is linear in the direction."""
    rng = np.random.default_rng(0)
    angles, moved = rng.vonmises(0.0, 1.0, 4000), rng.vonmises(0.8, 1.0, 4000)
    source, target = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angles, moved))
    truth = np.exp(np.cos(angles - 0.8) - np.cos(angles))
    found = density_ratio(source, target, seed=1)
    assert np.corrcoef(np.log(found), np.log(truth))[0, 1] > 0.99
    assert found.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found, truth, rtol=0.15)


def test_the_number_of_rows_on_each_side_is_accounted_for() -> None:
    rng = np.random.default_rng(0)
    assert density_ratio(rng.normal(size=(600, 3)), rng.normal(size=(200, 3))).mean() == pytest.approx(1, abs=0.1)


def test_weighted_accuracy_recovers_the_targets_where_only_frequencies_moved() -> None:
    rng = np.random.default_rng(2)
    side = rng.random(20_000) < 0.2  # one fifth of the source is where the model is right, four fifths of the target
    correct = np.where(side, True, rng.random(20_000) < 0.5)
    weights = np.where(side, 0.8 / 0.2, 0.2 / 0.8)
    assert weighted_accuracy(correct, weights) == pytest.approx(0.8 + 0.2 * 0.5, abs=0.01)


def test_the_control_variate_is_the_regression_of_the_weighted_loss_on_the_weight() -> None:
    """Independent reference: the constant of least squares at weight 1."""
    rng = np.random.default_rng(3)
    weights, losses = rng.gamma(2, 0.5, 400), (rng.random(400) < 0.3).astype(float)
    fitted = minimize(lambda p: float(np.sum((weights * losses - p[0] - p[1] * (weights - 1)) ** 2)), [0.0, 0.0], tol=1e-12)
    assert controlled_risk(losses, weights) == pytest.approx(fitted.x[0], abs=1e-5)


def test_the_control_variate_takes_down_the_variance() -> None:
    rng = np.random.default_rng(4)
    plain, controlled = [], []
    for _ in range(300):
        weights = rng.lognormal(-0.5, 1.0, 200)
        losses = (rng.random(200) < 0.7).astype(float)
        plain.append(float(np.mean(weights * losses)))
        controlled.append(controlled_risk(losses, weights))
    assert np.var(controlled) < 0.6 * np.var(plain)
    assert np.mean(controlled) == pytest.approx(0.7, abs=0.02)

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.metrics import log_loss as reference_log_loss

from acclimate.evaluate.metrics import accuracy, calibration_error, log_loss, macro_f1, score


def draws(seed: int, n: int = 200, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(c), n), rng.integers(0, c, n)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed):
    probabilities, labels = draws(seed)
    predicted = probabilities.argmax(1)
    assert accuracy(probabilities, labels) == pytest.approx(accuracy_score(labels, predicted))
    assert macro_f1(probabilities, labels) == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert log_loss(probabilities, labels) == pytest.approx(reference_log_loss(labels, probabilities, labels=range(4)))


def test_macro_f1_counts_a_class_that_is_never_right_as_zero_and_leaves_out_one_that_never_occurs():
    probabilities = np.eye(4)[[0, 0, 1]]
    labels = np.array([0, 0, 2])
    assert macro_f1(probabilities, labels) == pytest.approx(f1_score(labels, [0, 0, 1], average="macro", zero_division=0))
    assert macro_f1(probabilities, labels) == pytest.approx(1 / 3)


def test_a_certain_mistake_costs_a_finite_loss():
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(np.finfo(float).eps))


def test_calibration_error_by_hand():
    # Two bins are filled: three items at 0.95 with 2/3 right (gap .2833), one at 0.55 that is wrong (gap .55).
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.05, 0.95], [0.55, 0.45]])
    labels = np.array([0, 0, 0, 1])
    assert calibration_error(probabilities, labels) == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.55)


def test_calibration_error_keeps_certain_predictions_in_the_last_bin():
    assert calibration_error(np.eye(2), np.array([0, 1])) == 0
    assert calibration_error(np.eye(2), np.array([1, 0])) == 1


def test_score_names_every_metric():
    assert list(score(*draws(0))) == ["accuracy", "macro_f1", "log_loss", "calibration_error"]

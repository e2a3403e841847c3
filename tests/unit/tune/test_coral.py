"""Deep CORAL against NumPy's covariances, and the choice of its two sides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from acclimate.models.objective import Batch, Outputs
from acclimate.tune.align.coral import Coral


class Identity:
    """A model whose representation is its input."""

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return inputs["input_ids"]

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None) -> Tensor:
        return inputs["input_ids"] if embedded is None else embedded

    def classify(self, representation: Tensor) -> Tensor:
        return representation[:, :2]


def value(source: Tensor, target: Tensor, from_target: list[bool]) -> Tensor:
    count = len(source)
    batch = Batch(
        inputs={"input_ids": source},
        labels=torch.zeros(count, dtype=torch.long),
        weights=torch.ones(count),
        from_target=torch.tensor(from_target),
        generator=torch.Generator(),
        step=0,
        unlabelled={"input_ids": target},
    )
    model = Identity()
    return Coral()(model, batch, Outputs(model, batch))


def distance(source: Tensor, target: Tensor) -> float:
    one, other = (np.cov(side.detach().numpy(), rowvar=False) for side in (source, target))
    return float(((one - other) ** 2).sum() / (4 * source.shape[1] ** 2))


def rows(count: int, seed: int) -> Tensor:
    return torch.randn(count, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_distance_of_covariances_of_source_and_unlabelled_rows() -> None:
    source, target = rows(7, 0), rows(6, 1)
    np.testing.assert_allclose(value(source, target, [False] * 7).item(), distance(source, target))
    np.testing.assert_allclose(value(source, target, [False] * 4 + [True] * 3).item(), distance(source[:4], target))


def test_a_batch_without_source_rows_uses_all_labelled_rows() -> None:
    source, target = rows(5, 0), rows(6, 1)
    np.testing.assert_allclose(value(source, target, [True] * 4 + [False]).item(), distance(source, target))


def test_a_single_row_has_no_covariance_and_gives_nothing() -> None:
    assert value(rows(4, 0), rows(1, 1), [False] * 4).item() == 0


def test_its_gradient_agrees_with_finite_differences() -> None:
    source, target = rows(4, 0).requires_grad_(), rows(4, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, t: value(s, t, [False] * 4), (source, target))

"""A linear layer on what the pre-trained model says of the training examples, fitted before the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from acclimate.models.objective import Batches, Model


class Glance(NamedTuple):
    """Representations ``(n, d)``, class numbers ``(n,)``, which are the target's ``(n,)``, and weights ``(n,)``."""

    features: Tensor
    labels: Tensor
    from_target: Tensor
    weights: Tensor


def glance(model: Model, batches: Batches) -> Glance:
    """The labelled examples as the model represents them now; its mode is put back."""
    import torch

    module = cast("nn.Module", model)
    training = module.training
    module.eval()
    device = next(module.parameters()).device
    with torch.no_grad():
        seen = [
            (
                model.represent({name: value.to(device) for name, value in batch.inputs.items()}),
                batch.labels,
                batch.from_target,
                batch.weights,
            )
            for batch in batches()
        ]
    module.train(training)
    features, *rest = (torch.cat(parts) for parts in zip(*seen, strict=True))
    return Glance(features.float().cpu(), *rest)


def fit_readout(
    features: NDArray[np.floating], labels: NDArray[np.int64], classes: int, weights: NDArray[np.floating] | None = None
) -> nn.Linear:
    """A logistic regression on standardised features ``(n, d)``, as a linear layer on the raw ones.

    A class that is absent gets no probability worth naming; with one class only the layer is all zeros.
    """
    import torch
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits
    from torch import nn

    wide = np.asarray(features, dtype=np.float64)
    mean, scale = wide.mean(0), wide.std(0) + 1e-6
    weight, bias = np.zeros((classes, wide.shape[1])), np.zeros(classes)
    present = np.unique(labels)
    if len(present) > 1:
        with threadpool_limits(1):
            model = LogisticRegression(C=1 / np.sqrt(wide.shape[1]), max_iter=1_000).fit((wide - mean) / scale, labels, weights)
        rows = model.coef_ if len(present) > 2 else np.vstack([-model.coef_, model.coef_]) / 2
        offsets = model.intercept_ if len(present) > 2 else np.concatenate([-model.intercept_, model.intercept_]) / 2
        bias[:] = -20.0
        weight[present], bias[present] = rows / scale, offsets - (rows / scale) @ mean
    layer = nn.Linear(wide.shape[1], classes)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer

"""Domain confusion: nearest target examples in a space that tells source labels apart, but not source from target."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.threads import one_thread
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Need, Trait
from acclimate.select.similarity.cosine import on_grid, unit_rows
from acclimate.select.similarity.knn import mean_of_largest

#: Rows of a block of cosines.
_BLOCK = 1024


def confused_map(
    source: NDArray[np.float64],
    labels: NDArray[np.int64],
    target: NDArray[np.float64],
    *,
    width: int,
    confusion: float,
    keep: float,
    steps: int,
    rate: float,
    batch_size: int,
    seed: int,
) -> NDArray[np.float64]:
    """A linear map ``W (h, d)``, ``h = min(width, d, rows)``, learned from centred rows by gradient descent (Adam) on

        cross-entropy(source labels) + confusion * MMD^2(W source, W target) + keep * ||x - W' W x||^2

    The first two terms are those of Tzeng et al. 2014, eq. 1, with the adaptation layer linear and the squared discrepancy that of
    an RBF kernel as wide as the median squared distance at the start. The third, of both sides, is ours: without it the map may
    shrink the space to the labels alone, where nothing is near to anything for another reason. It starts as the leading principal
    components, for which that term is smallest.

    Args:
        source: ``(n, d)``, less the mean of all rows.
        labels: class numbers ``(n,)``, each of 0 to c - 1 at least once.
        target: ``(m, d)``, less the same mean.
        batch_size: rows of each side in a step.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from acclimate.features.kernels import median_bandwidth, mmd2_biased, rbf, squared_distances

    rng = np.random.default_rng(seed)
    with one_thread():  # the same bytes whatever the number of threads
        layer = torch.from_numpy(_principal(np.concatenate([source, target]), width)).requires_grad_()
        head = torch.zeros(int(labels.max()) + 1, len(layer) + 1, dtype=torch.float64, requires_grad=True)
        sides, classes = (torch.from_numpy(source), torch.from_numpy(target)), torch.from_numpy(labels)
        optimiser = torch.optim.Adam([layer, head], lr=rate)
        kernel = None
        for _ in range(steps):
            rows = [rng.permutation(len(side))[:batch_size] for side in sides]
            both = torch.cat([side[some] for side, some in zip(sides, rows, strict=True)])
            mapped = both @ layer.T
            distances = squared_distances(mapped, mapped)
            kernel = kernel or rbf(median_bandwidth(distances))
            values, count = kernel(distances), len(rows[0])
            apart = mmd2_biased(values[:count, :count], values[count:, count:], values[:count, count:])
            logits = mapped[:count] @ head[:, :-1].T + head[:, -1]
            lost = (both - mapped @ layer).square().sum(1).mean()
            loss = cross_entropy(logits, classes[rows[0]]) + confusion * apart + keep * lost
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return np.asarray(layer.detach().numpy(), dtype=np.float64)


def _principal(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The directions ``(h, d)`` of largest variance of centred rows, of length 1."""
    values, vectors = np.linalg.eigh(rows.T @ rows)
    leading = vectors[:, np.argsort(-values, kind="stable")[: min(width, len(rows))]]
    return np.ascontiguousarray(leading.T)


class Confusion:
    """Score of ``x``: the mean cosine to its ``k`` nearest target examples in a space learned by domain confusion.

    A linear map of frozen embeddings is trained to tell the *source's* labels apart while the distributions of mapped source and
    target examples are drawn together (:func:`confused_map`). What is near the target in it is near for the task, whatever marks
    the domains. This is deep domain confusion (DDC) used as a selector; as an objective of training it is ``ddc``.

    Reference: Tzeng, Hoffman, Zhang, Saenko & Darrell 2014, "Deep domain confusion: maximizing for domain invariance".

    Use when: source labels are those of the target's task, and domains differ in a way that has nothing to do with it.
    Avoid when: which domain an example comes from *is* its relevance: that is what this method hides. Where relevant means of the
        target's group (MiniLM vectors of 4,000 documents of 20 Newsgroups, 100 of them the target, the seven branches as labels, 3
        groups), precision@k is .657 by ``knn``, .653 by this method, and .460 with ``keep=.1``.

    Args:
        embed: examples to vectors.
        k: neighbours averaged over, as in ``knn``.
        confusion: weight of the discrepancy; .25 as in the paper.
        keep: weight of the loss of what the map forgets; 0 is the paper's, whose network is not used for distances. With 40 medical
            among 160 trade sentences, the share of medical ones in the first 40 is .5 with 0, and 1 with .1 or 1.
        width: dimensions of the learned space.
        steps, rate, batch_size: of Adam; 200 steps take 6 CPU seconds, whatever the size of the pool.
        seed: of the batches.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "source labels")
    traits: ClassVar[tuple[Trait, ...]] = ()
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Tzeng et al. 2014"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "nearest target examples in a space learned from source labels with domain confusion (DDC)"
    summary_zh: ClassVar[str] = "在用源标签与域混淆（DDC）学得的空间中，与最近目标样本的相似度"

    def __init__(
        self,
        embed: Embed,
        k: int = 5,
        confusion: float = 0.25,
        keep: float = 1.0,
        width: int = 64,
        steps: int = 200,
        rate: float = 0.01,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        if min(k, width, steps, batch_size) < 1 or not (rate > 0 and confusion >= 0 and keep >= 0):
            raise InputError(
                f"confusion with k={k}, confusion={confusion}, keep={keep}, width={width}, steps={steps}, rate={rate}, "
                f"batch_size={batch_size}",
                expected="k, width, steps and batch_size of at least 1, a rate above 0, weights of at least 0",
                fix="leave the defaults",
            )
        self.embed, self.k, self.confusion, self.keep, self.width = embed, k, confusion, keep, width
        self.steps, self.rate, self.batch_size, self.seed = steps, rate, batch_size, seed

    def fit(self, source: Domain, target: Target) -> Self:
        inputs = target.inputs
        ordered = source.take(np.argsort(source.ids))  # batches are drawn by row: the order of the source must not matter
        rows, wanted = unit_rows(self.embed(ordered.contents)), unit_rows(self.embed(inputs.contents))
        self._mean = on_grid(np.concatenate([rows, wanted]).mean(axis=0))
        classes = {name: number for number, name in enumerate(ordered.classes)}
        layer = confused_map(
            rows - self._mean,
            np.array([classes[str(label)] for label in ordered.labels], dtype=np.int64),
            wanted - self._mean,
            width=self.width,
            confusion=self.confusion,
            keep=self.keep,
            steps=self.steps,
            rate=self.rate,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        # Rows of length at most 1, so that products on the grid are exact; cosines do not change.
        self._layer = on_grid(layer / max(float(np.sqrt((layer * layer).sum(axis=1)).max()), 1e-12))
        self._offset = (self._layer * self._mean).sum(axis=1)
        self._ids = inputs.ids
        self._target = self._mapped(inputs)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Mean cosine to the ``k`` nearest target examples in the learned space, ``(n,)``, in [-1, 1]."""
        mapped = self._mapped(batch)
        parts = [
            mean_of_largest(mapped[start : start + _BLOCK] @ self._target.T, self.k) for start in range(0, len(mapped), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def reasons(self, batch: Domain) -> list[str]:
        """The nearest target example in the learned space and its cosine."""
        lines = []
        for row in self._mapped(batch):
            cosines = self._target @ row
            nearest = int(cosines.argmax())
            lines.append(f"nearest={self._ids[nearest]} cosine={cosines[nearest]:.2f} by the task")
        return lines

    def _mapped(self, domain: Domain) -> NDArray[np.float64]:
        """Unit rows of the learned space, ``(n, h)``, exact on the grid and so independent of the batch."""
        if not len(domain):
            return np.zeros((0, len(self._layer)))
        mapped = unit_rows(self.embed(domain.contents)) @ self._layer.T - self._offset
        return unit_rows(mapped)

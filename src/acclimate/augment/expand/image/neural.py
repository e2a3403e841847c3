"""Neural augmentation: a network, trained together with a classifier, makes one picture out of two of a class."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from acclimate.augment.base import check_times, descend, settings_of
from acclimate.augment.expand.image.draws import Keys, copy_keys
from acclimate.augment.expand.image.learned import Lesson, as_numbers, as_pixels
from acclimate.augment.expand.image.pictures import Pixels, coloured, planes, resized, written
from acclimate.augment.expand.image.plans import check_range
from acclimate.data.domain import Domain
from acclimate.engine.progress import track
from acclimate.engine.splitmix import uniforms
from acclimate.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from acclimate.augment.expand.image.networks import AugmentationNetwork, SmallClassifier

Loss = Literal["none", "content", "style"]


@dataclasses.dataclass(frozen=True)
class Neural:
    """A new picture is what a small convolutional network makes of its parent and another picture of the class.

    The network is trained together with a classifier that sees the parent and what was made: it learns changes that help to tell
    the classes apart. The loss of what is made is added to the classifier's: nothing, its distance to a third picture of the
    class (content), or the distance of their Gram matrices (style). The network has no fixed size, so what it learned at
    ``side`` is applied to the parent as large as it is.

    Reference: Perez & Wang 2017, "The effectiveness of data augmentation in image classification using deep learning",
    section 3.3.

    Use when: a class is one kind of picture and there is no prior about which changes are harmless.
    Avoid when: plain geometry is known to be safe, which costs nothing; or a class holds many kinds of picture: two of them laid
    over each other are neither.

    Args:
        loss: of what is made: ``"none"``, ``"content"`` or ``"style"``.
        weight: share of that loss; the classifier has the rest.
        steps: of training, ``batch`` pictures each.
        side: at which it learns, a multiple of 8.
        batch: pictures a step.
        rate: learning rate of Adam.
        training: the labelled pictures it learns from, those to expand where not given; the verb provides it.
    """

    method: ClassVar[str] = "neural"
    paper: ClassVar[str] = "Perez & Wang 2017"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "a network trained with a classifier makes one picture out of two of a class"
    summary_zh: ClassVar[str] = "神经增强：与分类器联合训练的网络把同类两图合成一张新图"
    needs: ClassVar[tuple[str, ...]] = ("target labels",)

    loss: Loss = "none"
    weight: float = 0.25
    steps: int = 300
    side: int = 48
    batch: int = 32
    rate: float = 1e-3
    training: Domain | None = None

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        if self.side % 8 or not 8 <= self.side <= 512:
            raise InputError(f"neural with side={self.side}", expected="a multiple of 8 from 8 to 512")
        check_range(self.method, "weight", self.weight, 0, 0.99)
        check_range(self.method, "steps", self.steps, 1, 1e7)
        check_range(self.method, "batch", self.batch, 2, 4096)
        check_range(self.method, "rate", self.rate, 1e-8, 1)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`.

        They depend on the training pictures as well, and name all of them as parents, the partner first. Training runs in this
        process on one thread, whatever ``workers`` says.

        Raises:
            InputError: ``times`` or ``workers`` is less than 1, no pictures, or examples without a label to learn from.
        """
        check_times(times, workers)
        if not len(examples):
            return descend(examples, [], method=self.method, seed=seed, settings=settings_of(self))
        lesson = Lesson.of(self.training if self.training is not None else examples, self.method, seed)
        network, _ = self.train(lesson)
        return self.pair(network, lesson, examples, times, seed)

    def train(self, lesson: Lesson) -> tuple[AugmentationNetwork, SmallClassifier]:
        """The network, and the classifier it was trained with, as the settings say."""
        return train(lesson, loss=self.loss, weight=self.weight, steps=self.steps, side=self.side, batch=self.batch, rate=self.rate)

    def pair(self, network: AugmentationNetwork, lesson: Lesson, examples: Domain, times: int, seed: int) -> Domain:
        """What a trained network makes of each example and ``times`` partners of its class.

        Raises:
            InputError: an example of a class that was not learned.
        """
        made, drawn, others = [], [], []
        for name, data, label in zip(examples.ids, examples.images, examples.labels, strict=True):
            keys = copy_keys(self.method, seed, name, data, times)
            for partner, partner_data in _partners(lesson, name, data, lesson.class_of(label, self.method), keys):
                made.append(written(_pair(network, planes(data), planes(partner_data))))
                drawn.append({"partner": partner})
                others.append(lesson.others(*dict.fromkeys([name, partner])))
        settings = settings_of(self)
        return descend(examples, made, method=self.method, seed=seed, settings=settings, drawn=drawn, others=others)


def _partners(lesson: Lesson, name: str, data: bytes, label: int, keys: Keys) -> list[tuple[str, bytes]]:
    """Id and picture of another example of the class for each key; the example itself where it is alone."""
    mates = [row for row in np.flatnonzero(lesson.labels == label).tolist() if lesson.ids[row] != name]
    if not mates:
        return [(name, data)] * len(keys)
    chosen = [mates[int(draw * len(mates))] for draw in uniforms(keys, 1)[:, 0].tolist()]
    return [(lesson.ids[row], lesson.data[row]) for row in chosen]


def _pair(network: AugmentationNetwork, parent: Pixels, partner: Pixels) -> Pixels:
    """One picture of the parent's size; grey if both are."""
    second = resized(partner, *parent.shape[1:])
    made = combine(network, as_numbers(coloured(parent)), as_numbers(coloured(second)))
    return as_pixels(made, grey=len(parent) == len(partner) == 1)


def combine(network: AugmentationNetwork, first: Tensor, second: Tensor) -> Tensor:
    """One picture out of two, ``(1, 3, h, w)``."""
    import torch

    from acclimate.engine.threads import one_thread

    with one_thread(), torch.inference_mode():
        made: Tensor = network(first, second)
    return made


def train(
    lesson: Lesson, *, loss: Loss, weight: float, steps: int, side: int, batch: int, rate: float
) -> tuple[AugmentationNetwork, SmallClassifier]:
    """The network and the classifier, trained together: ``(1 − weight) CE(pictures and made ones) + weight L(made, others)``.

    Without a loss of its own what is made is judged by the cross-entropy alone, whose weight is then 1.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from acclimate.augment.expand.image.networks import AugmentationNetwork, SmallClassifier, content_loss, seeded, style_loss

    judges = {"content": content_loss, "style": style_loss}
    with seeded(lesson.seed):
        pictures, labels = lesson.pictures(side), torch.from_numpy(lesson.labels)
        network, classifier = AugmentationNetwork(), SmallClassifier(len(lesson.classes), side)
        optimizer = torch.optim.Adam([*network.parameters(), *classifier.parameters()], lr=rate)
        rng = torch.Generator().manual_seed(lesson.seed)
        members = [torch.from_numpy(np.flatnonzero(lesson.labels == place)) for place in range(len(lesson.classes))]
        for _ in track(range(steps), "Training the augmentation network", total=steps):
            rows = torch.randint(len(labels), (batch,), generator=rng)
            second, third = (_mates(labels[rows], members, rng) for _ in range(2))
            made = network(pictures[rows], pictures[second])
            logits = classifier(torch.cat([pictures[rows], made]))
            total = cross_entropy(logits, labels[rows].repeat(2))
            if loss != "none":
                total = (1 - weight) * total + weight * judges[loss](made, pictures[third])
            optimizer.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval(), classifier.eval()


def _mates(labels: torch.Tensor, members: list[torch.Tensor], rng: torch.Generator) -> torch.Tensor:
    """A random row of the same class for each label, ``(b,)``."""
    import torch

    counts = torch.tensor([len(rows) for rows in members])
    places = (torch.rand(len(labels), generator=rng) * counts[labels]).long()
    return torch.stack([members[int(label)][int(place)] for label, place in zip(labels, places, strict=True)])

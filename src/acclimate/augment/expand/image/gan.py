"""GAN: pictures drawn by a small class-conditional generator that learned from the labelled ones."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.base import check_times, descend, settings_of
from acclimate.augment.expand.image.draws import copy_keys
from acclimate.augment.expand.image.learned import Lesson, as_pixels
from acclimate.augment.expand.image.pictures import planes, resized, written
from acclimate.augment.expand.image.plans import check_range
from acclimate.data.domain import Domain
from acclimate.engine.progress import track
from acclimate.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from acclimate.augment.expand.image.networks import Generator


@dataclasses.dataclass(frozen=True)
class Gan:
    """A new picture is drawn from noise and its parent's class; of the parent itself it keeps the size only.

    A DCGAN of side ``side`` with a one-hot class, trained on the labelled pictures with the non-saturating loss, a projection
    discriminator with spectral norm, and differentiable shifts and brightness before the discriminator, without which it learns
    a hundred pictures by heart. What it draws is enlarged to the parent's size.

    Reference: Goodfellow et al. 2014, section 3 (the loss); Radford et al. 2016 (architecture, β₁ of Adam); Mirza &
    Osindero 2014 (the class); Zhao et al. 2020 (the shifts).

    Use when: there are hundreds of small, aligned pictures a class (digits, faces, patches) and minutes to train.
    Avoid when: there are tens of photographs: it draws blots of the right colour.

    Args:
        steps: of training.
        side: of the pictures it learns and draws: 8, 16, 32 or 64; the cost grows with its square.
        width: channels of the last hidden layer.
        batch: pictures a step.
        rate: learning rate of Adam. After 800 steps on 1,000 digits of MNIST, 1e-3 draws digits of the class asked for, 5e-4 many
            of other classes, and the 2e-4 of Radford et al. fragments.
        training: the labelled pictures it learns from, those to expand where not given; the verb provides it.
    """

    method: ClassVar[str] = "gan"
    paper: ClassVar[str] = "Goodfellow et al. 2014; Radford et al. 2016; Zhao et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "draws pictures of a class with a small generator that learned from the labelled ones"
    summary_zh: ClassVar[str] = "生成对抗网络：在带标签图像上训练小型条件生成器并按类别生成图像"
    needs: ClassVar[tuple[str, ...]] = ("target labels",)

    steps: int = 800
    side: int = 32
    width: int = 32
    batch: int = 32
    rate: float = 1e-3
    training: Domain | None = None

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        if self.side not in (8, 16, 32, 64):
            raise InputError(f"gan with side={self.side}", expected="8, 16, 32 or 64")
        check_range(self.method, "steps", self.steps, 1, 1e7)
        check_range(self.method, "width", self.width, 1, 1024)
        check_range(self.method, "batch", self.batch, 2, 4096)
        check_range(self.method, "rate", self.rate, 1e-8, 1)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`.

        They depend on the training pictures as well, and name all of them as parents. Training runs in this process on one thread,
        whatever ``workers`` says.

        Raises:
            InputError: ``times`` or ``workers`` is less than 1, no pictures, or examples without a label to learn from.
        """
        check_times(times, workers)
        settings = settings_of(self)
        if not len(examples):
            return descend(examples, [], method=self.method, seed=seed, settings=settings)
        lesson = Lesson.of(self.training if self.training is not None else examples, self.method, seed)
        generator = train(lesson, steps=self.steps, side=self.side, width=self.width, batch=self.batch, rate=self.rate)
        made, others = [], []
        for name, data, label in zip(examples.ids, examples.images, examples.labels, strict=True):
            parent, place = planes(data), lesson.class_of(label, self.method)
            for key in copy_keys(self.method, seed, name, data, times).tolist():
                drawn = as_pixels(draw(generator, place, key), grey=len(parent) == 1)
                made.append(written(resized(drawn, *parent.shape[1:])))
                others.append(lesson.others(name))
        return descend(examples, made, method=self.method, seed=seed, settings=settings, others=others)


#: Length of the noise.
LATENT = 64


def train(lesson: Lesson, *, steps: int, side: int, width: int, batch: int, rate: float) -> Generator:
    """A generator trained against a discriminator; the same lesson and settings give the same weights."""
    import torch
    from torch.nn.functional import softplus

    from acclimate.augment.expand.image.networks import Discriminator, Generator, seeded, shaken

    with seeded(lesson.seed):
        pictures, labels = lesson.pictures(side), torch.from_numpy(lesson.labels)
        classes = len(lesson.classes)
        generator, discriminator = Generator(classes, LATENT, width, side), Discriminator(classes, width, side)
        first, second = (torch.optim.Adam(net.parameters(), lr=rate, betas=(0.5, 0.999)) for net in (generator, discriminator))
        rng = torch.Generator().manual_seed(lesson.seed)
        for _ in track(range(steps), "Training the generator", total=steps):
            rows = torch.randint(len(labels), (batch,), generator=rng)
            wanted = labels[rows]
            fake = generator(torch.randn(batch, LATENT, generator=rng), wanted)
            real_score = discriminator(shaken(pictures[rows], rng), wanted)
            fake_score = discriminator(shaken(fake.detach(), rng), wanted)
            second.zero_grad()
            (softplus(-real_score).mean() + softplus(fake_score).mean()).backward()  # type: ignore[no-untyped-call]
            second.step()
            first.zero_grad()
            softplus(-discriminator(shaken(fake, rng), wanted)).mean().backward()  # type: ignore[no-untyped-call]
            first.step()
    return generator.eval()


def draw(generator: Generator, label: int, key: int) -> Tensor:
    """One picture ``(1, 3, side, side)`` of a class from the noise that ``key`` stands for."""
    import torch

    from acclimate.engine.threads import one_thread

    noise = torch.randn(1, LATENT, generator=torch.Generator().manual_seed(key >> 1))
    with one_thread(), torch.inference_mode():
        picture: Tensor = generator(noise, torch.tensor([label]))
    return picture

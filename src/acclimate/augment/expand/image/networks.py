"""The small networks behind ``gan`` and ``neural``. Pictures are ``(b, 3, h, w)`` with values from -1 to 1.

This module loads torch; others import it inside functions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, max_pool2d, one_hot, pad, relu
from torch.nn.utils.parametrizations import spectral_norm

from acclimate.engine.threads import one_thread


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch on one thread with a seed of its own inside; the state before is restored."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


class Generator(nn.Module):
    """Noise and a class to a picture: the generator of DCGAN (Radford 2016, figure 1), its noise joined by a one-hot class.

    Args:
        classes: how many.
        latent: length of the noise.
        width: channels before the last layer; they double with every layer before it.
        side: of the pictures, a power of two from 8 on.
    """

    def __init__(self, classes: int, latent: int, width: int, side: int) -> None:
        super().__init__()
        self.classes = classes
        levels = side.bit_length() - 3  # 8 → 1, 16 → 2, 32 → 3
        channels = [width * 2 ** (levels - 1 - level) for level in range(levels)]
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent + classes, channels[0], 4, bias=False)]
        for here, there in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(here), nn.ReLU(), nn.ConvTranspose2d(here, there, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """``(b, latent)`` and ``(b,)`` to pictures."""
        given = torch.cat([noise, one_hot(labels, self.classes).to(noise.dtype)], 1)
        pictures: Tensor = self.layers(given[:, :, None, None])
        return pictures


class Discriminator(nn.Module):
    """A picture and a class to a score, high for real ones.

    Strided convolutions with spectral norm (Miyato 2018), and a projection of the class (Miyato & Koyama 2018, eq. 4).
    """

    def __init__(self, classes: int, width: int, side: int) -> None:
        super().__init__()
        levels = side.bit_length() - 3
        channels = [3, *(width * 2**level for level in range(levels))]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(here, there, 4, stride=2, padding=1)) for here, there in itertools.pairwise(channels)
        )
        self.score = spectral_norm(nn.Linear(channels[-1], 1))
        self.of_class = spectral_norm(nn.Embedding(classes, channels[-1]))

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """``(b, 3, side, side)`` and ``(b,)`` to ``(b,)``."""
        for layer in self.layers:
            pictures = leaky_relu(layer(pictures), 0.2)
        features = pictures.sum((2, 3))
        scores: Tensor = self.score(features)[:, 0] + (self.of_class(labels) * features).sum(1)
        return scores


def shaken(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture brightened and shifted by up to an eighth, differentiably: what the discriminator sees (Zhao 2020, section 3).

    Without it, a discriminator knows a hundred pictures by heart after a few hundred steps.
    """
    count, _, height, width = pictures.shape
    light = torch.rand(count, 1, 1, 1, generator=generator) - 0.5
    reach = max(1, height // 8)
    moved = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator)
    framed = pad(pictures + light, (reach, reach, reach, reach))
    rows = moved[:, :1] + torch.arange(height)
    columns = moved[:, 1:] + torch.arange(width)
    own = torch.arange(count)
    return framed[own[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


class AugmentationNetwork(nn.Module):
    """Two pictures of a class in, one out: four convolutions of 16 channels and one of 3 (Perez & Wang 2017, section 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Conv2d(here, 16, 3, padding=1) for here in (6, 16, 16, 16))
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Pictures of one size, any, to pictures of that size."""
        values = torch.cat([first, second], 1)
        for layer in self.hidden:
            values = relu(layer(values))
        made: Tensor = torch.tanh(self.last(values))
        return made


class SmallClassifier(nn.Module):
    """Three convolutions with normalisation and pooling, and two linear layers with dropout ("SmallNet", Perez & Wang 2017).

    Args:
        classes: how many.
        side: of the pictures, at least 8.
    """

    def __init__(self, classes: int, side: int) -> None:
        super().__init__()
        pairs = ((3, 16), (16, 32), (32, 32))
        self.convolutions = nn.ModuleList(nn.Conv2d(here, there, 3, padding=1) for here, there in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(there) for _, there in pairs)
        self.hidden = nn.Linear(32 * (side // 8) ** 2, 1024)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(1024, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """``(b, 3, side, side)`` to logits ``(b, classes)``."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            pictures = max_pool2d(norm(relu(convolution(pictures))), 2)
        logits: Tensor = self.head(self.dropout(relu(self.hidden(pictures.flatten(1)))))
        return logits


def content_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of pixels to other pictures of the class, a scalar (Perez & Wang 2017, section 3.3)."""
    return (made - wanted).square().mean()


def style_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of the channels' Gram matrices, a scalar (Perez & Wang 2017, section 3.3; Gatys 2016, eq. 3–5)."""
    return (gram(made) - gram(wanted)).square().mean()


def gram(pictures: Tensor) -> Tensor:
    """Inner products of channels over all pixels, divided by the number of pixels: ``(b, c, h, w)`` to ``(b, c, c)``."""
    flat = pictures.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]

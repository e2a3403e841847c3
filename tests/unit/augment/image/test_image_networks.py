"""The learned generators: losses against plain loops, and that training teaches something."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.augment.expand.image import gan, neural
from acclimate.augment.expand.image.learned import Lesson, as_numbers, as_pixels
from acclimate.augment.expand.image.networks import (
    AugmentationNetwork,
    Discriminator,
    Generator,
    content_loss,
    gram,
    seeded,
    shaken,
    style_loss,
)
from acclimate.data.domain import Domain, from_images
from acclimate.data.images import encoded


def light_and_dark(count: int = 12) -> Domain:
    """Two classes that differ in their light."""
    rng = np.random.default_rng(0)
    light = [rng.integers(180, 255, (16, 16, 3), dtype=np.uint8) for _ in range(count)]
    dark = [rng.integers(0, 70, (16, 16, 3), dtype=np.uint8) for _ in range(count)]
    return from_images("p", [encoded(values) for values in light + dark], ["light"] * count + ["dark"] * count)


def test_gram_matrices_and_losses_are_those_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    made, wanted = (rng.normal(size=(2, 3, 4, 5)).astype(np.float32) for _ in "ab")
    first, second = (
        np.array([[[(x[i] * x[j]).sum() / 20 for j in range(3)] for i in range(3)] for x in xs]) for xs in (made, wanted)
    )
    np.testing.assert_allclose(gram(torch.from_numpy(made)).numpy(), first, rtol=1e-4)
    losses = [loss(torch.from_numpy(made), torch.from_numpy(wanted)).item() for loss in (content_loss, style_loss)]
    assert losses == pytest.approx([((made - wanted) ** 2).mean(), ((first - second) ** 2).mean()], rel=1e-4)


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_generator_and_discriminator_fit_together(side: int) -> None:
    labels = torch.tensor([0, 2])
    drawn = Generator(3, 5, 4, side)(torch.randn(2, 5), labels)
    assert drawn.shape == (2, 3, side, side)
    assert Discriminator(3, 4, side)(drawn, labels).shape == (2,)


def test_the_augmentation_network_takes_any_size() -> None:
    network = AugmentationNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) == (6 + 3 * 16) * 9 * 16 + 4 * 16 + 16 * 9 * 3 + 3
    for height, width in ((1, 1), (7, 30)):
        pair = torch.zeros(1, 3, height, width)
        assert network(pair, pair).shape == pair.shape


def test_shaking_moves_and_lightens_and_lets_gradients_through() -> None:
    pictures = torch.zeros(6, 3, 16, 16)
    pictures[:, :, 8, 8] = 1.0
    pictures.requires_grad_()
    moved = shaken(pictures, torch.Generator().manual_seed(0))
    peaks = {(int(one[0].argmax()) // 16, int(one[0].argmax()) % 16) for one in moved}
    assert len(peaks) > 2
    assert all(6 <= place <= 10 for peak in peaks for place in peak)
    moved.sum().backward()
    assert pictures.grad is not None
    assert pictures.grad[0, 0, 8, 8] == 1


def test_bytes_survive_the_way_to_numbers_and_back() -> None:
    values = np.arange(3 * 16 * 16, dtype=np.int64).astype(np.uint8).reshape(3, 16, 16)
    np.testing.assert_array_equal(as_pixels(as_numbers(values), grey=False), values)


def test_a_seed_leaves_torchs_own_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    with seeded(9):
        torch.rand(5)
    assert torch.rand(1) == expected


def test_the_generator_learns_which_class_is_light() -> None:
    lesson = Lesson.of(light_and_dark(), "gan", 0)
    generator = gan.train(lesson, steps=200, side=8, width=8, batch=16, rate=2e-3)
    means = [np.mean([gan.draw(generator, place, key << 20).mean() for key in range(8)]) for place in (0, 1)]
    assert lesson.classes == ("dark", "light")
    assert means[1] - means[0] > 0.4


@pytest.mark.parametrize("loss", ["none", "content", "style"])
def test_the_classifier_learns_with_every_loss(loss: neural.Loss) -> None:
    lesson = Lesson.of(light_and_dark(), "neural", 0)
    network, classifier = neural.train(lesson, loss=loss, weight=0.25, steps=25, side=16, batch=8, rate=3e-3)
    with torch.inference_mode():
        guesses = classifier(lesson.pictures(16)).argmax(1).numpy()
    assert (guesses == lesson.labels).mean() > 0.9
    assert not network.training


def test_content_loss_pulls_what_is_made_towards_the_class() -> None:
    lesson = Lesson.of(light_and_dark(), "neural", 0)
    pictures = lesson.pictures(16)
    gaps = {}
    for loss in ("none", "content"):
        network, _ = neural.train(lesson, loss=loss, weight=0.75, steps=40, side=16, batch=8, rate=3e-3)
        made = neural.combine(network, pictures[:1], pictures[1:2])
        gaps[loss] = float((made.mean() - pictures[lesson.labels == lesson.labels[0]].mean()).abs())
    assert gaps["content"] < 0.5 * gaps["none"]
    assert gaps["content"] < 0.3

"""Styles against plain references: the whole Fourier transform, moments, and histogram matching pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from acclimate.augment.expand.image.fourier import Fourier, adapt
from acclimate.augment.expand.image.histogram import HistogramMatch
from acclimate.augment.expand.image.mean_std import MeanStd

Pixels = NDArray[np.uint8]


def random_pair(height: int, width: int, seed: int = 0, channels: int = 3) -> tuple[Pixels, Pixels]:
    rng = np.random.default_rng(seed)
    first = np.clip(rng.normal(150, 25, (channels, height, width)), 0, 255)
    return first.astype(np.uint8), rng.integers(10, 120, (channels, height, width), dtype=np.uint8)


def whole_transform(picture: Pixels, style: Pixels, beta: float) -> NDArray[np.float64]:
    """Yang & Soatto's equation 3, written down: all amplitudes, a centred square of them exchanged, and back."""
    height, width = picture.shape[1:]
    reach = int(beta * min(height, width))
    made = np.empty(picture.shape)
    for channel in range(len(picture)):
        spectrum = np.fft.fftshift(np.fft.fft2(picture[channel].astype(float)))
        amplitude, phase = np.abs(spectrum), np.angle(spectrum)
        wanted = np.abs(np.fft.fftshift(np.fft.fft2(style[channel].astype(float))))
        for y in range(height // 2 - reach, height // 2 + reach + 1):
            for x in range(width // 2 - reach, width // 2 + reach + 1):
                amplitude[y, x] = wanted[y, x]
        made[channel] = np.fft.ifft2(np.fft.ifftshift(amplitude * np.exp(1j * phase))).real
    return np.clip(made, 0, 255)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    beta=st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.499]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 20),
)
def test_fourier_is_the_whole_transform(height: int, width: int, beta: float, channels: int, seed: int) -> None:
    picture, style = random_pair(height, width, seed, channels)
    expected = whole_transform(picture, style, beta)
    assert np.abs(adapt(picture[None], style[None], beta)[0] - expected).max() <= 0.51


def test_fourier_of_a_large_picture_is_the_whole_transform() -> None:
    picture, style = random_pair(224, 200)
    assert np.abs(adapt(picture[None], style[None], 0.09)[0] - whole_transform(picture, style, 0.09)).max() <= 0.51


def test_fourier_of_a_batch_is_that_of_its_pictures_to_the_last_bit() -> None:
    pairs = [random_pair(33, 30, seed) for seed in range(50)]  # more than one block
    images, styles = (np.stack(side) for side in zip(*pairs, strict=True))
    whole = adapt(images, styles, 0.1)
    for row in range(50):
        np.testing.assert_array_equal(adapt(images[row : row + 1], styles[row : row + 1], 0.1)[0], whole[row])


def test_fourier_with_beta_0_takes_the_mean_alone() -> None:
    picture, style = random_pair(16, 16)
    style = style // 2 + 80  # nothing is clipped
    shift = adapt(picture[None], style[None], 0.0)[0].astype(float) - picture
    np.testing.assert_allclose(shift.mean((1, 2)), style.mean((1, 2)) - picture.mean((1, 2)), atol=0.5)
    assert shift.std((1, 2)).max() < 0.6
    flat = np.full((1, 3, 16, 16), 90, dtype=np.uint8)
    same = adapt(flat, flat, 0.3)
    np.testing.assert_array_equal(same, flat)


def test_mean_and_spread_become_those_of_the_style() -> None:
    picture, style = random_pair(60, 50)
    style = style // 2 + 60  # nothing is clipped
    made = MeanStd().restyle(picture, style).astype(float)
    np.testing.assert_allclose(made.mean((1, 2)), style.mean((1, 2)), atol=0.5)
    np.testing.assert_allclose(made.std((1, 2)), style.std((1, 2)), atol=0.5)


def test_moments_are_matched_pixel_by_pixel() -> None:
    picture, style = random_pair(13, 11)
    mean, spread = (picture.mean((1, 2), keepdims=True), picture.std((1, 2), keepdims=True))
    wanted, reach = (style.mean((1, 2), keepdims=True), style.std((1, 2), keepdims=True))
    expected = np.clip(np.rint((picture - mean) / spread * reach + wanted), 0, 255)
    assert np.abs(MeanStd().restyle(picture, style) - expected).max() <= 1e-9
    half = np.clip(np.rint(picture + 0.5 * ((picture - mean) / spread * reach + wanted - picture)), 0, 255)
    assert np.abs(MeanStd(strength=0.5).restyle(picture, style) - half).max() <= 1  # ties


def test_a_flat_channel_takes_the_styles_mean() -> None:
    _, style = random_pair(8, 8)
    made = MeanStd().restyle(np.full((3, 5, 5), 9, dtype=np.uint8), style)
    np.testing.assert_array_equal(made[:, 0, 0], np.rint(style.mean((1, 2))))


@pytest.mark.parametrize(("shape", "other"), [((9, 14), (9, 14)), ((9, 14), (5, 3)), ((1, 1), (4, 4))])
def test_histograms_are_matched_as_by_a_plain_loop(shape: tuple[int, int], other: tuple[int, int]) -> None:
    picture, style = random_pair(*shape)[0], random_pair(*other, seed=3)[1]
    made = HistogramMatch().restyle(picture, style)
    for channel in range(3):
        values, lent = picture[channel].ravel().tolist(), sorted(style[channel].ravel().tolist())
        for old, new in zip(values, made[channel].ravel().tolist(), strict=True):
            below = sum(value <= old for value in values)
            # The lowest value of the style up to which it has at least as large a share.
            expected = next(v for v in lent if sum(u <= v for u in lent) * len(values) >= below * len(lent))
            assert new == expected


def test_a_picture_in_its_own_style_stays() -> None:
    picture, _ = random_pair(20, 30)
    np.testing.assert_array_equal(HistogramMatch().restyle(picture, picture), picture)
    np.testing.assert_array_equal(MeanStd().restyle(picture, picture), picture)
    np.testing.assert_array_equal(Fourier(beta=0.2).restyle(picture, picture), picture)


def test_strength_0_changes_nothing() -> None:
    picture, style = random_pair(20, 30)
    np.testing.assert_array_equal(HistogramMatch(strength=0).restyle(picture, style), picture)
    np.testing.assert_array_equal(MeanStd(strength=0).restyle(picture, style), picture)

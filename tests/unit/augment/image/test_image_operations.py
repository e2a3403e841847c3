"""Operations on pixels against Pillow, kornia, SciPy and plain loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from scipy.ndimage import correlate, gaussian_filter

from acclimate.augment.expand.image.operations import OPERATIONS, carry_out
from acclimate.augment.expand.image.plans import CODES, NAMES, NOISE, PARAMETERS, Plan, sequence

Pixels = NDArray[np.uint8]


def applied(name: str, picture: Pixels, *numbers: float, fill: int = -1, key: int = 5) -> Pixels:
    """One operation on one picture ``(c, h, w)``."""
    plan = sequence(np.array([key], dtype=np.uint64), [(name, [np.array([number]) for number in numbers])], fill)
    return carry_out(picture[None], plan)[0]


def random_picture(channels: int, height: int, width: int, seed: int, span: int = 255) -> Pixels:
    rng = np.random.default_rng(seed)
    low = int(rng.integers(0, 256 - span))
    return rng.integers(low, low + span + 1, (channels, height, width), dtype=np.uint8)


def smooth_picture(height: int, width: int) -> Pixels:
    rows, columns = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(rows / 9 + phase) * np.cos(columns / 7 - phase) for phase in (0, 1, 2)]
    return np.rint(np.stack(waves)).astype(np.uint8)


def to_pillow(picture: Pixels) -> Image.Image:
    return Image.fromarray(picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0)))


def from_pillow(image: Image.Image) -> Pixels:
    values = np.asarray(image)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


ENHANCERS = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
    "sharpness": ImageEnhance.Sharpness,
}
PILLOW: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "auto-contrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "invert": lambda image, _: ImageOps.invert(image),
    "solarize": lambda image, share: ImageOps.solarize(image, int(256 * share)),
    "posterize": lambda image, share: ImageOps.posterize(image, 1 + int(7 * share)),
    **{name: lambda image, share, of=of: of(image).enhance(2 * share) for name, of in ENHANCERS.items()},
}
OURS: dict[str, Callable[[float], list[float]]] = {
    "auto-contrast": lambda _: [],
    "equalize": lambda _: [],
    "invert": lambda _: [],
    "solarize": lambda share: [int(256 * share)],
    "posterize": lambda share: [1 + int(7 * share)],
    **{name: lambda share: [2 * share] for name in ENHANCERS},
}


@pytest.mark.parametrize("name", PILLOW)
@settings(max_examples=60, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 99),
    span=st.sampled_from([0, 3, 90, 255]),
    share=st.floats(0, 1),
)
def test_colours_change_as_in_pillow_to_the_last_bit(
    name: str, channels: int, height: int, width: int, seed: int, span: int, share: float
) -> None:
    picture = random_picture(channels, height, width, seed, span)
    expected = from_pillow(PILLOW[name](to_pillow(picture), share))
    np.testing.assert_array_equal(applied(name, picture, *OURS[name](share)), expected)


def test_a_large_picture_is_equalized_as_in_pillow() -> None:
    picture = np.minimum(random_picture(3, 70, 71, 0) // 2 + 30, 140).astype(np.uint8)
    np.testing.assert_array_equal(applied("equalize", picture), from_pillow(ImageOps.equalize(to_pillow(picture))))


def test_hue_turns_around_the_grey_axis() -> None:
    picture = random_picture(3, 9, 9, 1, 80) // 2 + 80
    yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    luma, i, q = np.tensordot(yiq, picture.astype(float), 1)
    turned = (i + 1j * q) * np.exp(1j * np.pi / 3)
    expected = np.tensordot(np.linalg.inv(yiq), np.stack([luma, turned.real, turned.imag]), 1)
    assert np.abs(applied("hue", picture.astype(np.uint8), 1 / 6) - expected).max() <= 0.501
    grey = np.repeat(picture[:1], 3, 0).astype(np.uint8)
    np.testing.assert_array_equal(applied("hue", grey, 0.3), grey)


def test_rotation_and_translation_are_those_of_kornia() -> None:
    from kornia.geometry.transform import rotate, translate

    picture = smooth_picture(41, 52)
    tensor = torch.from_numpy(picture)[None].double()
    for angle in (-37.0, 5.0, 120.0):
        expected = rotate(tensor, torch.tensor([angle]).double(), padding_mode="border")[0].numpy()
        assert np.abs(applied("rotate", picture, angle) - expected).max() <= 1
    expected = translate(tensor, torch.tensor([[52 * 0.11, 0.0]]).double(), padding_mode="border")[0].numpy()
    assert np.abs(applied("translate-x", picture, 0.11) - expected).max() <= 1
    expected = translate(tensor, torch.tensor([[0.0, -41 * 0.3]]).double(), padding_mode="border")[0].numpy()
    assert np.abs(applied("translate-y", picture, -0.3) - expected).max() <= 1


def test_a_mixed_move_is_that_of_pillow() -> None:
    """Pillow fills with black and takes a map from new to old places, in coordinates whose whole numbers are pixel borders."""
    height, width = 37, 44
    picture = smooth_picture(height, width)
    angle, zoom, shear, x, y = np.deg2rad(12), 1.2, 0.15, 0.1, -0.07
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    forward = zoom * turn @ np.array([[1, shear], [0, 1]]) @ np.diag([-1, 1])
    inverse = np.linalg.inv(forward)
    centre = np.array([width / 2, height / 2])
    start = centre - inverse @ (centre + np.array([x * width, y * height]))
    table = (*inverse[0], start[0], *inverse[1], start[1])
    expected = from_pillow(to_pillow(picture).transform((width, height), Image.Transform.AFFINE, table, Image.Resampling.BILINEAR))
    found = applied("geometric", picture, 1, 12, zoom, shear, x, y, fill=0).astype(int)
    assert np.quantile(np.abs(found - expected), 0.999) <= 1  # a coordinate on the very border may fall on either side


def test_shears_move_rows_and_columns() -> None:
    picture = np.zeros((1, 21, 21), dtype=np.uint8)
    picture[0, :, 10] = 200
    sheared = applied("shear-x", picture, 0.5)
    assert [int(sheared[0, row].argmax()) for row in (0, 4, 10, 16, 20)] == [5, 7, 10, 13, 15]
    np.testing.assert_array_equal(applied("shear-y", picture.transpose(0, 2, 1), 0.5), sheared.transpose(0, 2, 1))


def test_what_a_move_uncovers_is_filled() -> None:
    picture = np.full((3, 10, 10), 50, dtype=np.uint8)
    moved = applied("translate-x", picture, 0.3, fill=128)
    assert (moved[:, :, :3] == 128).all()
    assert (moved[:, :, 3:] == 50).all()
    assert (applied("translate-x", picture, 0.3) == 50).all()


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7])
def test_blur_and_sharpening_are_those_of_scipy(sigma: float) -> None:
    picture = random_picture(3, 23, 30, 4)
    radius = int(np.ceil(3 * sigma))
    planes = [gaussian_filter(plane.astype(float), sigma, mode="nearest", radius=radius) for plane in picture]
    assert np.abs(applied("gaussian", picture, sigma) - np.stack(planes)).max() <= 0.51
    sharper = np.clip(picture + 1.5 * (picture - np.stack(planes)), 0, 255)
    assert np.abs(applied("unsharp", picture, sigma, 1.5) - sharper).max() <= 0.51


def test_a_blur_is_that_of_kornia_inside() -> None:
    from kornia.filters import gaussian_blur2d

    picture = smooth_picture(40, 40)
    expected = gaussian_blur2d(torch.from_numpy(picture)[None].float(), (13, 13), (2.0, 2.0))[0].numpy()
    inside = (slice(None), slice(6, -6), slice(6, -6))
    assert np.abs(applied("gaussian", picture, 2.0)[inside] - expected[inside]).max() <= 1


@pytest.mark.parametrize(
    ("angle", "taps"), [(0, [(0, -2), (0, -1), (0, 0), (0, 1), (0, 2)]), (90, [(2, 0), (1, 0), (0, 0), (-1, 0), (-2, 0)])]
)
def test_motion_is_the_mean_along_a_line(angle: float, taps: list[tuple[int, int]]) -> None:
    picture = random_picture(1, 12, 15, 2)
    kernel = np.zeros((5, 5))
    for down, right in taps:
        kernel[2 + down, 2 + right] = 1 / 5
    expected = correlate(picture[0].astype(float), kernel, mode="nearest")
    assert np.abs(applied("motion", picture, 5, angle)[0] - expected).max() <= 0.501


def test_patches_are_shuffled_inside_themselves_at_the_rate_asked_for() -> None:
    picture = np.arange(3 * 100 * 100).reshape(3, 100, 100).astype(np.uint8)
    shuffled = applied("patch-shuffle", picture, 0.2)
    blocks = [values.reshape(3, 50, 2, 50, 2).transpose(0, 1, 3, 2, 4).reshape(3, 2500, 4) for values in (picture, shuffled)]
    np.testing.assert_array_equal(np.sort(blocks[0]), np.sort(blocks[1]))
    moved = (blocks[0] != blocks[1]).any(2)
    assert (moved[0] == moved[1]).all()  # all channels alike
    assert abs(moved[0].mean() - 0.2 * 23 / 24) < 0.03  # one order of 24 is the old one


def test_an_erased_rectangle_is_all_that_changes() -> None:
    picture = np.full((3, 20, 30), 7, dtype=np.uint8)
    erased = applied("erase", picture, 0.1, 0.25, 0.5, 0.5, fill=99)
    box = (slice(None), slice(5, 15), slice(3, 18))
    assert (erased[box] == 99).all()
    assert (erased == 99).sum() == 3 * 10 * 15
    noise = applied("erase", picture, 0.1, 0.25, 0.5, 0.5, fill=NOISE)[box]
    assert abs(noise.astype(float).mean() - 127.5) < 15
    assert len(np.unique(noise)) > 150


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    share=st.floats(0, 1),
)
def test_a_batch_is_its_pictures_one_by_one(name: str, channels: int, height: int, width: int, share: float) -> None:
    images = np.stack([random_picture(channels, height, width, seed) for seed in range(4)])
    keys = np.arange(4, dtype=np.uint64)
    ranges = {
        "sigma": 2,
        "bits": 8,
        "angle": 200,
        "threshold": 256,
        "length": 6,
        "zoom": 2,
        "width": 1 - share,
        "height": 1 - share,
    }
    numbers = [np.full(4, 0.1 + share * ranges.get(parameter, 0.8)) for parameter in PARAMETERS[name]]
    if name == "erase":
        numbers = [np.full(4, value) for value in (share / 2, share / 2, 1 - share / 2, 1 - share / 2)]
    plan = sequence(keys, [(name, numbers)])
    whole = carry_out(images, plan)
    for row in range(4):
        own = Plan(plan.codes[row : row + 1], plan.numbers[row : row + 1], keys[row : row + 1], plan.fill)
        np.testing.assert_array_equal(carry_out(images[row : row + 1], own)[0], whole[row])


def test_every_operation_can_be_carried_out_and_leaves_what_it_was_given() -> None:
    assert list(OPERATIONS) == list(NAMES)
    assert len(CODES) == len(NAMES)
    picture = random_picture(3, 8, 8, 0)
    before = picture.copy()
    applied("invert", picture)
    np.testing.assert_array_equal(picture, before)

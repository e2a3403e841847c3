"""What policies draw: the tables of the papers, shares, ranges, and independence of pictures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from acclimate.augment.expand.image.autoaugment import POLICIES, AutoAugment
from acclimate.augment.expand.image.erasing import Erasing
from acclimate.augment.expand.image.geometric import Geometric
from acclimate.augment.expand.image.plans import CODES, NAMES
from acclimate.augment.expand.image.policy import STANDARD
from acclimate.augment.expand.image.randaugment import RandAugment
from acclimate.augment.expand.image.trivialaugment import TrivialAugment
from acclimate.engine.splitmix import mix64, uniforms

KEYS = mix64(np.arange(4000, dtype=np.uint64))


def test_splitmix_gives_its_published_sequence() -> None:
    """The first outputs of seed 1234567, as listed by Rosetta Code."""
    whole = mix64(np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    assert whole.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_numbers_are_uniform_and_uncorrelated() -> None:
    draws = uniforms(np.arange(20000, dtype=np.uint64), 4)
    assert (draws >= 0).all()
    assert (draws < 1).all()
    counts = np.stack([np.histogram(column, 20, (0, 1))[0] for column in draws.T])
    assert (((counts - 1000) ** 2 / 1000).sum(1) < 45).all()  # chi-square, 19 degrees of freedom: 43.8 at 0.001
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.03


@pytest.mark.parametrize(("policy", "reference"), [("imagenet", "imagenet_policy"), ("cifar10", "cifar10_policy")])
def test_autoaugment_has_the_papers_tables(policy: str, reference: str) -> None:
    """Kornia's tables, which were typed in independently: names, probabilities, and magnitudes where they mean something."""
    from kornia.augmentation.auto.autoaugment import autoaugment

    named = {"auto_contrast": "auto-contrast", "shear_x": "shear-x", "shear_y": "shear-y", "color": "saturation"}
    named |= {"translate_x": "translate-x", "translate_y": "translate-y"}
    table = getattr(autoaugment, reference)
    ours = POLICIES[policy]
    assert len(table) == len(ours.codes) == 25
    for row, pair in enumerate(table):
        for place, (name, probability, level) in enumerate(pair):
            assert NAMES[ours.codes[row, place]] == named.get(name, name)
            assert ours.probability[row, place] == pytest.approx(probability)
            if level is not None and name in ("rotate", "shear_x", "shear_y"):
                assert ours.number[row, place] == pytest.approx({"rotate": 30}.get(name, 0.3) * level / 9)


def test_randaugment_draws_every_operation_equally_often_with_random_signs() -> None:
    plan = RandAugment(operations=2, magnitude=15).plan(KEYS, 32, 32)
    assert plan.codes.shape == (4000, 2)
    counts = np.array([(plan.codes == code).sum() for code in STANDARD.codes])
    assert np.abs(counts - 8000 / 14).max() < 100
    angles = plan.numbers[:, :, 0][plan.codes == CODES["rotate"]]
    assert set(angles) == {-15.0, 15.0}
    assert abs(np.sign(angles).mean()) < 0.15
    assert set(plan.numbers[:, :, 0][plan.codes == CODES["posterize"]]) == {6.0}


def test_randaugment_grows_with_its_magnitude() -> None:
    still = RandAugment(magnitude=0).plan(KEYS[:500], 32, 32)
    picture = np.arange(3 * 64, dtype=np.uint8).reshape(1, 3, 8, 8)
    kept = [code for code in set(still.codes.ravel().tolist()) if NAMES[code] not in ("auto-contrast", "equalize")]
    assert len(kept) == 12
    rows = np.isin(still.codes, kept).all(1)
    images = np.repeat(picture, 500, 0)
    assert (RandAugment(magnitude=0).apply(images, KEYS[:500])[rows] == picture).all()
    changed = [np.abs(RandAugment(magnitude=m).apply(images, KEYS[:500]).astype(int) - images).mean() for m in (0, 9, 30)]
    assert changed == sorted(changed)


def test_trivialaugment_draws_one_operation_at_one_of_31_strengths() -> None:
    plan = TrivialAugment().plan(KEYS, 32, 32)
    assert plan.codes.shape == (4000, 1)
    angles = np.abs(plan.numbers[:, 0, 0][plan.codes[:, 0] == CODES["rotate"]])
    assert set(np.rint(angles / 4.5).astype(int)) <= set(range(31))
    assert angles.max() <= 135
    assert len(set(angles.round(6))) > 25
    narrow = TrivialAugment(space="standard").plan(KEYS, 32, 32)
    assert np.abs(narrow.numbers[:, 0, 0][narrow.codes[:, 0] == CODES["rotate"]]).max() <= 30


def test_autoaugment_acts_as_often_as_its_table_says() -> None:
    plan = AutoAugment(policy="cifar10").plan(KEYS, 32, 32)
    expected = Counter[int]()
    table = POLICIES["cifar10"]
    for code, probability in zip(table.codes.ravel().tolist(), table.probability.ravel().tolist(), strict=True):
        expected[code] += probability / 25
    for code, share in expected.items():
        assert abs((plan.codes == code).sum() / 4000 - share) < 0.03, NAMES[code]


def test_erased_areas_and_ratios_are_as_asked_for() -> None:
    plan = Erasing(area=(0.1, 0.3), ratio=0.5).plan(KEYS, 200, 100)
    left, top, width, height = plan.numbers[:, 0, :4].T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 1 + 1e-9).all()
    assert (top + height <= 1 + 1e-9).all()
    assert abs((width * height).mean() - 0.2) < 0.01
    ratio = height * 200 / (width * 100)
    assert ratio.min() > 0.45
    assert ratio.max() < 2.2
    assert abs(np.log(ratio).mean()) < 0.05


def test_geometric_stays_within_its_reach_and_can_do_nothing() -> None:
    plan = Geometric(mirror=0.25).plan(KEYS, 10, 10)
    mirrored, angle, zoom, shear, x, y = plan.numbers[:, 0].T
    assert abs(mirrored.mean() - 0.25) < 0.03
    assert 14.5 < np.abs(angle).max() <= 15
    assert 0.85 <= zoom.min() < zoom.max() <= 1.15
    assert max(np.abs(shear).max(), np.abs(x).max(), np.abs(y).max()) <= 0.1
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 9, 12), dtype=np.uint8)
    still = Geometric(mirror=0, angle=0, zoom=0, shear=0, shift=0)
    np.testing.assert_array_equal(still.apply(images, KEYS[:5]), images)
    np.testing.assert_array_equal(
        Geometric(mirror=1, angle=0, zoom=0, shear=0, shift=0).apply(images, KEYS[:5]), images[:, :, :, ::-1]
    )

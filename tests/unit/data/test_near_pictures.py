"""A picture that repeats a sealed one is removed, however it was saved; other pictures stay."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from acclimate.data.domain import from_columns, from_images
from acclimate.data.hygiene import clean, without_repeats
from acclimate.data.images import decoded, encoded
from acclimate.data.make import make_target
from acclimate.data.near_pictures import PictureIndex, look
from acclimate.errors import InputError


def scene(seed: int, side: int = 64) -> bytes:
    """Smooth blobs of colour, unlike for every seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return encoded(np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)))


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **settings)
    return stream.getvalue()


def test_near_pictures_are_found_and_others_are_not() -> None:
    known = [scene(seed) for seed in range(30)]
    image = decoded(known[7])
    alike = [
        saved(image, "JPEG", quality=50),
        saved(image.resize((32, 32), Image.Resampling.BICUBIC), "PNG"),
        saved(ImageEnhance.Contrast(image).enhance(0.8), "PNG"),
        saved(image.convert("L"), "PNG"),
    ]
    twins, similarity = PictureIndex([look(one) for one in known]).find([look(one) for one in alike])
    assert twins.tolist() == [7] * 4
    assert (similarity >= 0.99).all()
    others = [look(scene(seed)) for seed in range(100, 200)]
    assert (PictureIndex([look(one) for one in known]).find(others)[0] == -1).all()


def test_similarity_is_the_correlation_of_the_thumbnails() -> None:
    first, second = scene(1), saved(decoded(scene(1)), "JPEG", quality=30)
    thumbnails = [
        np.asarray(decoded(one).convert("L").resize((16, 16), Image.Resampling.BILINEAR)).ravel() for one in (first, second)
    ]
    _, similarity = PictureIndex([look(first)]).find([look(second)])
    assert similarity[0] == pytest.approx(np.corrcoef(*thumbnails)[0, 1], abs=1e-12)


def test_pictures_of_one_colour_are_only_the_same_if_their_pixels_are() -> None:
    black, grey = encoded(np.zeros((9, 9), dtype=np.uint8)), encoded(np.full((9, 9), 99, dtype=np.uint8))
    assert look(black).pixels != look(grey).pixels
    assert PictureIndex([look(black)]).find([look(grey)])[0].tolist() == [-1]
    assert look(black).pixels == look(saved(decoded(black), "BMP")).pixels
    assert look(black).pixels != look(encoded(np.zeros((9, 8), dtype=np.uint8))).pixels


def test_no_pictures_on_either_side_are_no_trouble() -> None:
    assert PictureIndex([]).find([look(scene(0))])[0].tolist() == [-1]
    assert PictureIndex([look(scene(0))]).find([])[0].tolist() == []


def test_a_source_loses_exact_equal_and_near_copies_of_the_test() -> None:
    pictures = [scene(seed) for seed in range(12)]
    clinic = make_target(from_images("clinic", pictures, ["a", "b"] * 6), test=0.5)
    sealed = clinic.test.inputs.images
    copies = [sealed[0], saved(decoded(sealed[1]), "BMP"), saved(decoded(sealed[2]), "JPEG", quality=60), scene(99)]
    pool, cleaned = clean(from_images("pool", copies, ["a"] * 4), clinic)
    assert cleaned.hygiene["removed"]["source"] == {"exact": 1, "normalised": 1, "descendant": 0, "near": 1, "passage": 0}
    assert pool is not None
    assert pool.ids == ["pool:3"]
    near = cleaned.hygiene["examples"]["near"][0]
    assert (near["text"], near["twin_text"]) == ("JPEG, 64 × 64", "PNG, 64 × 64")
    assert cleaned.hygiene["rule"]["threshold"] == 0.99
    assert len(clean(pool, cleaned)[1].hygiene["examples"]["near"]) == 0
    assert len(without_repeats(from_images("pool", copies), clinic.test.inputs)) == 1


def test_duplicate_pictures_inside_the_test_are_counted() -> None:
    pictures = [scene(seed // 2) for seed in range(8)]
    sealed = from_images("test", pictures, ["a", "b"] * 4, ids=[f"t{row}" for row in range(8)])
    made = make_target(from_images("clinic", [scene(50), scene(51)], ["a", "b"]), test=sealed)
    assert clean(None, made)[1].hygiene["inside_test"] == {"exact": 4, "normalised": 0}


def test_texts_cannot_be_a_source_for_pictures() -> None:
    clinic = make_target(from_images("clinic", [scene(seed) for seed in range(8)], ["a", "b"] * 4), test=0.5)
    with pytest.raises(InputError, match="'clinic' holds pictures, 'pool' texts"):
        clean(from_columns("pool", ["a text"]), clinic)

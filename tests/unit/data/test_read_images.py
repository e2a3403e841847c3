"""Pictures come in as bytes, as names of files and as folders; what does not decode whole is named and never used."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from acclimate.data.images import decoded, encoded, pixels
from acclimate.data.load import load, target
from acclimate.data.near_pictures import look
from acclimate.data.write import write
from acclimate.errors import InputError, MissingExtraError


def picture(seed: int, side: int = 12) -> bytes:
    return encoded(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def jpeg(seed: int) -> bytes:
    stream = io.BytesIO()
    decoded(picture(seed, 64)).save(stream, format="JPEG")
    return stream.getvalue()


def write_files(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(number))


@pytest.mark.parametrize("column", ["image", "img", "Picture", "图像"])
def test_a_parquet_column_of_bytes_is_guessed_and_announced(tmp_path: Path, column: str) -> None:
    write(pa.table({column: [picture(0), picture(1)], "label": ["a", "b"], "filename": ["x.png", "y.png"]}), tmp_path / "p.parquet")
    found = load(tmp_path / "p.parquet")
    assert (found.modality, found.images, found.labels) == ("image", [picture(0), picture(1)], ["a", "b"])
    assert found.table.column("filename").to_pylist() == ["x.png", "y.png"]
    assert [note for note in found.notes if "taken for the image" in note] or column == "image"


def test_structs_of_hugging_face_are_read_with_their_class_names(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [{"bytes": picture(0), "path": None}, {"bytes": picture(1), "path": "b.png"}], "label": [1, 0]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    found = load(f"hf:{tmp_path / 'set'}")
    assert (found.images, found.labels) == ([picture(0), picture(1)], ["dog", "cat"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_names_of_files_start_from_the_data_file(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "data", ["deep/a.png", "b.png"])
    write(pa.table({"picture": ["deep/a.png", "b.png"], "label": ["a", "b"]}), tmp_path / "data" / f"list.{suffix}")
    monkeypatch.chdir(tmp_path)
    assert load(f"data/list.{suffix}").images == [picture(0), picture(1)]
    assert load(tmp_path / "data" / f"list.{suffix}", image="picture").images == [picture(0), picture(1)]


def test_a_folder_of_classes_gives_labels_and_paths_as_ids(tmp_path: Path) -> None:
    write_files(tmp_path / "pets", ["cat/1.png", "dog/1.png", "dog/2.png"])
    (tmp_path / "pets" / "notes.txt").write_text("not a picture")
    (tmp_path / "pets" / "dog" / ".hidden.png").write_bytes(b"")
    found = load(tmp_path / "pets")
    assert (found.name, found.labels) == ("pets", ["cat", "dog", "dog"])
    assert found.ids == ["pets:cat/1.png", "pets:dog/1.png", "pets:dog/2.png"]
    assert any("folders were taken for the label" in note for note in found.notes)
    assert any("1 files that are no pictures were passed over" in note for note in found.notes)


def test_two_levels_of_folders_give_domains_and_labels(tmp_path: Path) -> None:
    write_files(tmp_path / "pacs", ["photo/cat/1.png", "sketch/cat/1.png", "sketch/dog/1.png"])
    found = load(tmp_path / "pacs")
    assert (found.domains, found.labels) == (["photo", "sketch", "sketch"], ["cat", "cat", "dog"])


def test_a_flat_folder_has_no_labels_and_uneven_ones_are_refused(tmp_path: Path) -> None:
    write_files(tmp_path / "flat", ["1.png", "2.png"])
    assert load(tmp_path / "flat").labels == [None, None]
    write_files(tmp_path / "uneven", ["1.png", "cat/2.png"])
    with pytest.raises(InputError, match=r"0 and 1 folders deep, such as '1\.png', 'cat/2\.png'"):
        load(tmp_path / "uneven")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(InputError, match="is a folder"):
        load(tmp_path / "texts")


def test_bad_pictures_are_named_or_skipped_and_counted(tmp_path: Path) -> None:
    cut, whole = jpeg(0)[: len(jpeg(0)) // 2], jpeg(1)
    table = {"image": [whole, cut, b"GIF89a nonsense", None], "label": ["a", "b", "a", "b"]}
    write(pa.table(table), tmp_path / "p.parquet")
    with pytest.raises(InputError, match=r"p\.parquet', row 2: the picture \(column 'image'\) cannot be decoded: .*truncated"):
        load(tmp_path / "p.parquet")
    found = load(tmp_path / "p.parquet", on_bad_row="skip")
    assert (found.images, found.skipped, found.ids) == ([whole], 3, ["p:0"])


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, ["cat/1.png", "dog/2.png"])
    (tmp_path / "list.csv").write_text("image,label\ncat/1.png,a\ncat/9.png,b\n")
    with pytest.raises(InputError, match=r"list\.csv', line 3: the picture 'cat/9\.png' .* cannot be read: No such file"):
        load(tmp_path / "list.csv")
    (tmp_path / "dog" / "2.png").write_bytes(picture(0)[:-200])
    with pytest.raises(InputError, match=r"row 2: the picture 'dog/2\.png' .* cannot be decoded"):
        load(tmp_path)


def test_a_bomb_of_pixels_is_a_bad_picture(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, format="PNG")
    write(pa.table({"image": [stream.getvalue(), picture(0)]}), tmp_path / "p.parquet")
    assert load(tmp_path / "p.parquet", on_bad_row="skip").skipped == 1


def test_texts_win_over_names_of_pictures_and_the_other_choice_is_announced(tmp_path: Path) -> None:
    write_files(tmp_path, ["a.png"])
    (tmp_path / "shop.csv").write_text("review,image\nlovely,a.png\n")
    found = load(tmp_path / "shop.csv")
    assert found.texts == ["lovely"]
    assert any("column 'image' names pictures; name it for the image" in note for note in found.notes)
    assert load(tmp_path / "shop.csv", image="image").images == [picture(0)]


def test_two_kinds_of_content_cannot_both_be_named(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("review,image\nlovely,a.png\n")
    with pytest.raises(InputError, match="named for the text and for the image"):
        load(tmp_path / "shop.csv", text="review", image="image")


def test_a_target_of_pictures_is_split_and_sealed(tmp_path: Path) -> None:
    table = {"image": [picture(row) for row in range(20)], "label": ["a", "b"] * 10}
    write(pa.table(table), tmp_path / "p.parquet")
    made = target(tmp_path / "p.parquet", test=0.3, image="image")
    assert (len(made.labelled), len(made.test), made.inputs.modality) == (14, 6, "image")
    (tmp_path / "t.csv").write_text("text,label\nx,a\ny,b\n")
    with pytest.raises(InputError, match="'p' holds pictures, 'test' texts"):
        target(tmp_path / "p.parquet", test=str(tmp_path / "t.csv"))


def test_what_is_written_is_read_back_and_only_parquet_holds_pictures(tmp_path: Path) -> None:
    write(pa.table({"image": [picture(0), picture(1)], "label": ["a", "b"]}), tmp_path / "p.parquet")
    found = load(tmp_path / "p.parquet")
    write(found, tmp_path / "again.parquet")
    assert load(tmp_path / "again.parquet", name="p").fingerprint == found.fingerprint
    with pytest.raises(InputError, match=r"'p\.jsonl' cannot hold the bytes of the column 'image'"):
        write(found, tmp_path / "p.jsonl")


def test_decoding_gives_upright_rgb_without_hidden_colours() -> None:
    def saved(image: Image.Image, **settings: object) -> bytes:
        stream = io.BytesIO()
        image.save(stream, format="PNG", **settings)
        return stream.getvalue()

    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(pixels(encoded(grey)), np.repeat(grey[..., None], 3, axis=2))
    deep = Image.fromarray((np.arange(6).reshape(2, 3) * 257 * 40).astype(np.uint16))
    assert pixels(saved(deep))[..., 0].tolist() == [[0, 40, 80], [120, 160, 200]]
    assert pixels(saved(Image.new("RGBA", (1, 1), (200, 0, 0, 0)))).tolist() == [[[255, 255, 255]]]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    assert decoded(saved(Image.new("RGB", (3, 2)), exif=exif)).size == (2, 3)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = picture(0)
    write(pa.table({"image": [one], "label": ["a"]}), tmp_path / "p.parquet")
    monkeypatch.setitem(sys.modules, "PIL", None)
    for read in (lambda: load(tmp_path / "p.parquet"), lambda: look(one)):
        with pytest.raises(MissingExtraError, match=r"acclimate\[vision\]"):
            read()

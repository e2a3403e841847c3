"""Pictures into a folder of classes and back: nothing lost, nothing half-written, nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.domain import Domain, from_images
from acclimate.data.images import encoded
from acclimate.data.load import load
from acclimate.data.picture_folder import _Names
from acclimate.data.write import write, writing
from acclimate.errors import InputError, RunError


def pictures(labels: list[str | None], ids: list[str] | None = None) -> Domain:
    rng = np.random.default_rng(0)
    drawn = [encoded(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)) for _ in labels]
    domain = from_images("p", drawn)
    if any(label is not None for label in labels):
        domain = domain.with_column("label", pa.array(labels, pa.string()))
    origins = [f'{{"method":"gan","parents":["cats/{row}.png"],"settings":{{}}}}' for row in range(len(labels))]
    domain = domain.with_column("id", pa.array(ids or [f"cats/{row}.png~gan~1" for row in range(len(labels))]))
    return domain.with_column("origin", pa.array(origins)).with_column("page", pa.array(range(len(labels))))


def as_rows(domain: Domain) -> dict[str, tuple[object, ...]]:
    columns = (domain.images, domain.labels, domain.table.column("origin").to_pylist(), domain.table.column("page").to_pylist())
    return dict(zip(domain.ids, zip(*columns, strict=True), strict=True))


def test_a_class_is_a_folder_and_everything_comes_back(tmp_path: Path) -> None:
    domain = pictures(["cat", "dog", "cat"])
    write(domain, tmp_path / "grown")
    files = sorted(file.relative_to(tmp_path / "grown").as_posix() for file in (tmp_path / "grown").rglob("*") if file.is_file())
    assert files == ["cat/cats-0.png~gan~1.png", "cat/cats-2.png~gan~1.png", "dog/cats-1.png~gan~1.png", "metadata.jsonl"]
    assert (tmp_path / "grown" / files[2]).read_bytes() == domain.images[1]
    assert as_rows(load(tmp_path / "grown")) == as_rows(domain)
    assert [path.name for path in tmp_path.iterdir()] == ["grown"]


@pytest.mark.parametrize("labels", [["a/b", "a-b", "..", ".hidden", "__x", "A-B"], ["cat", None, "unlabelled"], [None, None]])
def test_labels_that_no_folder_can_have_come_back_as_they_were(labels: list[str | None], tmp_path: Path) -> None:
    domain = pictures(labels, [f"../{row}\n" for row in range(len(labels))])
    write(domain, tmp_path / "grown")
    assert as_rows(load(tmp_path / "grown")) == as_rows(domain)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_names_are_harmless_and_distinct_whatever_they_stand_for(keys: list[str]) -> None:
    names = _Names()
    given_names = [names.of(key) for key in keys]
    assert len({name.casefold() for name in given_names}) == len(keys)
    for name in given_names:
        assert name == Path(name).name
        assert not name.startswith((".", "__"))
        assert 0 < len(name.encode()) < 210
    assert [names.of(key) for key in keys] == given_names


def test_tables_one_after_another_give_what_one_table_gives(tmp_path: Path) -> None:
    domain = pictures(["cat", "dog", "cat", "dog"])
    write(domain, tmp_path / "whole")
    with writing(tmp_path / "parts", domain.table.schema) as put:
        for row in range(4):
            put(domain.table.slice(row, 1))
    for file in (tmp_path / "whole").rglob("*"):
        if file.is_file():
            assert (tmp_path / "parts" / file.relative_to(tmp_path / "whole")).read_bytes() == file.read_bytes()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    domain = pictures(["cat", "dog"])

    def fail() -> None:
        with writing(tmp_path / "grown", domain.table.schema) as put:
            put(domain.table)
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left"):
        fail()
    assert not list(tmp_path.iterdir())


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write(pictures(["cat"]), tmp_path / "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]
    (tmp_path / "empty").mkdir()
    write(pictures(["cat"]), tmp_path / "empty")
    assert len(load(tmp_path / "empty")) == 1


def test_texts_do_not_go_into_a_folder_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a known data format"):
        write(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "grown")


def test_metadata_that_others_wrote_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    for row, picture in enumerate(pictures([None, None, None]).images):
        (folder / f"{row}.png").write_bytes(picture)
    listed = [{"file_name": f"{row}.png", "label": ("cat", "dog")[row], "age": row} for row in (1, 0)]
    (folder / "metadata.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in listed))
    domain = load(folder)
    assert (domain.ids, domain.labels) == (["pets:0.png", "pets:1.png", "pets:2.png"], ["cat", "dog", None])
    assert domain.table.column("age").to_pylist() == [0, 1, None]


@pytest.mark.parametrize(
    ("lines", "found"),
    [(['{"name": "0.png"}'], "no column 'file_name'"), (['{"file_name": "0.png"}'] * 2, "lists '0.png' twice")],
)
def test_metadata_that_means_nothing_is_explained(lines: list[str], found: str, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(pictures([None]).images[0])
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=found):
        load(tmp_path)

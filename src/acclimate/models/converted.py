"""Packaged models that come in a format of their own, rewritten once as the safetensors folders that everything else reads."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import filelock

from acclimate.data.assets import fetch
from acclimate.data.pins import ASSETS
from acclimate.engine.storage import cache_home
from acclimate.errors import RunError

#: Asset to the module that rewrites it: it has ``VERSION`` and ``convert(asset_folder, model_folder)``.
WRITERS: Mapping[str, str] = {
    "e5-small": "acclimate.models.e5",
    "efficientnet-lite0": "acclimate.models.efficientnet_lite",
}


def model_folder(asset: str) -> Path:
    """The folder of a packaged model, as ``save_pretrained`` would have written it.

    A model that is packaged that way is where :func:`acclimate.data.assets.fetch` put it. Another one is rewritten on first use
    into acclimate's cache, whole under its final name or not at all; two processes may call this at once.

    Raises:
        InputError: there is no such asset.
        RunError: it has to be fetched and that failed, its file is damaged, or the cache cannot be written.
    """
    if asset not in WRITERS:
        from acclimate.models.gguf import as_safetensors, gguf_file

        packed = gguf_file(fetch(asset))
        return as_safetensors(packed) if packed else fetch(asset)
    writer = importlib.import_module(WRITERS[asset])
    folder = cache_home() / "models" / f"{asset}-{ASSETS[asset].version}-v{writer.VERSION}"
    if folder.is_dir():
        return folder
    source = fetch(asset)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.parent / f".{folder.name}.lock"):
            if folder.is_dir():
                return folder
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
                content = Path(temporary) / "content"
                content.mkdir()
                writer.convert(source, content)
                for path in content.iterdir():
                    path.chmod(0o644)
                content.replace(folder)
    except OSError as error:
        raise RunError(
            f"The model 'asset:{asset}' could not be written into '{folder.parent}': {error.strerror or error}",
            expected="a writable folder with free space",
            fix="free some space, or set ACCLIMATE_HOME to another folder",
        ) from error
    return folder

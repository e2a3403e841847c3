"""GGUF files, the 4-bit format of llama.cpp, unpacked once into a safetensors folder that loads in a second."""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from pathlib import Path
from typing import Any

import filelock

from acclimate.engine.storage import cache_home, content_hash, file_hash
from acclimate.errors import InputError, MissingExtraError, RunError
from acclimate.models.loading import quiet

#: Raised when the way of unpacking changes, so that folders made before are not mistaken for new ones.
VERSION = 1

_FAILURES = (ValueError, RuntimeError, KeyError, AttributeError, TypeError, NotImplementedError)


def gguf_file(folder: Path) -> Path | None:
    """The one GGUF file of a folder that holds no other kind of model, or None.

    Raises:
        InputError: it holds several.
    """
    if not folder.is_dir() or (folder / "config.json").is_file():
        return None
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        raise InputError(
            f"The folder '{folder}' holds {len(files)} GGUF files, such as {files[0].name}",
            expected="one model in one file",
            fix="put the one you mean into a folder of its own",
        )
    return files[0] if files else None


def as_safetensors(file: Path) -> Path:
    """A folder with the same model in float32 safetensors, its tokenizer and its chat template; made once for each content.

    The folder lies in acclimate's cache and appears whole under its final name; two processes may call this at once.

    Raises:
        MissingExtraError: the package ``gguf`` is absent.
        InputError: the file is damaged, or of an architecture that transformers cannot read from GGUF.
        RunError: the cache cannot be written.
    """
    folder = cache_home() / "models" / f"{file.stem}-{content_hash(VERSION, file_hash(file))[:12]}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.parent / f".{folder.name}.lock"):
            if not folder.is_dir():
                _convert(file, folder)
    except OSError as error:
        raise RunError(
            f"The model '{file.name}' could not be unpacked into '{folder.parent}': {error.strerror or error}",
            expected="a writable folder with some gigabytes of free space",
            fix="free some space, or set ACCLIMATE_HOME to another folder",
        ) from error
    return folder


def _convert(file: Path, folder: Path) -> None:
    """Write beside the final place, then rename."""
    tokenizer, model = _read(file)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        content = Path(temporary) / "content"
        with quiet():
            model.save_pretrained(content)
            # Inside the tokenizer's JSON the template is among the files that a model's fingerprint covers.
            tokenizer.save_pretrained(content, save_jinja_files=False)
        for path in content.iterdir():
            path.chmod(0o644)
        content.replace(folder)


def _read(file: Path) -> tuple[Any, Any]:
    """Tokenizer and model, every weight unpacked to float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name, "local_files_only": True}
    try:
        # It draws a bar of its own that the switch for the others does not reach.
        with quiet(), contextlib.redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(**where)
            unpack = GgufConfig(dequantize=True)
            read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, quantization_config=unpack)
            return tokenizer, _plain(read)
    except ImportError as error:
        raise MissingExtraError(f"Reading the GGUF file '{file.name}'", "demo") from error
    except _FAILURES as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"The GGUF file '{file}' could not be read: {reason}",
            expected="a whole causal language model of an architecture that transformers reads from GGUF",
            fix="download it again, or choose a safetensors model",
        ) from error


def _plain(read: Any) -> Any:
    """The same weights in a model that does not remember that it was quantised, which transformers would refuse to save."""
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(read.config)
    if "quantization_config" in config.to_dict():
        del config.quantization_config
    config.name_or_path = ""
    model = AutoModelForCausalLM.from_config(config, dtype=read.dtype)
    model.load_state_dict(read.state_dict())
    return model

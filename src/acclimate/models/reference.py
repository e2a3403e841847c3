"""Which model a name means, where its files lie, and a fingerprint that changes when the model does.

Only files that cannot run code are ever read: JSON, plain-text vocabularies, sentencepiece models and safetensors.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from pathlib import Path
from typing import Any, Literal

from acclimate.engine.storage import content_hash, file_hash, read_json
from acclimate.errors import InputError, RunError
from acclimate.models.converted import model_folder

#: What a model folder may consist of; pickles (``.bin``, ``.pt``) and Python files are neither downloaded nor read.
MODEL_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.spm", "*.jinja")

#: The variable in which the person who starts a command names models whose own code may run, separated by commas. A recipe, which
#: may come from anyone, has no say in it.
TRUST = "ACCLIMATE_TRUST_CODE_OF"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclasses.dataclass(frozen=True)
class ModelReference:
    """A model that has been found.

    Attributes:
        name: as the user wrote it; what reports call it.
        location: the folder that holds its files, ready for ``from_pretrained``.
        fingerprint: the hub's commit where known, else a hash of the files: equal fingerprints mean equal models.
    """

    name: str
    location: str
    fingerprint: str

    @property
    def model_type(self) -> str:
        """What ``config.json`` calls the architecture; empty where it does not say."""
        return str(self._config.get("model_type", ""))

    @property
    def reads(self) -> Literal["text", "image"]:
        """What the model turns into vectors, told from its configuration: what has no words but colours or patches sees."""
        config = self._config
        sees = any(key in config for key in ("num_channels", "image_size", "patch_size"))
        return "image" if "vision_config" in config or (sees and "vocab_size" not in config) else "text"

    @property
    def writes(self) -> bool:
        """Whether the model was made to predict the next token."""
        return any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in self._config.get("architectures") or ())

    @property
    def unmasks(self) -> bool:
        """Whether the model was made, or published, to predict hidden tokens."""
        return any(str(name).endswith("ForMaskedLM") for name in self._config.get("architectures") or ())

    @property
    def trusted(self) -> bool:
        """Whether code that lies beside the weights may run."""
        return trusts(self.name)

    @property
    def brings_code(self) -> bool:
        """Whether the configuration names classes of the model's own repository."""
        return "auto_map" in self._config

    @property
    def _config(self) -> dict[str, Any]:
        file = Path(self.location) / "config.json"
        found = read_json(file) if self.location and file.is_file() else {}
        return found if isinstance(found, dict) else {}


def trusts(name: str) -> bool:
    """Whether :data:`TRUST` names a model."""
    return name in {part.strip() for part in os.environ.get(TRUST, "").split(",") if part.strip()}


def resolve(name: str) -> ModelReference:
    """Find a model: ``asset:NAME`` (packaged), a local folder, or a name on the Hugging Face hub, in that order.

    Raises:
        InputError: no such asset, folder or hub model, or it is not a safetensors model.
        RunError: it has to be downloaded and that failed.
    """
    if name.startswith("asset:"):
        folder = model_folder(name.removeprefix("asset:"))
        return ModelReference(name, str(folder), _folder_fingerprint(name, folder))
    folder = Path.home() / name[2:] if name.startswith("~/") else Path(name)
    if name and folder.is_file():
        raise InputError(
            f"The model '{name}' is a file",
            expected="a folder with config.json and model.safetensors; pickled weights (.bin, .pt) can run code and are never read",
            fix="give the folder; where you trust a pickled file, load it with transformers, then model.save_pretrained(FOLDER)",
        )
    if name and folder.is_dir():
        return ModelReference(name, str(folder.resolve()), _folder_fingerprint(name, folder))
    if not _HUB_NAME.fullmatch(name) or name.count("/") > 1:
        raise InputError(
            f"There is no model '{name}'",
            expected="asset:NAME, an existing folder, or a hub name such as sentence-transformers/all-MiniLM-L6-v2",
            fix="check the spelling; `acclimate doctor` lists the packaged models",
        )
    return _from_hub(name)


def _from_hub(name: str) -> ModelReference:
    """Download (or find in the hub's own cache) one commit of a model."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_patterns(name)), ignore_patterns=["*/*"]))
    except GatedRepoError as error:
        raise InputError(
            f"The model '{name}' is only given to people who accepted its terms",
            fix="accept them on the model's page, then `hf auth login`",
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"There is no model '{name}': no such folder here and none of that name on the Hugging Face hub",
            expected="asset:NAME, an existing folder, or a hub name",
            fix="check the spelling; a private model needs `hf auth login`",
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(
            f"The model '{name}' is not on this machine and could not be downloaded: {_first_line(error)}",
            expected="a network connection to the Hugging Face hub, or a local folder",
            fix="connect once (it is then cached), give a folder, or use asset:minilm",
        ) from error
    _check_files(name, folder)
    return ModelReference(name, str(folder), folder.name)  # the hub's cache names a snapshot's folder by its commit


def _folder_fingerprint(name: str, folder: Path) -> str:
    """A hash over the names and contents of the model's files."""
    _check_files(name, folder)
    files = sorted({path for pattern in _patterns(name) for path in folder.glob(pattern)})
    return content_hash([(path.name, _stable_hash(path)) for path in files])


def _patterns(name: str) -> tuple[str, ...]:
    """What is downloaded of a model, and what its fingerprint covers."""
    return (*MODEL_FILES, "*.py") if trusts(name) else MODEL_FILES


def _check_files(name: str, folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"The folder of model '{name}' ({folder}) has no config.json",
            expected="a folder that `save_pretrained` wrote",
            fix="give the folder that holds config.json and model.safetensors",
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"The model '{name}' ({folder}) has no safetensors weights",
            expected="model.safetensors; pickled weights (.bin, .pt) can run code when opened and are never read",
            fix="convert it: load it with transformers where you trust it, then model.save_pretrained(FOLDER)",
        )


def _stable_hash(path: Path) -> str:
    """The hash of a file, computed once per process while size and time of change stay the same."""
    status = path.stat()
    return _hash_once(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _hash_once(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 - they are the cache's key
    return file_hash(path)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")

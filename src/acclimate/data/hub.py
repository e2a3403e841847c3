"""Data sets of the Hugging Face hub, or folders in its formats, through ``datasets``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa

from acclimate.data.read import Rows
from acclimate.errors import InputError

PREFIXES = ("hf://datasets/", "hf://", "hf:")


@dataclasses.dataclass(frozen=True)
class HubName:
    """What ``hf:NAME[@config][:split]`` says."""

    name: str
    config: str | None
    split: str | None


def is_hub(path: str) -> bool:
    """Whether a path names a data set of the hub."""
    return path.startswith("hf:")


def parse_hub(path: str) -> HubName:
    """Take a hub name apart.

    Raises:
        InputError: there is no name.

    >>> parse_hub("hf:stanfordnlp/imdb@plain_text:test")
    HubName(name='stanfordnlp/imdb', config='plain_text', split='test')
    """
    rest = next(path.removeprefix(prefix) for prefix in PREFIXES if path.startswith(prefix))
    rest, _, split = rest.partition(":")
    name, _, config = rest.partition("@")
    if not name:
        raise InputError(
            f"'{path}' names no data set", expected="hf:NAME[@config][:split]", fix="for example hf:stanfordnlp/imdb:train"
        )
    return HubName(name, config or None, split or None)


def read_hub(path: str) -> Rows:
    """Read one split of a hub data set (``train``, or the only one, where no split is named).

    ``NAME`` may also be a local folder: one that ``datasets`` saved, or one of data files. Class numbers become class names.
    No code of the data set is ever run.

    Raises:
        InputError: unknown data set, configuration or split, or no network.
    """
    hub = parse_hub(path)
    try:
        loaded = _open(hub)
    except Exception as error:  # datasets, its file systems and its HTTP client share no base class
        raise InputError(
            f"'{path}' could not be read through datasets: {_first_line(error)}",
            expected="a data set of the hub as hf:NAME[@config][:split], or a local folder that datasets can read",
            fix="check the name and the network, or download the data set and give its files",
        ) from error
    data = _choose_split(path, hub, loaded)
    table = _with_class_names(data)
    return Rows(path, hub.name.rstrip("/").split("/")[-1], table, "row", range(1, table.num_rows + 1), range(table.num_rows))


def _open(hub: HubName) -> Any:
    import datasets

    folder = Path(hub.name).expanduser()
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
        return datasets.load_from_disk(str(folder))
    return datasets.load_dataset(str(folder) if folder.is_dir() else hub.name, hub.config)


def _choose_split(path: str, hub: HubName, loaded: Any) -> Any:
    """The split that was named; else ``train``; else the only one."""
    import datasets

    if isinstance(loaded, datasets.Dataset):
        return loaded
    names = sorted(loaded)
    wanted = hub.split or ("train" if "train" in names else names[0])
    if wanted not in names or (hub.split is None and "train" not in names and len(names) > 1):
        raise InputError(
            f"'{path}' has the splits {', '.join(names)}", expected="the name of one of them", fix=f"hf:{hub.name}:{names[0]}"
        )
    return loaded[wanted]


def _with_class_names(data: Any) -> pa.Table:
    """The Arrow table of a data set, with ``ClassLabel`` numbers replaced by their names (-1, no label, by null)."""
    import datasets

    table: pa.Table = data.with_format(None).flatten_indices().data.table
    for name, feature in data.features.items():
        if isinstance(feature, datasets.ClassLabel):
            values = [
                feature.int2str(value) if value is not None and value >= 0 else None for value in table.column(name).to_pylist()
            ]
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return table


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no details'}"

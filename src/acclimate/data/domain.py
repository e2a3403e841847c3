"""A domain: a named set of examples from one distribution, kept as one Arrow table with canonical column names."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from acclimate.engine.storage import content_hash
from acclimate.errors import InputError

if TYPE_CHECKING:
    import datasets

#: What a column can mean. A table in a Domain always has ``id`` and what examples consist of: ``text``, ``image``, or ``messages``
#: with the ``text`` that they read as; the others where the data has them.
ROLES = ("text", "image", "messages", "label", "domain", "id", "weight", "origin")

Modality = Literal["text", "image", "chat"]
#: One turn of a conversation: ``{"role": "user", "content": "..."}``.
Message = dict[str, str]


@dataclasses.dataclass(frozen=True, eq=False)
class Domain:
    """Examples of one distribution.

    Attributes:
        name: what reports call it.
        table: Arrow table; canonical columns ``id`` (string, unique), one of ``text`` (string), ``image`` (binary, an encoded
            picture such as PNG or JPEG) or ``messages`` (string, JSON; with ``text``, what the conversation reads as), and
            optionally ``label`` (string, null where unlabelled), ``domain`` (string), ``weight`` (float64), ``origin`` (string,
            JSON; only generated examples have it). The user's other columns follow under their own names.
        notes: what reading announced: guessed columns, skipped rows.
        skipped: how many bad rows reading left out (see ``data.bad_rows``).
    """

    name: str
    table: pa.Table
    notes: tuple[str, ...] = ()
    skipped: int = 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Domain({self.name!r}, {len(self)} examples, columns {self.table.column_names})"

    @property
    def modality(self) -> Modality:
        """What the examples are: texts, images, or conversations."""
        if "image" in self.table.column_names:
            return "image"
        return "chat" if "messages" in self.table.column_names else "text"

    @cached_property
    def texts(self) -> list[str]:
        """The texts, in order; of conversations, what they read as.

        Raises:
            InputError: the examples are images.
        """
        if self.modality == "image":
            raise InputError(
                f"The examples of '{self.name}' are images, without texts",
                expected="texts or conversations",
                fix="use a method for images; `acclimate methods` names what each one reads",
            )
        return list(self.table.column("text").to_pylist())

    @cached_property
    def images(self) -> list[bytes]:
        """The encoded pictures, in order.

        Raises:
            InputError: the examples are not images.
        """
        if self.modality != "image":
            raise InputError(
                f"The examples of '{self.name}' are not images", expected="a column of images", fix="name it: image=..."
            )
        return list(self.table.column("image").to_pylist())

    @cached_property
    def conversations(self) -> list[list[Message]]:
        """The turns of each conversation, in order.

        Raises:
            InputError: the examples are not conversations.
        """
        if self.modality != "chat":
            raise InputError(
                f"The examples of '{self.name}' are not conversations", expected="a column of messages", fix="name it: messages=..."
            )
        return [orjson.loads(value) for value in self.table.column("messages").to_pylist()]

    @property
    def contents(self) -> list[str] | list[bytes]:
        """What an encoder reads of each example: its text, or its encoded picture."""
        return self.images if self.modality == "image" else self.texts

    @cached_property
    def ids(self) -> list[str]:
        """The unique ids, in order."""
        return list(self.table.column("id").to_pylist())

    @cached_property
    def labels(self) -> list[str | None]:
        """The labels, in order; None where an example has none."""
        if "label" not in self.table.column_names:
            return [None] * len(self)
        return list(self.table.column("label").to_pylist())

    @cached_property
    def domains(self) -> list[str]:
        """The sub-domain of each example; the name of this domain where the data has no such column."""
        if "domain" not in self.table.column_names:
            return [self.name] * len(self)
        return [value if value is not None else self.name for value in self.table.column("domain").to_pylist()]

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The weight of each example, ``(n,)``; 1 where the data has none."""
        if "weight" not in self.table.column_names:
            return np.ones(len(self))
        return np.asarray(pc.fill_null(self.table.column("weight"), 1.0).to_numpy(), dtype=np.float64)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(sorted({label for label in self.labels if label is not None}))

    @property
    def is_labelled(self) -> bool:
        """Whether every example has a label (and there is at least one)."""
        return len(self) > 0 and None not in self.labels

    @cached_property
    def fingerprint(self) -> str:
        """A hash of ids, contents, labels, domains and weights in order."""
        match self.modality:
            case "image":
                said = [hashlib.blake2b(image, digest_size=16).hexdigest() for image in self.images]
            case "chat":
                said = self.table.column("messages").to_pylist()
            case _:
                said = self.texts
        return content_hash(self.ids, said, self.labels, self.domains, self.weights.tolist())

    def take(self, indices: Sequence[int] | NDArray[np.int64], name: str | None = None) -> Domain:
        """The examples at ``indices``, in that order."""
        rows = pa.array(np.asarray(indices, dtype=np.int64))
        return Domain(name or self.name, self.table.take(rows))

    def without_labels(self) -> Domain:
        """The same inputs and nothing that could tell a label: what code that must not see labels is handed.

        The user's other columns go too: a ``rating`` from which the label was made would say as much as the label.
        """
        names = [name for name in self.table.column_names if name in ROLES and name != "label"]
        return Domain(self.name, self.table.select(names))

    def with_column(self, name: str, values: pa.Array) -> Domain:
        """A copy with one column set (added or replaced)."""
        position = self.table.schema.get_field_index(name)
        table = self.table.append_column(name, values) if position < 0 else self.table.set_column(position, name, values)
        return Domain(self.name, table, self.notes, self.skipped)

    def with_strings(self, name: str, values: Sequence[str]) -> Domain:
        """A copy with one column of strings set."""
        return self.with_column(name, pa.array(values, pa.string()))

    def to_dataset(self) -> datasets.Dataset:
        """The same table as a Hugging Face dataset, without copying."""
        import datasets

        return datasets.Dataset(self.table)


def from_columns(
    name: str,
    texts: Sequence[str],
    labels: Sequence[str | None] | None = None,
    *,
    ids: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    origins: Sequence[str] | None = None,
) -> Domain:
    """A Domain from plain Python lists; ids default to ``name:row``."""
    columns: dict[str, pa.Array] = {
        "id": pa.array(ids if ids is not None else [f"{name}:{row}" for row in range(len(texts))], pa.string()),
        "text": pa.array(texts, pa.string()),
    }
    if labels is not None:
        columns["label"] = pa.array(labels, pa.string())
    if domains is not None:
        columns["domain"] = pa.array(domains, pa.string())
    if origins is not None:
        columns["origin"] = pa.array(origins, pa.string())
    return Domain(name, pa.table(columns))


def from_images(
    name: str,
    images: Sequence[bytes],
    labels: Sequence[str | None] | None = None,
    *,
    ids: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
) -> Domain:
    """A Domain from encoded pictures (PNG, JPEG, ...); ids default to ``name:row``."""
    table = from_columns(name, [""] * len(images), labels, ids=ids, domains=domains).table
    return Domain(name, table.set_column(table.schema.get_field_index("text"), "image", pa.array(images, pa.binary())))


def concatenate(name: str, domains: Sequence[Domain]) -> Domain:
    """All examples of several domains, in order; each remembers where it came from in its ``domain`` column.

    Columns that only some of them have are filled with null; ids stay as they are and must be unique across the domains.
    """
    tables = [d.with_column("domain", pa.array(d.domains, pa.string())).table for d in domains]
    notes = tuple(note for d in domains for note in d.notes)
    return Domain(name, unify(tables), notes, sum(d.skipped for d in domains))


def unify(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one after another; a column absent from some is null there, one of types that do not mix becomes strings."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    names = dict.fromkeys(name for table in tables for name in table.column_names)
    columns = {}
    for name in names:
        chunks = [table.select([name]) if name in table.column_names else _nulls(name, table.num_rows) for table in tables]
        try:
            columns[name] = pa.concat_tables(chunks, promote_options="permissive").column(name)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[name] = pa.array(
                [_as_string(value) for chunk in chunks for value in chunk.column(name).to_pylist()], pa.string()
            )
    return pa.table(columns)


def _nulls(name: str, count: int) -> pa.Table:
    return pa.table({name: pa.nulls(count)})


def _as_string(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value, default=str).decode()

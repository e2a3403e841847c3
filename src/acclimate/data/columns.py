"""Which of the user's columns means what: named ones checked, the others guessed and announced."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from acclimate.data.conversations import is_conversation
from acclimate.data.domain import ROLES
from acclimate.data.images import is_picture_file
from acclimate.errors import InputError, nearest

#: Names that data in the wild uses for each role, best first. Compared without case, spaces, hyphens and underscores.
GUESSES: Mapping[str, tuple[str, ...]] = {
    "text": (
        *("text", "body", "content", "review", "sentence", "document", "comment", "message", "tweet", "note", "utterance"),
        *("article", "passage", "review_text", "review_body", "input", "description", "question", "title"),
        *("文本", "正文", "内容", "评论", "评论内容", "句子", "文章", "留言", "微博"),
    ),
    "image": (
        *("image", "images", "img", "picture", "photo", "pixels", "image_path", "img_path", "image_file", "file_name"),
        *("filename", "file_path", "file", "path", "图像", "图片", "照片", "图像路径", "图片路径"),
    ),
    "messages": (
        *("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns"),
        *("对话", "会话", "消息", "聊天记录"),
    ),
    "label": (
        *(
            "label",
            "labels",
            "class",
            "category",
            "stars",
            "rating",
            "sentiment",
            "polarity",
            "intent",
            "topic",
            "tag",
            "target",
            "y",
        ),
        *("标签", "类别", "分类", "情感", "评分", "星级", "意图", "主题"),
    ),
    "domain": ("domain", "source", "corpus", "dataset", "subset", "site", "领域", "域", "来源", "数据集"),
    "id": ("id", "uid", "uuid", "guid", "doc_id", "example_id", "row_id", "编号", "序号"),
    "weight": ("weight", "sample_weight", "example_weight", "权重"),
    "origin": ("origin",),
}

#: A guessed label or domain column may hold at most this share of distinct values (looked at from 20 rows on).
VARIED = 0.5


#: What examples consist of: exactly one of these roles has a column.
CONTENTS = ("text", "image", "messages")


@dataclasses.dataclass(frozen=True)
class Columns:
    """The user's column for each role; None where there is none. Exactly one of text, image and messages has one."""

    text: str | None = None
    image: str | None = None
    messages: str | None = None
    label: str | None = None
    domain: str | None = None
    id: str | None = None
    weight: str | None = None
    origin: str | None = None

    def without_label(self) -> Columns:
        """The same columns for examples whose labels are not to be read."""
        return dataclasses.replace(self, label=None)

    @property
    def content(self) -> tuple[str, str]:
        """(role, column) of what the examples consist of."""
        used = self.used()
        return next((role, used[role]) for role in CONTENTS if role in used)

    def used(self) -> dict[str, str]:
        """Role to column, for the roles that have one."""
        named = {role: getattr(self, role) for role in ROLES}
        return {role: column for role, column in named.items() if column is not None}


def resolve(table: pa.Table, named: Mapping[str, str | None], where: str) -> tuple[Columns, list[str]]:
    """Find the column of every role; returns them and one note for each guess.

    Args:
        table: the user's columns.
        named: role to column as the user gave it, None for a guess.
        where: the files, for messages.

    Raises:
        InputError: a named column is absent, two roles name one column, or no column looks like text, pictures or conversations.
    """
    found: dict[str, str] = {}
    for role, column in named.items():
        if column is not None:
            _check_named(role, column, table.column_names, where)
            found[role] = column
    _check_distinct(found)
    _check_one_content(found, where)
    notes = []
    for role in ("id", "label", "domain", "weight", "origin"):
        column = None if role in found else _guess(role, table, taken=list(found.values()))
        if column is not None:
            found[role] = column
            notes.append(_announced(where, role, column))
    if not any(role in found for role in CONTENTS):
        role, column = _guess_content(table, list(found.values()), where)
        found[role] = column
        notes += [_announced(where, role, column), _passed_over(table, role, list(found.values()), where)]
    return Columns(**found), [note for note in notes if note]


def _announced(where: str, role: str, column: str) -> str:
    """What is said of a guess; nothing of a column that is called as its role."""
    return f"{where}: column '{column}' was taken for the {role}" if column != role else ""


def _passed_over(table: pa.Table, role: str, taken: Sequence[str], where: str) -> str:
    """What is said of a column of pictures beside the texts that were taken."""
    pictures = _guess("image", table, taken) if role == "text" else None
    return f"{where}: column '{pictures}' names pictures; name it for the image to read those instead" if pictures else ""


def _check_one_content(found: Mapping[str, str], where: str) -> None:
    named = [role for role in CONTENTS if role in found]
    if len(named) > 1:
        raise InputError(
            f"{where}: columns are named for the {' and for the '.join(named)}",
            expected="examples that are texts, or pictures, or conversations",
            fix=f"name one of them; other columns are kept as they are (texts beside the {named[1]} too)",
        )


def _guess_content(table: pa.Table, taken: Sequence[str], where: str) -> tuple[str, str]:
    """(role, column) of what the examples consist of.

    Bytes of pictures and lists of turns cannot be meant as anything else, so they come first; names of picture files often
    stand beside the texts that are meant, so they come last.
    """
    pictures = _guess("image", table.select([field.name for field in table.schema if not _is_text(field.type)]), taken)
    if pictures is not None:
        return "image", pictures
    found = {
        "messages": _guess("messages", table, taken),
        "text": _guess("text", table, taken),
        "image": _guess("image", table, taken),
    }
    for role, column in found.items():
        if column is not None:
            return role, column
    only = _only_text_column(table, taken)
    if only is not None:
        return "text", only
    raise InputError(
        f"{where} has no column that looks like text, pictures or conversations; its columns are {_listed(table.column_names)}",
        expected="a column of texts, of images, or of messages",
        fix="name it, for example --text COLUMN",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _check_named(role: str, column: str, names: Sequence[str], where: str) -> None:
    if column in names:
        return
    close = nearest(column, names)
    raise InputError(
        f"{where} has no column '{column}'; its columns are {_listed(names)}",
        expected=f"the column that holds the {role}",
        fix=f"did you mean '{close}'?" if close else f"name one of these for the {role}",
    )


def _check_distinct(found: Mapping[str, str]) -> None:
    for role, column in found.items():
        other = next((name for name, used in found.items() if used == column and name != role), None)
        if other:
            raise InputError(
                f"The column '{column}' is named for both the {role} and the {other}",
                expected="one column for each",
                fix=f"name another column for the {other}",
            )


def _key(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()


def _guess(role: str, table: pa.Table, taken: Sequence[str]) -> str | None:
    """The first column whose name suggests the role and whose content does not speak against it."""
    by_key = {_key(name): name for name in reversed(table.column_names) if name not in taken}
    for candidate in GUESSES[role]:
        column: str | None = by_key.get(_key(candidate))
        if column is not None and _plausible(role, column, table.column(column)):
            return column
    return None


def _plausible(role: str, name: str, values: pa.ChunkedArray) -> bool:
    """Whether a column can play a role that only its name suggests.

    A column called exactly ``label`` or ``id`` is believed, so that what is wrong with it becomes an error and not a guess.
    """
    exact = name == role
    kind = values.type
    match role:
        case "text":
            return _is_text(kind)
        case "image":
            return _holds_pictures(values)
        case "messages":
            return is_conversation(_first(values))
        case "label" | "domain":
            scalar = not pa.types.is_nested(kind) and not pa.types.is_null(kind)
            return exact or (scalar and (len(values) < 20 or pc.count_distinct(values).as_py() <= VARIED * len(values)))
        case "id":
            return exact or (values.null_count == 0 and pc.count_distinct(values).as_py() == len(values))
        case "weight":
            return exact or bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
        case _:
            return is_origin(values)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _holds_pictures(values: pa.ChunkedArray) -> bool:
    """Whether a column holds bytes, Hugging Face's ``{bytes, path}``, or names of picture files."""
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return True
    if pa.types.is_struct(kind):
        return {field.name for field in kind} == {"bytes", "path"}
    first = _first(values)
    return isinstance(first, str) and is_picture_file(first)


def _first(values: pa.ChunkedArray) -> Any:
    """The first value that is not null, or None."""
    return next((value for chunk in values.chunks for cell in chunk if (value := cell.as_py()) is not None), None)


def is_origin(values: pa.ChunkedArray) -> bool:
    """Whether a column holds origins of generated examples: JSON objects with a list of parents, or null."""
    if not pa.types.is_string(values.type) or values.null_count == len(values):
        return False
    first = values.drop_null()[0].as_py()
    try:
        value = orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and isinstance(value.get("parents"), list)


def _only_text_column(table: pa.Table, taken: Sequence[str]) -> str | None:
    """The one column of strings that nothing else claims, if there is exactly one."""
    claimed = {_key(name) for role, names in GUESSES.items() if role not in CONTENTS for name in names}
    strings = [
        field.name
        for field in table.schema
        if pa.types.is_string(field.type) and field.name not in taken and _key(field.name) not in claimed
    ]
    return strings[0] if len(strings) == 1 else None

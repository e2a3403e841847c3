"""The scan of JSON lines against a full parser: it reads what the parser reads, and leaves alone what it cannot vouch for."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.json_columns import BLANK, READ, UNSURE, scan
from acclimate.data.utf8 import are_ascii, are_valid
from acclimate.data.wide import PADDING

NAMES = ("text", "id")
SIGNS = 'ab"\\\n\t/é中\U0001f600\x01{}[],:'
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(SCALARS, st.text(SIGNS, max_size=8), st.text(max_size=8)), lambda v: st.lists(v, max_size=3), max_leaves=4
)
KEYS = st.sampled_from([*NAMES, 'q"', "é", "", "texts"])
OBJECTS = st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=2)), max_size=4)


def encoded(value: Any, ascii_only: bool, spaced: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, separators=(", ", ": ") if spaced else (",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def read(line: bytes) -> tuple[int, list[bytes | None]]:
    """Status of one line, and the bytes found under the two names."""
    block = np.frombuffer(bytearray(line + b"\n" + bytes(PADDING)), np.uint8)
    scanned = scan(block, len(line) + 1, NAMES)
    found: list[bytes | None] = []
    for name, start in enumerate(scanned.starts[:, 0]):
        bounds, joined = scanned.strings(block, name, np.array([0] if start >= 0 else [], np.int64))
        found.append(joined[: bounds[1]].tobytes() if start >= 0 else None)
    assert block[: len(line)].tobytes() == line
    return int(scanned.status[0]), found


@settings(deadline=None, max_examples=300)
@given(OBJECTS, st.booleans(), st.booleans())
def test_what_is_read_is_what_the_parser_reads(value: dict[str, Any], ascii_only: bool, spaced: bool) -> None:
    line = encoded(value, ascii_only, spaced)
    status, found = read(line)
    if status == READ:
        parsed = orjson.loads(line)
        assert [None if cell is None else cell.decode() for cell in found] == [parsed.get(name) for name in NAMES]
    else:
        wanted = [value.get(name) for name in NAMES]
        assert any("\\" in json.dumps(key) for key in _keys(value)) or not all(
            cell is None or isinstance(cell, str) for cell in wanted
        )


def _keys(value: dict[str, Any]) -> list[str]:
    return [*value, *("\\" for key in value if not key.isascii())]  # json.dumps may escape these


@settings(deadline=None, max_examples=500)
@given(OBJECTS, st.data())
def test_a_line_that_the_parser_refuses_is_not_read(value: dict[str, Any], data: st.DataObject) -> None:
    flat = {key: cell for key, cell in value.items() if not isinstance(cell, (list, dict))}
    line = encoded(flat, False, False)
    place = data.draw(st.integers(0, len(line)))
    broken = (
        line[:place]
        + data.draw(st.sampled_from([b"", b"{", b"}", b'"', b",", b":", b"\\", b"0", b"1", b"e", b".", b"n", b"-"]))
        + line[place + 1 :]
    )
    status, _ = read(broken)
    if status == READ and _is_utf8(broken):
        assert isinstance(orjson.loads(broken), dict)


def _is_utf8(cell: bytes) -> bool:
    return bool(are_valid(np.frombuffer(cell, np.uint8), np.array([0]), np.array([len(cell)]))[0])


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"", BLANK),
        (b" \t\r", BLANK),
        (b"{}", READ),
        (b"[1]", UNSURE),
        (b'{"text": "a"', UNSURE),
        (b'{"text": "\\ud800"}', UNSURE),
        (b'{"a": 01}', UNSURE),
        (b'{"a": [1, {"b": "}"}]}', READ),
        (b'{"a": [1}', UNSURE),
        (b'{"text": 3}', UNSURE),
        (b'{"a":1}x', UNSURE),
    ],
)
def test_lines_of_every_kind(line: bytes, status: int) -> None:
    assert read(line)[0] == status


def test_the_last_of_equal_names_counts_and_null_is_absent() -> None:
    assert read(b'{"text": "a", "id": "i", "text": "b"}')[1] == [b"b", b"i"]
    assert read(b'{"text": "a", "text": null}')[1] == [None, None]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=6), max_size=6))
def test_utf8_is_judged_as_python_judges_it(cells: list[bytes]) -> None:
    data = np.frombuffer(b"".join(cells), np.uint8)
    stops = np.cumsum([len(cell) for cell in cells], dtype=np.int64)
    starts = stops - np.array([len(cell) for cell in cells], dtype=np.int64)

    def decodes(cell: bytes) -> bool:
        try:
            cell.decode()
        except UnicodeDecodeError:
            return False
        return True

    assert are_valid(data, starts, stops).tolist() == [decodes(cell) for cell in cells]
    assert are_ascii(data, starts, stops).tolist() == [cell.isascii() for cell in cells]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text('ab"\\\n\u00e9\U0001f600', max_size=150), max_size=5))
def test_many_long_strings_are_gathered_one_after_another(texts: list[str]) -> None:
    lines = b"".join(encoded({"text": text}, True, False) + b"\n" for text in texts)
    block = np.frombuffer(bytearray(lines + bytes(PADDING)), np.uint8)
    bounds, joined = scan(block, len(lines), ["text"]).strings(block, 0, np.arange(len(texts)))
    pieces = [joined[start:stop].tobytes().decode() for start, stop in itertools.pairwise(bounds)]
    assert pieces == texts
    assert not joined[bounds[-1] :].any()
    assert len(joined) - bounds[-1] >= PADDING

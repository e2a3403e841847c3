"""What users' texts need before they stand on a page: trimming, no control characters, and which words changed."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Any

#: CJK characters, kana and their punctuation stand alone, everything else runs to the next space: what a reader sees as one change.
_ALONE = r"\u3000-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_TOKEN = re.compile(rf"[{_ALONE}]|[^\s{_ALONE}]+|[^\S\u3000]+")

#: C0 and C1 controls but tab and line ends, surrogates, and the two characters that are none.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF])

Marked = list[tuple[str, bool]]


def trim(text: str, length: int = 240) -> str:
    """The text on one line, at most ``length`` characters, without control characters (which HTML forbids).

    >>> trim("a\\n b\\x00c", 80), trim("four words stand here", 12)
    ('a b c', 'four words…')
    """
    clean = " ".join("".join(" " if _is_control(character) else character for character in text[: 4 * length]).split())
    if len(clean) <= length:
        return clean
    cut = clean[:length]
    space = cut.rfind(" ")
    return (cut[:space] if space > length // 2 else cut).rstrip() + "…"


def printable(value: Any) -> Any:
    """A value as it may stand on the page: strings without the control characters that HTML forbids, anything else as it is."""
    return value.translate(_FORBIDDEN) if isinstance(value, str) else value


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def mark_changes(parent: str, child: str) -> tuple[Marked, Marked]:
    """Both texts in pieces, each with whether it differs from the other text.

    >>> mark_changes("a good film", "a fine film")
    ([('a ', False), ('good', True), (' film', False)], [('a ', False), ('fine', True), (' film', False)])
    """
    old, new = _TOKEN.findall(parent), _TOKEN.findall(child)
    left: Marked = []
    right: Marked = []
    for kind, i, j, k, m in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        changed = kind != "equal"
        for side, piece in ((left, "".join(old[i:j])), (right, "".join(new[k:m]))):
            if piece:
                side.append((piece, changed))
    return left, right


def clip(marked: Marked, length: int) -> Marked:
    """The first ``length`` characters of a marked text, in whole words where it has spaces; an ellipsis for what is left out.

    >>> clip([("a long ", False), ("story", True), (" ends here", False)], 16)
    [('a long ', False), ('story', True), (' ', False), ('…', False)]
    """
    shown: Marked = []
    room = length
    for text, changed in marked:
        if len(text) > room:
            cut = text[:room]
            return [*shown, (cut[: cut.rfind(" ") + 1] or cut, changed), ("…", False)]
        shown.append((text, changed))
        room -= len(text)
    return shown

"""How the wording of a generated text differs from its parent's: the words that went and those that came."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

#: A rewriting shares at least this share of the longer text's words with its parent. Below it, word by word comparison means
#: nothing (a paraphrase, a free generation), and the teacher alone judges. Easy data augmentation with ``alpha = 0.1`` keeps .8.
COMPARABLE = 0.5

_NUMBER = r"\d+(?:[.,:/]\d+)*"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_LETTERS = rf"(?:(?![{_HAN}])[^\W\d_])+"
_WORD = re.compile(rf"[{_HAN}]|{_NUMBER}|{_LETTERS}(?:['-]{_LETTERS})*|[%$€£¥°]")


class Change(NamedTuple):
    """Words, each as often as it went or came, and the texts as lists of words."""

    gone: Counter[str]
    come: Counter[str]
    parent: tuple[str, ...]
    child: tuple[str, ...]

    @property
    def shared(self) -> float:
        """Shared words over the words of the longer text; 1 for two texts without words."""
        kept = len(self.parent) - self.gone.total()
        return kept / max(len(self.parent), len(self.child)) if self.parent or self.child else 1.0


@functools.lru_cache(maxsize=65_536)
def words_of(text: str) -> tuple[str, ...]:
    """Words after NFKC and case folding: contractions, hyphenated words and numbers whole, Han characters one by one.

    >>> words_of("It ISN’T 3.5 %, U盘很好")
    ('it', "isn't", '3.5', '%', 'u', '盘', '很', '好')
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return tuple(_WORD.findall(folded))


def change(parent: str, child: str) -> Change:
    """What went and what came.

    >>> gone, come, *_ = change("a good film", "a fine film")
    >>> dict(gone), dict(come)
    ({'good': 1}, {'fine': 1})
    """
    old, new = words_of(parent), words_of(child)
    before, after = Counter(old), Counter(new)
    return Change(before - after, after - before, old, new)


def comparable(parent: str | None, child: str) -> Change | None:
    """The change where a text is a rewriting of its one parent, else None."""
    if parent is None:
        return None
    found = change(parent, child)
    return found if found.shared >= COMPARABLE else None

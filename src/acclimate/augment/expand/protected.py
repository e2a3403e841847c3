"""What augmentation leaves alone, in English and Chinese: negations, numbers, entities, what the user names; and function words,
which have no synonyms of their own.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from acclimate.errors import InputError
from acclimate.features.tokenize import words

_ENGLISH_NEGATIONS = """
no not never none nobody nothing nowhere neither nor cannot without hardly scarcely barely rarely seldom lack lacks lacked lacking
aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt shouldnt wasnt werent wont wouldnt
"""
_ENGLISH_STOP_WORDS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves who whom whose what which this that these those a an the and but or if because as until
while although though since unless whereas of at by for with about against between among into through during before after above
below to from up down in out on off over under again further then once here there when where why how all any both each few more
most other others some such only own same so than too very just also even still yet now am is are was were be been being have has
had having do does did doing done can could will would shall should may might must ought let
"""
_CHINESE_STOP_WORDS = """
我们 你们 他们 她们 它们 自己 这个 那个 这些 那些 这里 那里 什么 怎么 为什么 因为 所以 但是 可是 虽然 如果 而且 并且 或者 以及
就是 还是 只是 已经 正在 可以 一个 一些 一样 的话
"""

_ENGLISH_NUMBERS = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen half twice
"""

#: What a user may ask to have kept besides addresses, mentions, hashtags and negations, which always are.
Kind = Literal["numbers", "entities"]

#: Number words; "one" and "second" mean too many other things.
ENGLISH_NUMBERS = frozenset(_ENGLISH_NUMBERS.split())
CHINESE_NUMBERS = frozenset("零〇一二两三四五六七八九十百千万亿兩萬億")

#: Without them, or moved, a text says the opposite. Contractions in n't are recognised by their ending (see :func:`is_negation`).
ENGLISH_NEGATIONS = frozenset(_ENGLISH_NEGATIONS.split())

#: Characters that negate the word they stand in or before; any Chinese word with one of them counts as a negation, even
#: 不错 ("not bad"): to leave too much alone is the safe side.
CHINESE_NEGATIONS = frozenset("不没沒无無非未勿别別莫毋否弗甭")

#: Function words: a thesaurus knows some of them, but only as other words ("a" the vitamin, "in" the inch).
STOP_WORDS = frozenset((_ENGLISH_STOP_WORDS + _CHINESE_STOP_WORDS).split())


def is_negation(word: str) -> bool:
    """Whether a word, in any case, negates.

    >>> [is_negation(word) for word in ("Not", "isn't", "isn\\u2019t", "不好", "note")]
    [True, True, True, True, False]
    """
    if word.isascii():
        lower = word.lower()
        return lower in ENGLISH_NEGATIONS or lower.endswith("n't")
    return word.lower().endswith("n\u2019t") or not CHINESE_NEGATIONS.isdisjoint(word)


def is_stop_word(word: str) -> bool:
    """Whether a lower-case word has no synonyms worth the name: a function word, or the rest of a contraction."""
    return word in STOP_WORDS or "'" in word or "\u2019" in word


def is_number(word: str) -> bool:
    """Whether a word is a number, in figures or in words.

    >>> [is_number(word) for word in ("3.5", "20mg", "Twenty", "三十", "三个", "one")]
    [True, True, True, True, False, False]
    """
    if word[0].isdigit():
        return True
    return word.lower() in ENGLISH_NUMBERS if word.isascii() else CHINESE_NUMBERS.issuperset(word)


@dataclasses.dataclass(frozen=True)
class Protection:
    """What of a text no method may change.

    Negations, addresses, mentions and hashtags are kept whatever is asked for.

    Args:
        keep: ``"numbers"`` (in figures and in words), ``"entities"``: names as far as spelling shows them, which is words with a
            capital that do not open a sentence, words with a capital or a digit inside (``iPhone``, ``B2B``), and Chinese titles
            in 《》. There is no list of names: lower-case and Chinese names go unseen, and are for ``patterns``.
        patterns: regular expressions of what else is kept, each match whole, such as ``"Dr\\. \\w+"`` or a list of drug names.
    """

    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: a pattern that is no regular expression, or one that matches the empty text."""
        for pattern in self.patterns:
            try:
                empty = re.search(pattern, "") is not None
            except re.error as error:
                raise InputError(
                    f"the pattern {pattern!r} is no regular expression: {error}",
                    expected="regular expressions as Python writes them",
                    fix="put a backslash before signs that stand for themselves",
                ) from error
            if empty:
                raise InputError(f"the pattern {pattern!r} matches the empty text", expected="patterns that match something")

    @property
    def numbers(self) -> bool:
        """Whether numbers are kept."""
        return "numbers" in self.keep

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in the text entities and matches of patterns stand, in order, those that touch or overlap as one.

        >>> Protection(("entities",), ("back pain",)).spans("Then Ann Lee told of back pain")
        [(5, 12), (21, 30)]
        """
        if not self.patterns and "entities" not in self.keep:
            return []
        patterns = [pattern for pattern in _compiled(self) if pattern is not _ENTITY or not text.isupper()]  # no shouting
        found = sorted(match.span() for pattern in patterns for match in pattern.finditer(text))
        merged: list[tuple[int, int]] = []
        for start, stop in found:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        return merged

    def strings(self, text: str) -> Counter[str]:
        """What of a text must come through when it is worded anew, and how often; negations may be worded otherwise."""
        spans = self.spans(text)
        kept = [text[start:stop] for start, stop in spans]
        for piece in _between(text, spans):
            kept += _ADDRESS.findall(piece)
            if self.numbers:
                kept += [word for word in _NUMBERISH.findall(_ADDRESS.sub(" ", piece)) if is_number(word)]
        return Counter(kept)

    def survives(self, parent: str, text: str) -> bool:
        """Whether all that is to be kept of ``parent`` stands in ``text``, at least as often.

        >>> Protection().survives("20 mg twice", "twice a day 20 mg"), Protection().survives("20 mg", "200 mg")
        (True, False)
        """
        return all(_occurrences(string, text) >= count for string, count in self.strings(parent).items())


def is_rewording(parent: str, text: str) -> bool:
    """Whether a text may say what its parent says, as far as counting tells: half to twice as many words.

    >>> is_rewording("这部电影很好", "- ()"), is_rewording("It was a good film", "A fine film, that")
    (False, True)
    """
    before, after = len(words(parent)), len(words(text))
    return before <= 2 * after and after <= 2 * before and bool(text.strip())


ADDRESS = r"(?:https?://|www\.)\S+|[@#]\w+"
_ADDRESS = re.compile(ADDRESS)
_NUMBERISH = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_CAPITAL = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a9\u0410-\u042f"
_NAME = rf"[{_CAPITAL}]\w+(?:[ -][{_CAPITAL}]\w*)*"
_ENTITY = re.compile(
    rf"\b\w*[a-z\d][{_CAPITAL}]\w*"  # iPhone, McCoy
    rf"|\b[{_CAPITAL}]+\d\w*"  # B2B, F16
    rf"|(?:(?<=\w )|(?<=\w[,;:] )){_NAME}"  # names, but what opens a sentence, a line or a quotation
    r"|《[^《》]+》"
)


@functools.lru_cache(maxsize=64)
def _compiled(protection: Protection) -> tuple[re.Pattern[str], ...]:
    own = tuple(re.compile(pattern) for pattern in protection.patterns)
    return (_ENTITY, *own) if "entities" in protection.keep else own


def _between(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    place = 0
    for start, stop in spans:
        yield text[place:start]
        place = stop
    yield text[place:]


def _occurrences(string: str, text: str) -> int:
    """How often a string stands in a text as a word of its own; in Chinese, anywhere."""
    before = r"(?<![^\W\u2e80-\u9fff])" if string[0].isalnum() else ""
    after = r"(?![^\W\u2e80-\u9fff])" if string[-1].isalnum() else ""
    return len(re.findall(before + re.escape(string) + after, text))

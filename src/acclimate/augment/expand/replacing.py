"""Methods that replace words by others differ only in where the others come from: this is what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from acclimate.augment.expand.draws import draws, states_of, stream_of
from acclimate.augment.expand.edits import Row, edit_texts
from acclimate.augment.expand.layout import Lexicon, parse
from acclimate.augment.expand.operations import replace
from acclimate.augment.expand.protected import Protection
from acclimate.augment.expand.thesaurus import load, sources_for
from acclimate.data.domain import Domain
from acclimate.errors import InputError


def check_share(method: str, alpha: float) -> None:
    """Raise an InputError for a share of words outside (0, 1)."""
    if not 0 < alpha < 1:
        raise InputError(f"{method} with alpha={alpha}", expected="a share above 0 and below 1", fix="use 0.1")


def replace_by_thesaurus(method: Any, source: str, examples: Domain, *, times: int, seed: int, workers: int) -> Domain:
    """New examples in which a share of the words is replaced by synonyms of one source (``wordnet``, ``cilin``).

    Args:
        method: the augmenter, with ``alpha``, ``keep`` and ``patterns``.
    """
    sources, notes = sources_for(examples.texts, [source])
    protection = Protection(method.keep, method.patterns)
    work = partial(replace_words, source=partial(load, sources), alpha=method.alpha, protection=protection)
    return edit_texts(method, examples, work, times=times, seed=seed, workers=workers, notes=notes)


def replace_words(
    rows: Sequence[Row], times: int, seed: int, *, source: Callable[[], Lexicon], alpha: float, protection: Protection
) -> list[str]:
    """Texts in which ``max(1, alpha * n)`` words that may be changed are replaced; as they were where there is none.

    Args:
        source: gives what words may be replaced by, in whatever process this runs.
    """
    known = source()
    streams = [stream_of(seed, name, text) for name, text in rows]
    draw = iter(draws(states_of(streams, range(1, times + 1)).ravel()))
    made = []
    for _, text in rows:
        layout = parse(text, known, protection)
        made += [replace(layout, alpha, next(draw)) or text for _ in range(times)]
    return made

"""Noise of keyboards, scanners and input methods: new texts with a few misspelt words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Literal

from acclimate.augment.expand import typing_errors
from acclimate.augment.expand.draws import Draw, draws, states_of, stream_of
from acclimate.augment.expand.edits import Row, edit_texts
from acclimate.augment.expand.layout import Layout, join, parse, spaceless
from acclimate.augment.expand.protected import Kind, Protection
from acclimate.augment.expand.replacing import check_share
from acclimate.data.domain import Domain
from acclimate.data.homophones import homophones
from acclimate.errors import AcclimateError, InputError

Error = Literal["keyboard", "ocr", "insert", "delete", "swap", "homophone"]
ERRORS: tuple[Error, ...] = ("keyboard", "ocr", "insert", "delete", "swap", "homophone")


@dataclasses.dataclass(frozen=True)
class Noise:
    """A share of the words is misspelt, each by one error; the kinds of error take turns where several can act on a word.

    ``keyboard``: a letter becomes its neighbour on the keyboard. ``ocr``: a letter is misread (``rn`` as ``m``). ``insert``: a
    letter is doubled. ``delete``: an inner letter is left out. ``swap``: two inner letters change places. ``homophone``: a Chinese
    character becomes another common one of the same sound, as input methods by sound produce. Chinese and kana are treated
    character by character: ``insert`` doubles one, ``delete`` leaves one out, ``swap`` exchanges it with the next. Characters that
    look alike are left out: no list of them under a clear licence was found.

    Reference: Belinkov & Bisk 2018, "Synthetic and natural noise both break neural machine translation", section 3.2.

    Use when: the model will meet typed, spoken or scanned text and the training texts are clean.
    Avoid when: inputs are edited text, or labels hang on spelling. It teaches robustness, seldom accuracy on clean text.

    Args:
        alpha: share of words misspelt; 0.1 rather than the every word of the reference, which broke the systems tested there.
        errors: which kinds occur.
        keyboard: the layout: ``"qwerty"``, ``"azerty"`` or ``"qwertz"``.
        keep: what is left alone: ``"numbers"``, ``"entities"``.
        patterns: regular expressions of what else is left alone.
    """

    method: ClassVar[str] = "noise"
    paper: ClassVar[str] = "Belinkov & Bisk 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "chat")
    summary: ClassVar[str] = "misspells a few words as keyboards, scanners and input methods do"
    summary_zh: ClassVar[str] = "模拟键盘、OCR 与拼音输入法错误，改错少量词语或字"

    alpha: float = 0.1
    errors: tuple[Error, ...] = ERRORS
    keyboard: typing_errors.Layout = "qwerty"
    keep: tuple[Kind, ...] = ("numbers",)
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha outside (0, 1), no kind of error, or a pattern that is no regular expression."""
        check_share(self.method, self.alpha)
        if not self.errors:
            raise InputError("noise without errors", expected=f"some of {', '.join(ERRORS)}", fix="leave the default")
        Protection(self.keep, self.patterns)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one; see :class:`acclimate.augment.base.Augmenter`."""
        sounds, notes = "homophone" in self.errors and any(_has_han(text) for text in examples.texts), []
        if sounds:
            try:
                homophones()
            except AcclimateError as error:
                sounds = False
                notes.append(f"no Chinese homophones, so characters are only doubled, left out and exchanged: {error.found}")
        work = partial(_edit, noise=self, sounds=sounds)
        return edit_texts(self, examples, work, times=times, seed=seed, workers=workers, notes=notes)


def _has_han(text: str) -> bool:
    return not text.isascii() and any("\u4e00" <= letter <= "\u9fff" for letter in text)


def _edit(rows: Sequence[Row], times: int, seed: int, *, noise: Noise, sounds: bool) -> list[str]:
    protection = Protection(noise.keep, noise.patterns)
    same_sound = homophones() if sounds else {}
    streams = [stream_of(seed, name, text) for name, text in rows]
    draw = iter(draws(states_of(streams, range(1, times + 1)).ravel()))
    made = []
    for _, text in rows:
        layout = parse(text, protection=protection)
        made += [misspell(layout, noise.alpha, noise.errors, noise.keyboard, same_sound, next(draw)) for _ in range(times)]
    return made


def misspell(
    layout: Layout,
    rate: float,
    kinds: Sequence[Error],
    keyboard: typing_errors.Layout,
    same_sound: Mapping[str, str],
    draw: Draw,
) -> str:
    """The text with ``max(1, rate * n)`` of its words misspelt, or with as many as can be."""
    words = list(layout.words)
    left = list(layout.free)
    wanted = max(1, int(rate * len(words)))
    while wanted and left:
        position = left.pop(int(draw() * len(left)))
        before = words[position]
        if spaceless(before):
            _misspell_character(layout, words, position, _shuffled(kinds, draw), same_sound, draw)
        else:
            words[position] = _misspell_word(before, _shuffled(kinds, draw), keyboard, draw)
        wanted -= words[position] != before
    return join(words, layout.gaps)


@functools.cache
def _word_errors(keyboard: typing_errors.Layout) -> dict[str, Callable[[str, Draw], str | None]]:
    near = typing_errors.neighbours(keyboard)
    return {
        "keyboard": lambda word, draw: typing_errors.mistype(word, near, draw),
        "ocr": typing_errors.misread,
        "insert": typing_errors.double,
        "delete": typing_errors.drop,
        "swap": typing_errors.transpose,
    }


def _misspell_word(word: str, kinds: Sequence[Error], keyboard: typing_errors.Layout, draw: Draw) -> str:
    """The word after the first kind of error that can act on it."""
    able = _word_errors(keyboard)
    for kind in kinds:
        new = able[kind](word, draw) if kind in able else None
        if new is not None and new != word:
            return new
    return word


def _misspell_character(
    layout: Layout, words: list[str], position: int, kinds: Sequence[Error], same_sound: Mapping[str, str], draw: Draw
) -> None:
    """The same for a character that is a word: it is changed in ``words``, with the next one where the two change places."""
    own = words[position]
    after = position + 1
    for kind in kinds:
        if kind == "homophone" and own in same_sound:
            words[position] = same_sound[own][int(draw() * len(same_sound[own]))]
            return
        if kind == "insert":
            words[position] = own + own
            return
        if kind == "delete" and sum(map(bool, words)) > 1:
            words[position] = ""
            return
        together = after in layout.free and not layout.gaps[after] and len(words[after]) == 1 and spaceless(words[after])
        if kind == "swap" and together and words[after] != own:
            words[position], words[after] = words[after], own
            return


def _shuffled(kinds: Sequence[Error], draw: Draw) -> list[Error]:
    """The kinds in random order (Fisher–Yates)."""
    order = list(kinds)
    for place in range(len(order) - 1, 0, -1):
        other = int(draw() * (place + 1))
        order[place], order[other] = order[other], order[place]
    return order

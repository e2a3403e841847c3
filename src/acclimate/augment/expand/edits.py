"""The one way in which a method that edits texts is carried out: parents in chunks, turns of conversations one by one, what could
not be changed counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from acclimate.augment.base import Augmenter, Count, check_times, descend, settings_of
from acclimate.data.conversations import as_json, as_text
from acclimate.data.domain import Domain
from acclimate.engine.local import map_ordered
from acclimate.engine.progress import track

#: (id, text) of a parent.
Row = tuple[str, str]
#: ``(rows, times, seed)`` to ``times`` new texts for each row, grouped by row in order.
Editor = Callable[[Sequence[Row], int, int], list[str]]
#: Parents handed to a worker at once.
CHUNK = 256


def edit_texts(
    method: Augmenter,
    examples: Domain,
    edit: Editor,
    *,
    times: int,
    seed: int,
    workers: int = 1,
    notes: Sequence[str] = (),
    chunk: int = CHUNK,
) -> Domain:
    """``times`` edited texts for each example; of conversations, what the user says is edited and the answers stay.

    Args:
        method: the augmenter, a dataclass of its settings.
        edit: makes the new texts of some rows; with several workers it must be picklable.
        notes: what a user should know besides.
        chunk: rows handed to ``edit`` at once.

    Raises:
        InputError: ``times`` or ``workers`` is less than 1, or the examples are images.
    """
    check_times(times, workers)
    if examples.modality == "chat":
        return _edit_turns(method, examples, edit, times=times, seed=seed, workers=workers, notes=notes, chunk=chunk)
    rows = list(zip(examples.ids, examples.texts, strict=True))
    texts = _edited(rows, edit, times, seed, workers, chunk)
    told = (*notes, *_counted(examples.texts, texts, times))
    return descend(examples, texts, method=method.method, seed=seed, settings=settings_of(method), notes=told)


def _edited(rows: Sequence[Row], edit: Editor, times: int, seed: int, workers: int, chunk: int) -> list[str]:
    chunks = (list(rows[start : start + chunk]) for start in range(0, len(rows), chunk))
    work = partial(_edit_chunk, edit=edit, times=times, seed=seed)
    parts = track(map_ordered(work, chunks, workers), "Augmenting", total=-(-len(rows) // chunk))
    return [text for made in parts for text in made]


def _edit_chunk(rows: list[Row], *, edit: Editor, times: int, seed: int) -> list[str]:
    return edit(rows, times, seed)


def _edit_turns(
    method: Augmenter,
    examples: Domain,
    edit: Editor,
    *,
    times: int,
    seed: int,
    workers: int,
    notes: Sequence[str],
    chunk: int,
) -> Domain:
    """The same for conversations: each turn of the user is a row of its own, named by the conversation's id and its place."""
    said = [
        (row, place, turn["content"])
        for row, turns in enumerate(examples.conversations)
        for place, turn in enumerate(turns)
        if turn["role"] == "user"
    ]
    rows = [(f"{examples.ids[row]}#{place}", content) for row, place, content in said]
    edited = _edited(rows, edit, times, seed, workers, chunk)
    copies = [[[dict(turn) for turn in turns] for _ in range(times)] for turns in examples.conversations]
    for number, (row, place, _) in enumerate(said):
        for copy in range(times):
            copies[row][copy][place]["content"] = edited[number * times + copy]
    made = [turns for group in copies for turns in group]
    texts = [as_text(turns) for turns in made]
    told = (*notes, *_counted([as_text(turns) for turns in examples.conversations], texts, times))
    grown = descend(examples, texts, method=method.method, seed=seed, settings=settings_of(method), notes=told)
    return grown.with_strings("messages", [as_json(turns) for turns in made])


def _counted(parents: Sequence[str], texts: Sequence[str], times: int) -> list[str]:
    """How many new texts are no news."""
    if not texts:
        return []
    groups = [texts[row * times : (row + 1) * times] for row in range(len(parents))]
    same = sum(group.count(parent) for parent, group in zip(parents, groups, strict=True))
    notes = [Count("new texts that equal their parent, as nothing in them could be changed: {}", same)] if same else []
    news = ([text for text in group if text != parent] for parent, group in zip(parents, groups, strict=True))
    again = sum(len(group) - len(set(group)) for group in news) if times > 1 else 0
    return [*notes, *([Count("new texts that repeat another copy of their parent: {}", again)] if again else [])]

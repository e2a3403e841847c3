"""Hygiene: nothing that a model may learn from repeats what it is measured on."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.folded import fold_texts
from acclimate.data.images import described
from acclimate.data.near_duplicates import CHUNK, SHARED_WORDS, THRESHOLD, TwinIndex
from acclimate.data.near_pictures import CORRELATION, DIFFERENT_BITS, Look, PictureIndex, look
from acclimate.data.passages import RUN, SHARE, PassageIndex
from acclimate.data.target import Sealed, Target
from acclimate.data.words import normalised
from acclimate.errors import InputError

#: Why a row is removed, the strongest reason first: the same text (or file of a picture); the same but for case, width, spacing and
#: punctuation (or the same pixels); one was generated from the other, or both from one parent; most words are shared
#: (:mod:`acclimate.data.near_duplicates`), or the picture looks the same (:mod:`acclimate.data.near_pictures`); half of the sealed
#: text stands in it word for word (:mod:`acclimate.data.passages`).
KINDS = ("exact", "normalised", "descendant", "near", "passage")
#: How many removed rows of each kind are kept as examples, and how much of their texts.
EXAMPLES, CLIP = 20, 300


@dataclasses.dataclass(frozen=True)
class Removal:
    """A row that was removed: where it stood, why, and what it repeats; a picture's text says its format and size."""

    place: str
    kind: str
    id: str
    text: str
    twin_place: str
    twin_id: str
    twin_text: str
    similarity: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class Cleaning:
    """What cleaning left, and every row that it removed, in order of place and id."""

    source: Domain | None
    target: Target
    removals: tuple[Removal, ...]

    def to_table(self) -> pa.Table:
        """The removals with their whole texts, one row each; the columns are the attributes of :class:`Removal`."""
        return removal_table(self.removals)


def removal_table(removals: Sequence[Removal]) -> pa.Table:
    """Removals as a table, one row each; the columns are the attributes of :class:`Removal`."""
    types = {field.name: pa.float64() if field.name == "similarity" else pa.string() for field in dataclasses.fields(Removal)}
    return pa.Table.from_pylist([dataclasses.asdict(removal) for removal in removals], pa.schema(types))


def clean(source: Domain | None, target: Target, also: Mapping[str, Domain] | None = None) -> tuple[Domain | None, Target]:
    """Remove from everything trainable what repeats a test or validation row; and from validation what repeats the test.

    Only inputs are compared, never labels. The test is never changed; duplicates inside it are counted. What is removed does
    not depend on the order of rows. Cleaning what is clean changes nothing.

    Args:
        also: further tests by name, such as public benchmarks: nothing may repeat their rows either.

    Returns:
        The source (None stays None) and the target without those rows. ``target.hygiene`` is JSON-ready:
        ``checked`` rows by place, ``removed`` by place and kind, ``inside_test`` duplicates by kind, ``examples`` by kind (up to
        20 each: place, id, text, twin_place, twin_id, twin_text, similarity), and the ``rule`` for near duplicates and passages.
        ``twin_place`` is ``test``, ``validation`` or a name of ``also``. :func:`cleaning` gives every removal.

    Raises:
        InputError: nothing to learn from, or nothing to validate on, would be left; or the domains are of different kinds.

    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.make import make_target
    >>> texts = ["a fine day at the sea", "rain again", "sun at last", "what a storm"]
    >>> clinic = make_target(from_columns("weather", texts, ["good", "bad", "good", "bad"]), test=0.5)
    >>> _, cleaned = clean(from_columns("pool", [text.upper() for text in texts]), clinic)
    >>> cleaned.hygiene["removed"]["source"]
    {'exact': 0, 'normalised': 2, 'descendant': 0, 'near': 0, 'passage': 0}
    """
    done = cleaning(source, target, also)
    return done.source, done.target


def cleaning(source: Domain | None, target: Target, also: Mapping[str, Domain] | None = None) -> Cleaning:
    """What :func:`clean` does, with the whole list of what was removed."""
    tests = [("test", target.test.inputs), *_further_tests(also or {}, target)]
    if source is not None:
        check_same_modality(target.test.inputs, source)
    against_tests = Reference(tests)
    removals: list[Removal] = []
    validation = target.validation
    if validation is not None:
        kept = _sweep("validation", validation.inputs, against_tests, removals)
        if not len(kept):
            raise _nothing_left("validation", target.name, len(validation))
        validation = validation.keep(kept) if len(kept) < len(validation) else validation
    sealed = against_tests if validation is None else Reference([*tests, ("validation", validation.inputs)])
    places = {"labelled": target.labelled, "unlabelled": target.unlabelled, **({} if source is None else {"source": source})}
    swept = {place: _without(domain, _sweep(place, domain, sealed, removals)) for place, domain in places.items()}
    if len(target.labelled) and not len(swept["labelled"]):
        raise _nothing_left("labelled", target.name, len(target.labelled))
    checked = {place: len(domain) for place, domain in places.items()}
    if target.validation is not None:
        checked["validation"] = len(target.validation)
    removals.sort(key=lambda removal: (removal.place, removal.id))
    cleaned = dataclasses.replace(
        target,
        labelled=swept["labelled"],
        unlabelled=swept["unlabelled"],
        validation=validation,
        hygiene=_report(checked, removals, target.test, {name: len(domain) for name, domain in tests}),
    )
    return Cleaning(swept.get("source"), cleaned, tuple(removals))


def _further_tests(also: Mapping[str, Domain], target: Target) -> list[tuple[str, Domain]]:
    """Their inputs alone, in order of name."""
    for name, domain in also.items():
        if name in ("test", "validation", "labelled", "unlabelled", "source"):
            raise InputError(f"A further test is called '{name}'", expected="a name that no part has", fix="rename it")
        check_same_modality(target.test.inputs, domain)
    return [(name, also[name].without_labels()) for name in sorted(also)]


class Sweeper:
    """Looks at examples in batches of any size for what repeats a sealed row; for pools that are read in pieces.

    Args:
        target: its test and, where it has one, its validation part are sealed.
        also: further tests by name.

    Raises:
        InputError: the further tests are examples of another kind.
    """

    def __init__(self, target: Target, also: Mapping[str, Domain] | None = None) -> None:
        parts = [("test", target.test.inputs), *_further_tests(also or {}, target)]
        if target.validation is not None:
            parts.append(("validation", target.validation.inputs))
        self._reference = Reference.of(tuple(parts))

    def __call__(self, batch: Domain) -> tuple[NDArray[np.int64], list[Removal]]:
        """The rows that repeat nothing sealed, ascending, and the others with what they repeat."""
        removals: list[Removal] = []
        return _sweep("source", batch, self._reference, removals), removals


def repeats(domain: Domain, of: Reference) -> list[Removal | None]:
    """For each row what it repeats of a reference, by the rules of :func:`clean`; None where nothing.

    For examples that were made after cleaning. Raises :class:`InputError` where the two are of different kinds.

    >>> from acclimate.data.domain import from_columns
    >>> reference = Reference.of((("test", from_columns("t", ["a fine day at the sea"])),))
    >>> [found and found.kind for found in repeats(from_columns("n", ["A fine day at the sea!", "rain"]), reference)]
    ['normalised', None]
    """
    for known in of.domains:
        check_same_modality(known, domain)
    removals: list[Removal] = []
    kept = frozenset(_sweep("augmented", domain, of, removals).tolist())
    found = iter(removals)
    return [None if row in kept else next(found) for row in range(len(domain))]


def normal_forms(domain: Domain) -> list[str]:
    """What two examples are called equal by: a text but for case, width, spacing and punctuation; the pixels of a picture."""
    return _forms(_contents(domain))[0]


def check_same_modality(known: Domain, other: Domain) -> None:
    """Raise an InputError where two domains do not consist of the same kind of examples."""
    if known.modality != other.modality:
        kinds = {"text": "texts", "image": "pictures", "chat": "conversations"}
        raise InputError(
            f"'{known.name}' holds {kinds[known.modality]}, '{other.name}' {kinds[other.modality]}",
            expected="examples of one kind",
            fix="name the columns that hold them",
        )


def without_repeats(domain: Domain, of: Domain) -> Domain:
    """The rows of ``domain`` that repeat no row of ``of``, by the rules of :func:`clean`.

    For a source before K-fold validation over ``of``: each of its rows is held out once, and a copy would be learned from.
    """
    kept = _sweep("source", domain, Reference([("labelled", of)]), [])
    return dataclasses.replace(_without(domain, kept), notes=domain.notes)


def _nothing_left(place: str, name: str, count: int) -> InputError:
    return InputError(
        f"All {count} {place} examples of '{name}' repeat test or validation examples",
        expected="examples that are not also measured on",
        fix="split the data before augmenting it, or give a test file of other examples",
    )


class Reference:
    """Everything sealed, prepared for look-ups by content, by normalised form, by lineage, by similarity and by passage."""

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def of(parts: tuple[tuple[str, Domain], ...]) -> Reference:
        """The reference of named parts, remembered for the last few of them: preparing a large test takes a while."""
        return Reference(parts)

    def __init__(self, parts: Iterable[tuple[str, Domain]]) -> None:
        parts = list(parts)
        self.domains = tuple(domain for _, domain in parts)
        rows = [
            (place, *row) for place, domain in parts for row in zip(domain.ids, _contents(domain), _parents(domain), strict=True)
        ]
        rows.sort(key=lambda row: row[:2])  # so that a twin does not depend on the order of rows
        self.rows = rows
        forms, sought = _forms([row[2] for row in rows])
        self.by_content = _first_positions(row[2] for row in rows)
        self.by_normalised = _first_positions(forms)
        self.by_id = _first_positions(row[1] for row in rows)
        self.by_parent: dict[str, int] = {}
        for position, row in enumerate(rows):
            for parent in row[3]:
                self.by_parent.setdefault(parent, position)
        pictures = bool(sought) and isinstance(sought[0], Look)
        self.index: TwinIndex | PictureIndex = PictureIndex(sought) if pictures else TwinIndex(sought)
        self.passages = PassageIndex([] if pictures else sought)
        self.wholes = np.zeros(0, np.uint64) if pictures else np.unique(fold_texts(sought).wholes)

    def relative(self, id: str, parents: tuple[str, ...]) -> int | None:  # noqa: A002 - the column's name
        """A sealed row generated from this one, its parent, or a sibling."""
        found = [self.by_parent.get(id), *(look.get(parent) for parent in parents for look in (self.by_id, self.by_parent))]
        return next((position for position in found if position is not None), None)


def _forms(contents: Sequence[str | bytes]) -> tuple[list[str], list[Any]]:
    """What rows are compared by: a normalised form of each, and what near ones are sought by (a text, or a look)."""
    sought = [content if isinstance(content, str) else look(content) for content in contents]
    return [normalised(one) if isinstance(one, str) else one.pixels for one in sought], sought


def _first_positions(keys: Iterable[str | bytes]) -> dict[str | bytes, int]:
    positions: dict[str | bytes, int] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key, position)
    return positions


def _parents(domain: Domain) -> list[tuple[str, ...]]:
    """The ids from which each row was generated; empty for rows that were not."""
    if "origin" not in domain.table.column_names:
        return [()] * len(domain)
    origins = domain.table.column("origin").to_pylist()
    return [tuple(str(parent) for parent in orjson.loads(origin)["parents"]) if origin else () for origin in origins]


def _sweep(place: str, domain: Domain, reference: Reference, removals: list[Removal]) -> NDArray[np.int64]:
    """The rows of a domain that repeat nothing sealed, ascending; the others are added to ``removals``."""
    forms, (twins, similarity), (quoted, shares) = _looked_up(_contents(domain), reference)
    kept = []
    for row, (key, content, parents) in enumerate(zip(domain.ids, _contents(domain), _parents(domain), strict=True)):
        near, quote = int(twins[row]), int(quoted[row])
        found: dict[str, tuple[int | None, float | None]] = {
            "exact": (reference.by_content.get(content), 1.0),
            "normalised": (reference.by_normalised.get(forms[row]), 1.0),
            "descendant": (reference.relative(key, parents), None),
            "near": (near if near >= 0 else None, float(similarity[row])),
            "passage": (quote if quote >= 0 else None, float(shares[row])),
        }
        kind = next((kind for kind in KINDS if found[kind][0] is not None), None)
        if kind is None:
            kept.append(row)
            continue
        position, alike = found[kind]
        assert position is not None
        twin_place, twin_id, twin, _ = reference.rows[position]
        removals.append(Removal(place, kind, key, _as_text(content), twin_place, twin_id, _as_text(twin), alike))
    return np.array(kept, dtype=np.int64)


#: What no text is normalised to.
_NO_FORM = " "

_Twins = tuple[NDArray[np.int64], NDArray[np.float64]]


def _looked_up(contents: Sequence[str | bytes], reference: Reference) -> tuple[list[str], _Twins, _Twins]:
    """Of each row the normalised form, the near twin with its similarity, and whose passage it holds with the share of it.

    Texts are folded once for all of this; one whose words are those of no reference in order gets a form that no text has.
    """
    if not all(isinstance(content, str) for content in contents):
        forms, sought = _forms(contents)
        none = np.full(len(sought), -1, dtype=np.int64), np.zeros(len(sought))
        return forms, reference.index.find(sought), none
    texts = cast("Sequence[str]", contents)
    forms, near, passages = [], [], []
    index = cast("TwinIndex", reference.index)
    for start in range(0, len(texts), CHUNK):
        some = texts[start : start + CHUNK]
        folded = fold_texts(some)
        known = np.isin(folded.wholes, reference.wholes)
        forms += [normalised(text) if met else _NO_FORM for text, met in zip(some, known.tolist(), strict=True)]
        near.append(index.find(folded))
        passages.append(reference.passages.find(folded))
    return forms, _joined(near), _joined(passages)


def _joined(parts: Sequence[_Twins]) -> _Twins:
    twins, similarity = zip(*parts, strict=True) if parts else ((np.zeros(0, np.int64),), (np.zeros(0),))
    return np.concatenate(twins), np.concatenate(similarity)


def _contents(domain: Domain) -> list[str | bytes]:
    return [*domain.contents]


def _as_text(content: str | bytes) -> str:
    return content if isinstance(content, str) else described(content)


def _without(domain: Domain, kept: NDArray[np.int64]) -> Domain:
    """The kept rows of a domain, with its notes; the same object where nothing goes."""
    if len(kept) == len(domain):
        return domain
    return dataclasses.replace(domain.take(kept), notes=domain.notes, skipped=domain.skipped)


def _report(checked: Mapping[str, int], removals: list[Removal], test: Sealed, tests: Mapping[str, int]) -> dict[str, Any]:
    counts = collections.Counter((removal.place, removal.kind) for removal in removals)
    words = {"similarity": "shared words / words of the longer text", "threshold": THRESHOLD, "shared_words": SHARED_WORDS}
    words |= {"passage_words": RUN, "passage_share": SHARE}
    looks = {"similarity": "correlation of thumbnails", "threshold": CORRELATION, "different_bits": DIFFERENT_BITS}
    return {
        "rule": looks if test.inputs.modality == "image" else words,
        "checked": {**checked, **tests},
        "removed": {place: {kind: counts[place, kind] for kind in KINDS} for place in checked},
        "total": len(removals),
        "inside_test": _inside(test.inputs),
        "examples": {kind: [_example(removal) for removal in removals if removal.kind == kind][:EXAMPLES] for kind in KINDS},
    }


def _inside(test: Domain) -> dict[str, int]:
    """How many test rows repeat another one: they make intervals look narrower than they are, so they are counted, not removed."""
    exact = len(test) - len(set(test.contents))
    return {"exact": exact, "normalised": len(test) - len(set(_forms(_contents(test))[0])) - exact}


def _example(removal: Removal) -> dict[str, Any]:
    value = dataclasses.asdict(removal)
    del value["kind"]
    return {**value, "text": removal.text[:CLIP], "twin_text": removal.twin_text[:CLIP]}

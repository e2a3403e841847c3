"""Files to a Domain or a Target: the two ways in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from acclimate.data.bad_rows import BadRows, OnBadRow
from acclimate.data.canonical import canonical_table, check_nonempty
from acclimate.data.columns import resolve
from acclimate.data.domain import Domain
from acclimate.data.gather import gather
from acclimate.data.hygiene import check_same_modality, clean
from acclimate.data.locate import PathLike
from acclimate.data.make import Share, make_target, parse_share, with_distinct_ids
from acclimate.data.packaged import packaged
from acclimate.data.target import Target
from acclimate.errors import InputError

#: What packaged data sets are called by, as in ``asset:icwsm4/nyt``.
ASSET = "asset:"
Paths = PathLike | Sequence[PathLike]
Named = Mapping[str, str | None]


def load(
    path: Paths,
    *,
    text: str | None = None,
    image: str | None = None,
    messages: str | None = None,
    label: str | None = None,
    domain: str | None = None,
    id: str | None = None,  # noqa: A002 - the name users know
    weight: str | None = None,
    name: str | None = None,
    on_bad_row: OnBadRow = "fail",
) -> Domain:
    """Read examples from one or several files, patterns or hub data sets: texts, pictures or conversations.

    Formats: JSONL, JSON, CSV, TSV, Parquet, each also .gz, .zst, .bz2; ``hf:NAME[@config][:split]`` through ``datasets``;
    ``asset:NAME`` is a packaged data set (see :mod:`acclimate.data.packaged`); a folder of pictures, as ``class/picture.png``
    or ``domain/class/picture.png``.

    Args:
        path: a path, a pattern (``pool/*.jsonl.zst``), ``hf:NAME``, or a list of them.
        text: the column of texts.
        image: the column of pictures instead: their bytes, ``{bytes, path}`` as Hugging Face writes them, or names of files,
            relative to the data file.
        messages: the column of conversations instead: lists of ``{role, content}`` or of ShareGPT's ``{from, value}``, or JSON
            of such lists.
        label, domain, id, weight: the columns that play these roles; what is not named is guessed by names and content, and
            every guess is announced in ``Domain.notes``.
        name: what reports call the domain; the stem of the first file by default.
        on_bad_row: ``"fail"`` stops at the first bad row; ``"skip"`` leaves bad rows out, counted in ``Domain.skipped``.

    Raises:
        InputError: anything wrong with the files; the message names the file, the line, the reason and the fix.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "shop.csv"
    >>> _ = file.write_text("review,stars\\nlovely,5\\nbroken,1\\n")
    >>> shop = load(file)
    >>> shop, shop.labels, shop.ids
    (Domain('shop', 2 examples, columns ['id', 'text', 'label']), ['5', '1'], ['shop:0', 'shop:1'])
    """
    named = {"text": text, "image": image, "messages": messages, "label": label, "domain": domain, "id": id, "weight": weight}
    return _load(path, named, name, on_bad_row)


def target(
    path: Paths,
    *,
    test: Share | PathLike = 0.3,
    validation: Share | PathLike | None = None,
    unlabelled: Paths | None = None,
    text: str | None = None,
    image: str | None = None,
    messages: str | None = None,
    label: str | None = None,
    domain: str | None = None,
    id: str | None = None,  # noqa: A002 - the name users know
    weight: str | None = None,
    seed: int = 0,
    name: str | None = None,
    on_bad_row: OnBadRow = "fail",
) -> Target:
    """Read the target domain, put its test behind the firewall, and remove from the rest what repeats it (``Target.hygiene``).

    Args:
        path: the labelled examples.
        test: a share (0.3), a count (200), or a file of its own.
        validation: a share or count of the whole, a file, or None or ``"cv5"`` for K-fold validation later.
        unlabelled: files whose examples may be used; their labels, if any, are dropped.
        text, image, messages, label, domain, id, weight: columns, as in :func:`load`; the same for all files.
        seed: draws the test and the validation part, stratified by class.
        name, on_bad_row: as in :func:`load`.

    Raises:
        InputError: as :func:`load`; also no labels, one class only, too few examples to split, or a test label never seen in
            the labelled part.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "clinic.csv"
    >>> _ = file.write_text("note,code\\n" + "".join(f"case {row},{row % 2}\\n" for row in range(20)))
    >>> clinic = target(file, label="code", test=0.3)
    >>> len(clinic.labelled), clinic.test, clinic.classes
    (14, Sealed(test, 6 examples), ('0', '1'))
    """
    named = {"text": text, "image": image, "messages": messages, "label": label, "domain": domain, "id": id, "weight": weight}
    test_share, validation_share = parse_share(test, "test"), parse_share(validation, "validation")
    if test_share is None:
        raise InputError(f"test is {test!r}", expected="a share, a count or a file", fix="for example test=0.3")
    main = _load(path, named, name, on_bad_row)
    known = [main]

    def read(files: Paths, role: str, *, labelled: bool = True) -> Domain:
        part = with_distinct_ids(_load(files, named, role, on_bad_row, labelled=labelled), known, role)
        check_same_modality(main, part)
        known.append(part)
        return part

    made = make_target(
        main,
        test=read(test_share, "test") if isinstance(test_share, str) else test_share,
        validation=read(validation_share, "validation") if isinstance(validation_share, str) else validation_share,
        unlabelled=None if unlabelled is None else read(unlabelled, "unlabelled", labelled=False),
        seed=seed,
    )
    return clean(None, made)[1]


def _load(path: Paths, named: Named, name: str | None, on_bad_row: OnBadRow, *, labelled: bool = True) -> Domain:
    """Gather files, give their columns a meaning, check every row. Without ``labelled``, a label column is dropped unread."""
    if isinstance(path, str) and path.startswith(ASSET):
        domain = packaged(path.removeprefix(ASSET))
        return domain if labelled else domain.without_labels()
    bad_rows = BadRows(on_bad_row)
    rows = gather(path, bad_rows)
    if not labelled and named["label"] not in rows.table.column_names:
        named = {**named, "label": None}
    columns, guessed = resolve(rows.table, named, rows.where)
    role, column = columns.content
    rows.require(column, role)
    table = rows.table
    if not labelled and columns.label is not None:
        table, columns = table.drop_columns([columns.label]), columns.without_label()
        guessed = [*guessed, f"{rows.where}: the labels were dropped, since these are the unlabelled examples"]
    canonical = canonical_table(table, columns, rows.default_ids, rows.place, bad_rows, rows.folder)
    check_nonempty(canonical, rows.where, bad_rows.count)
    notes = [*rows.notes, *guessed, *_label_notes(canonical, rows.where, columns.label), *bad_rows.notes()]
    return Domain(name or rows.stem, canonical, tuple(notes), bad_rows.count)


def _label_notes(table: pa.Table, where: str, column: str | None) -> list[str]:
    """Announce rows without a label: a source may have them, a reader should know."""
    if column is None:
        return []
    missing = table.column("label").null_count if "label" in table.column_names else table.num_rows
    return [f"{where}: {missing} of {table.num_rows} examples have no label"] if missing else []

"""Near duplicates inside a pool larger than memory: sign every text, let band keys meet, join what is alike into clusters.

Signing maps over shards; of a text it keeps 388 bytes on disk (128 of signature, 8 of place and length, 12 for each of 21 band
keys), the keys in sorted runs. Keys meet by ranges of their values, each range in a worker of its own, so that memory depends on
neither pool nor shards. Of a bucket every text is compared with the first one and with the four before it: with all of them in a
bucket of up to six, and never more than five times as many comparisons as texts, though a page may have a million copies. Clusters
are joined over a memory-mapped array of one number a text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows
from acclimate.data.blocks import Reading, blocks
from acclimate.data.near_duplicates import BANDS, ROWS, THRESHOLD
from acclimate.data.pieces import Wanted
from acclimate.data.shards import Pool, Shard, rows_estimated
from acclimate.engine.base import Engine
from acclimate.engine.progress import meter
from acclimate.engine.storage import atomic_path, content_hash, new_array, read_json, write_array, write_json, write_parquet
from acclimate.errors import InputError
from acclimate.features.minhash import MinHash, similarity
from acclimate.features.word_kernels import encode
from acclimate.select.stream.best import repeats_of_better

Integers = NDArray[np.int64]

#: The rule of a pick of distinct rows in memory (:mod:`acclimate.data.near_duplicates`), by signatures that find as much as there.
HYGIENE = MinHash(permutations=BANDS * ROWS, threshold=THRESHOLD, of="longer")
#: Texts whose keys are sorted together while a shard is read, and keys that meet together.
RUN, MEETING = 1 << 15, 1 << 21
#: How many texts before it in a bucket a text is compared with, beside the first one.
BEFORE = 4
#: Pairs compared at a time.
_PAIRS = 1 << 16


@dataclasses.dataclass(frozen=True, eq=False)
class NearJob:
    """What all workers know: the pool, where unfinished work is kept, how signatures are made, and whether rows have values."""

    pool: Pool
    work: Path
    minhash: MinHash
    valued: bool = False

    def place(self, what: str, number: int, suffix: str) -> Path:
        """Where a stage keeps what it made of a shard."""
        return self.work / what / f"{number:06d}{suffix}"

    def mapped(self, what: str, number: int, kind: Any, width: int = 1) -> NDArray[Any]:
        """An array that a shard's signing kept, ``(n,)`` or ``(n, width)``, mapped."""
        file = self.place("signed", number, f".{what}")
        flat = np.memmap(file, kind, "r") if file.stat().st_size else np.zeros(0, kind)
        return flat if width == 1 else flat.reshape(-1, width)

    def signatures(self, number: int) -> NDArray[np.uint8]:
        """The signatures of a shard, ``(n, K)``, mapped."""
        return self.mapped("signatures", number, np.uint8, self.minhash.permutations)

    def positions(self, number: int) -> NDArray[np.uint32]:
        """Places of a shard's usable rows among its records, ``(n,)``, mapped."""
        return self.mapped("positions", number, np.uint32)


@dataclasses.dataclass(frozen=True)
class SignedShard:
    """What is known of a shard once it was signed.

    Attributes:
        number: of the shard.
        records: its records, bad ones counted.
        usable: those that were signed.
        runs: how many keys were sorted together, run after run.
        bad: reasons of the first bad rows, and how many there are.
        digest: of its content.
    """

    number: int
    records: int
    usable: int
    runs: tuple[int, ...]
    bad: tuple[tuple[str, ...], int]
    digest: str


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The near duplicates of a pool.

    Attributes:
        job: where everything is kept.
        shards: what is known of each, in order.
        bases: ``(shards + 1,)`` how many usable rows come before each.
        duplicates, clusters, largest: rows that repeat an earlier one, groups of rows that do, and the rows of the largest group.
    """

    job: NearJob
    shards: tuple[SignedShard, ...]
    bases: Integers
    duplicates: int
    clusters: int
    largest: int

    def roots(self, number: int) -> Integers:
        """For each usable row of a shard the first row of its cluster, both counted over the pool's usable rows, ``(n,)``."""
        return np.asarray(_mapped_roots(self.job)[self.bases[number] : self.bases[number + 1]])

    def repeated(self, number: int) -> NDArray[np.bool_]:
        """Which usable rows of a shard repeat an earlier row of the pool, ``(n,)``."""
        repeated: NDArray[np.bool_] = self.roots(number) != np.arange(self.bases[number], self.bases[number + 1])
        return repeated

    def positions(self, number: int) -> Integers:
        """The records of a shard to leave out, by their places among all of its records, ascending."""
        return np.asarray(self.job.positions(number)[self.repeated(number)], np.int64)


def duplicates(
    pool: Pool,
    engine: Engine,
    work: Path,
    minhash: MinHash | None = None,
    values: Callable[[int], NDArray[np.float64]] | None = None,
) -> Found:
    """Find the near duplicates of a pool: every row but the first of each cluster, in order of the pool.

    Rows are near duplicates where the Jaccard similarity of their word n-grams reaches the threshold: by signatures where these
    tell, exactly within three standard errors of the threshold, for which texts are read once more. Clusters are
    connected through such pairs (single link), so a row need not be like the one that is kept instead. Texts of fewer than five
    n-grams repeat only what is equal but for case, width, spacing and punctuation. What is found depends on neither the engine, the
    number of workers nor the size of shards.

    Args:
        pool: texts or conversations.
        engine: where the work is done; used in a ``with`` statement by the caller.
        work: a folder for what is kept between starts; all workers have to see it. A second start does what is missing.
        minhash: how rows are compared.
        values: of all records of a shard by its number, ``(records,)``, NaN for rows that do not take part. With values there are
            no clusters: as by a pick of distinct rows, rows are gone through from the highest value to the lowest, of equal ones in
            order of the pool, and what is nearly alike to a row that stays is left out (:mod:`acclimate.select.stream.best`). They
            belong to ``work``: other values, another folder.

    Raises:
        InputError: pictures, a bad row under the policy ``"fail"``, a truncated file, or nothing usable.
        RunError: the disk is full, or workers keep dying.
    """
    if pool.modality == "image":
        raise InputError(
            f"The pool '{pool.name}' holds pictures", expected="texts or conversations", fix="name the text column with --text"
        )
    minhash = minhash or MinHash()
    job = NearJob(pool, work / f"near-{near_key(pool, minhash)}", minhash, values is not None)
    shards = _sign_all(job, engine)
    bases = np.concatenate([[0], np.cumsum([one.usable for one in shards])]).astype(np.int64)
    if not bases[-1]:
        raise InputError(f"The pool '{pool.name}' has no usable example", expected="at least one", fix="check its rows")
    counts = job.work / "clusters.json"
    if not counts.exists():
        if values is not None:
            _keep_values(job, bases, values)
        met = _meet_all(job, engine, shards, bases)
        _join_all(job, _decide_all(job, engine, met, bases), int(bases[-1]))
    return Found(job, tuple(shards), bases, **read_json(counts))


def near_bytes(pool: Pool, minhash: MinHash) -> float:
    """What is kept between starts to find the near duplicates of a pool, about, at most: see the head of this file."""
    each = minhash.permutations + 8 + 12 * minhash.bands[0]
    return 1.2 * each * max(1.0, rows_estimated(pool))


def near_key(pool: Pool, minhash: MinHash) -> str:
    """What the near duplicates of a pool depend on, and the size of its shards, by which work is kept."""
    shards = [dataclasses.astuple(shard) for shard in pool.shards]
    return content_hash(pool.stamps, shards, dataclasses.astuple(pool.columns), pool.on_bad_row, dataclasses.astuple(minhash))


# Signing


def _sign_all(job: NearJob, engine: Engine) -> list[SignedShard]:
    known = {shard.number: _known(job, shard.number) for shard in job.pool.shards}
    missing = [shard for shard in job.pool.shards if known[shard.number] is None]
    with meter("signing", sum(shard.stop - shard.start for shard in job.pool.shards)) as advance:
        for place, one in engine.run(sign, job, missing):
            known[one.number] = one
            advance(missing[place].stop - missing[place].start, one.records)
    return [one for one in known.values() if one is not None]


def _known(job: NearJob, number: int) -> SignedShard | None:
    file = job.place("signed", number, ".json")
    if not file.exists():
        return None
    row = read_json(file)
    return SignedShard(**{**row, "runs": tuple(row["runs"]), "bad": (tuple(row["bad"][0]), row["bad"][1])})


def sign(job: NearJob, shard: Shard) -> SignedShard:
    """Sign the texts of a shard into files; the one that ends in ``.json`` is written last and says that all are there."""
    reading = Reading(BadRows(job.pool.on_bad_row))
    with contextlib.ExitStack() as stack:

        def file(what: str) -> IO[bytes]:
            temporary = stack.enter_context(atomic_path(job.place("signed", shard.number, f".{what}")))
            return stack.enter_context(temporary.open("wb"))

        files = _Files(file("signatures"), file("positions"), file("lengths"), file("keys"), file("rows"))
        named = job.pool.columns.id is not None
        ids = pa.ipc.new_file(file("ids"), pa.schema([("id", pa.string())])) if named else None
        records = 0
        for block in blocks(shard, Wanted.of(job.pool), reading):
            records = block.records
            texts = encode(block.domain.table.column("text"))
            signed = job.minhash.sign(texts)
            files.add(signed.bytes, block.positions, texts.stops - texts.starts, signed.keys)
            if ids is not None:
                ids.write_table(pa.table({"id": block.domain.table.column("id").combine_chunks().cast(pa.string())}))
        files.end_run()
        if ids is not None:
            ids.close()
    bad = tuple(reading.bad_rows.reasons[:5]), reading.bad_rows.count
    done = SignedShard(shard.number, records, files.count, tuple(files.runs), bad, reading.digest)
    write_json(job.place("signed", shard.number, ".json"), dataclasses.asdict(done))
    return done


@dataclasses.dataclass
class _Files:
    """Where a shard's arrays are written as they come; keys in sorted runs, so that no more than a run is held."""

    signatures: IO[bytes]
    positions: IO[bytes]
    lengths: IO[bytes]
    keys: IO[bytes]
    rows: IO[bytes]
    count: int = 0
    runs: list[int] = dataclasses.field(default_factory=list)
    _held: list[NDArray[np.uint64]] = dataclasses.field(default_factory=list)

    def add(self, signatures: NDArray[np.uint8], positions: Integers, lengths: Integers, keys: NDArray[np.uint64]) -> None:
        """Some rows."""
        self.signatures.write(signatures.tobytes())
        self.positions.write(positions.astype(np.uint32).tobytes())
        self.lengths.write(np.minimum(lengths, 0xFFFFFFFF).astype(np.uint32).tobytes())
        self._held.append(keys)
        self.count += len(keys)
        if sum(map(len, self._held)) >= RUN:
            self.end_run()

    def end_run(self) -> None:
        """Sort and write the keys that are held."""
        if not self._held:
            return
        keys = np.concatenate(self._held)
        self._held = []
        rows = np.repeat(np.arange(self.count - len(keys), self.count, dtype=np.uint32), keys.shape[1])
        order = np.argsort(keys.ravel(), kind="stable")
        self.keys.write(keys.ravel()[order].tobytes())
        self.rows.write(rows[order].tobytes())
        self.runs.append(keys.size)


def _keep_values(job: NearJob, bases: Integers, values: Callable[[int], NDArray[np.float64]]) -> None:
    """The value of every usable row into one file."""
    with atomic_path(job.work / "values") as temporary:
        kept = new_array(temporary, np.float64, int(bases[-1]))
        for shard in job.pool.shards:
            kept[bases[shard.number] : bases[shard.number + 1]] = values(shard.number)[job.positions(shard.number)]
        kept.flush()


def _values(job: NearJob) -> NDArray[np.float64]:
    return np.memmap(job.work / "values", np.float64, "r")


# Meeting


@dataclasses.dataclass(frozen=True, eq=False)
class ToMeet:
    """A range of keys: the ``number``-th of ``count`` equal ones; and how many usable rows come before each shard."""

    number: int
    count: int
    runs: tuple[tuple[int, ...], ...]
    bases: Integers

    def file(self, job: NearJob) -> Path:
        """Where the pairs that were found are kept."""
        return job.place(f"pairs-{self.count}", self.number, ".npy")


def _meet_all(job: NearJob, engine: Engine, shards: Sequence[SignedShard], bases: Integers) -> list[Path]:
    count = max(1, math.ceil(int(bases[-1]) * job.minhash.bands[0] / MEETING))
    items = [ToMeet(number, count, tuple(one.runs for one in shards), bases) for number in range(count)]
    missing = [item for item in items if not item.file(job).exists()]
    with meter("comparing", count, "pairs") as advance:
        for _, pairs in engine.run(meet, job, missing):
            advance(1, pairs)
    return [item.file(job) for item in items]


def meet(job: NearJob, item: ToMeet) -> int:
    """Pairs of rows that share a key of a range and may be alike, with how many bytes agree, ``(m, 3)`` to a file; gives ``m``."""
    keys, rows = _of_range(job, item)
    # The first of a bucket, with which all others are compared, is its best row; without values the first in order of the pool.
    order = np.lexsort((rows, -_values(job)[rows], keys)) if job.valued else np.argsort(keys, kind="stable")
    pairs = _unique(_pairs(keys[order], rows[order]))
    del keys, rows, order
    least, _ = job.minhash.undecided
    kept = [np.zeros((0, 3), np.int64)]
    for some in _portions(pairs):
        left, right = (_signatures_of(job, item.bases, some[:, side]) for side in (0, 1))
        agreeing = (left == right).sum(axis=1)
        kept.append(np.column_stack([some, agreeing])[agreeing >= least])
    found = np.concatenate(kept)
    write_array(item.file(job), found)
    return len(found)


def _portions(pairs: Integers) -> Iterator[Integers]:
    return (pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS))


def _of_range(job: NearJob, item: ToMeet) -> tuple[NDArray[np.uint64], Integers]:
    """The keys of a range, and the row of the pool that each belongs to; in order of the pool where keys are equal."""
    edges = [2**64 * number // item.count for number in (item.number, item.number + 1)]
    keys, rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for number, runs in enumerate(item.runs):
        held, owners = job.mapped("keys", number, np.uint64), job.mapped("rows", number, np.uint32)
        begin = 0
        for size in runs:
            run = held[begin : begin + size]
            low = int(np.searchsorted(run, np.uint64(edges[0]), "left"))
            high = size if edges[1] == 2**64 else int(np.searchsorted(run, np.uint64(edges[1]), "left"))
            here = owners[begin + low : begin + high].astype(np.int64) + item.bases[number]
            takes_part = ~np.isnan(_values(job)[here]) if job.valued else slice(None)
            keys.append(np.array(run[low:high])[takes_part])
            rows.append(here[takes_part])
            begin += size
    return np.concatenate(keys), np.concatenate(rows)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _pairs(keys: NDArray[np.uint64], rows: Integers) -> Any:  # pragma: no cover - compiled
    """Of equal keys, each row with the first and with some before it, ``(m, 2)``; the earlier one stands first."""
    found = np.empty(((BEFORE + 1) * len(keys), 2), np.int64)
    first = count = 0
    for place in range(1, len(keys)):
        if keys[place] != keys[first]:
            first = place
            continue
        nearest = max(first, place - BEFORE)
        for other in range(nearest - (nearest > first), place):
            partner = first if other < nearest else other
            found[count, 0], found[count, 1] = rows[partner], rows[place]
            count += 1
    return found[:count]


def _unique(pairs: Integers) -> Integers:
    """Distinct pairs, in order."""
    if not len(pairs):
        return pairs
    ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    distinct: Integers = ordered[np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])]
    return distinct


def _signatures_of(job: NearJob, bases: Integers, rows: Integers) -> NDArray[np.uint8]:
    """Signatures of rows of the pool, ``(n, K)``, from the files of their shards."""
    found = np.empty((len(rows), job.minhash.permutations), np.uint8)
    for number, here in _by_shard(bases, rows):
        found[here] = job.signatures(number)[rows[here] - bases[number]]
    return found


def _by_shard(bases: Integers, rows: Integers) -> Iterator[tuple[int, Integers]]:
    """The shards that rows of the pool lie in, and which of the rows lie in each."""
    owners = np.searchsorted(bases, rows, "right") - 1
    order = np.argsort(owners, kind="stable")
    bounds = np.flatnonzero(np.diff(owners[order])) + 1
    for here in np.split(order, bounds) if len(order) else ():
        yield int(owners[here[0]]), here


# Deciding


@dataclasses.dataclass(frozen=True, eq=False)
class ToRead:
    """A shard, and which of its usable rows are in pairs that signatures do not decide."""

    shard: Shard
    rows: Integers


@dataclasses.dataclass(frozen=True, eq=False)
class ToDecide:
    """A file of pairs that met, and how many usable rows come before each shard."""

    met: Path
    bases: Integers

    @property
    def file(self) -> Path:
        """Where the pairs that are alike are kept."""
        return self.met.with_suffix(".alike.npy")


def _decide_all(job: NearJob, engine: Engine, met: Sequence[Path], bases: Integers) -> list[Path]:
    """Pairs near the threshold are compared by their elements, for which their texts are read again; of others signatures tell."""
    items = [ToDecide(file, bases) for file in met]
    missing = [item for item in items if not item.file.exists()]
    if missing:
        reads = [item for item in _to_read(job, met, bases) if not job.place("elements", item.shard.number, ".npz").exists()]
        with meter("reading again", len(reads)) as advance:
            for _, count in engine.run(read_again, job, reads):
                advance(1, count)
        with meter("deciding", len(missing), "pairs") as advance:
            for _, count in engine.run(decide, job, missing):
                advance(1, count)
    return [item.file for item in items]


def _to_read(job: NearJob, met: Sequence[Path], bases: Integers) -> Iterator[ToRead]:
    low, high = job.minhash.undecided
    marks = job.work / "marks"
    wanted = new_array(marks, np.bool_, int(bases[-1]))
    for file in met:
        pairs = np.load(file, mmap_mode="r", allow_pickle=False)
        for some in _portions(pairs):
            wanted[some[(some[:, 2] >= low) & (some[:, 2] < high), :2].ravel()] = True
    for shard in job.pool.shards:
        rows = np.flatnonzero(wanted[bases[shard.number] : bases[shard.number + 1]])
        if len(rows):
            yield ToRead(shard, rows.astype(np.int64))
    marks.unlink()


def read_again(job: NearJob, item: ToRead) -> int:
    """Write the elements of some rows of a shard into a file; gives how many rows."""
    begin, starts, values = 0, [np.zeros(1, np.int64)], [np.zeros(0, np.uint32)]
    for block in blocks(item.shard, Wanted.of(job.pool), Reading(BadRows(job.pool.on_bad_row))):
        first, last = np.searchsorted(item.rows, [begin, begin + len(block.domain)])
        if last > first:
            texts = block.domain.table.column("text").take(pa.array(item.rows[first:last] - begin))
            bounds, found = job.minhash.elements(encode(texts))
            starts.append(bounds[1:] + starts[-1][-1])
            values.append(found)
        begin += len(block.domain)
    with atomic_path(job.place("elements", item.shard.number, ".npz")) as temporary, temporary.open("wb") as file:
        np.savez(file, rows=item.rows, starts=np.concatenate(starts), values=np.concatenate(values))
    return len(item.rows)


def decide(job: NearJob, item: ToDecide) -> int:
    """Pairs that are alike, ``(m, 2)`` into a file; gives how many."""
    _, high = job.minhash.undecided
    kept = [np.zeros((0, 2), np.int64)]
    for some in _portions(np.load(item.met, mmap_mode="r", allow_pickle=False)):
        alike = some[:, 2] >= high
        open_ = np.flatnonzero(~alike)
        rows, inverse = np.unique(some[open_, :2], return_inverse=True)
        starts, values = _elements_of(job, item.bases, rows)
        alike[open_] = job.minhash.alike(starts, values, inverse.reshape(-1, 2))
        kept.append(np.asarray(some[alike, :2]))
    found = np.concatenate(kept)
    write_array(item.file, found)
    return len(found)


def _elements_of(job: NearJob, bases: Integers, rows: Integers) -> tuple[Integers, NDArray[np.uint32]]:
    """Where the elements of rows of the pool, which ascend, begin, ``(n + 1,)``, and the elements."""
    sizes, values = [np.zeros(1, np.int64)], [np.zeros(0, np.uint32)]
    for number, here in _by_shard(bases, rows):
        with np.load(job.place("elements", number, ".npz"), allow_pickle=False) as kept:
            places = np.searchsorted(kept["rows"], rows[here] - bases[number])
            starts, flat = kept["starts"], kept["values"]
        values.extend(flat[starts[place] : starts[place + 1]] for place in places.tolist())
        sizes.append(starts[places + 1] - starts[places])
    return np.cumsum(np.concatenate(sizes)), np.concatenate(values)


# Clusters


def _mapped_roots(job: NearJob) -> NDArray[np.int64]:
    return np.memmap(job.work / "roots", np.int64, "r")


def _join_all(job: NearJob, files: Sequence[Path], count: int) -> None:
    """Join the pairs of all ranges; the first row of each cluster into ``roots``, the counts into ``clusters.json``."""
    sizes = job.work / "sizes"
    with atomic_path(job.work / "roots") as temporary:
        roots = new_array(temporary, np.int64, count)
        if job.valued:
            repeats_of_better(roots, files, _values(job), job.work)
        else:
            _each_its_own(roots)
            for name in files:
                _join(roots, np.load(name, allow_pickle=False))
        members = new_array(sizes, np.uint32, count)
        repeated, clusters, largest = _settle(roots, members)
        roots.flush()
        del roots, members
    sizes.unlink()
    write_json(job.work / "clusters.json", {"duplicates": repeated, "clusters": clusters, "largest": largest})


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _each_its_own(roots: Integers) -> None:  # pragma: no cover - compiled
    for row in range(len(roots)):
        roots[row] = row


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _join(roots: Integers, pairs: Integers) -> None:  # pragma: no cover - compiled
    """Union-find with path halving (Tarjan & van Leeuwen 1984). The smaller root wins, so the end does not depend on the order."""
    for pair in range(len(pairs)):
        left, right = pairs[pair, 0], pairs[pair, 1]
        while roots[left] != left:
            roots[left] = roots[roots[left]]
            left = roots[left]
        while roots[right] != right:
            roots[right] = roots[roots[right]]
            right = roots[right]
        roots[max(left, right)] = min(left, right)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _settle(roots: Integers, members: Any) -> Any:  # pragma: no cover - compiled
    """Let every row name the first one of its cluster; gives rows that are not first, clusters of several, and the largest."""
    repeated = clusters = largest = 0
    for row in range(len(roots)):
        root = roots[roots[row]]  # what is named is earlier, or stays: it names its root already
        roots[row] = root
        members[root] += 1
        repeated += root != row
        clusters += members[root] == 2
        if members[root] > largest:
            largest = members[root]
    return repeated, clusters, largest


# Listing


@dataclasses.dataclass(frozen=True, eq=False)
class ToList:
    """A shard whose duplicates are listed; everything that was found; and the row of its file that each shard begins with."""

    number: int
    found: Found
    first_rows: Mapping[int, int]


def list_duplicates(job: NearJob, item: ToList) -> tuple[int, int]:
    """What of a shard repeats which row that is kept, and how alike they are, into a file; gives the shard's number and a count.

    The similarity is that to the row which is kept, as the signatures estimate it: it may be below the threshold, and is where a
    chain of pairs leads there.
    """
    found, number = item.found, item.number
    rows = np.flatnonzero(found.repeated(number)).astype(np.int64)
    roots = found.roots(number)[rows]
    mine, kept = (_signatures_of(job, found.bases, one) for one in (rows + found.bases[number], roots))
    columns = {
        "id": pa.array(_ids(job, item, rows + found.bases[number]), pa.string()),
        "kept": pa.array(_ids(job, item, roots), pa.string()),
        "similarity": pa.array(similarity(mine, kept), pa.float64()),
    }
    write_parquet(job.place("listed", number, ".parquet"), pa.table(columns))
    return number, len(rows)


def _ids(job: NearJob, item: ToList, rows: Integers) -> list[str]:
    """The ids of rows of the pool."""
    names = np.empty(len(rows), object)
    for number, here in _by_shard(item.found.bases, rows):
        local = rows[here] - item.found.bases[number]
        names[here] = _ids_in(job, number, item.first_rows[number])(local)
    return names.tolist()


def _ids_in(job: NearJob, number: int, first_row: int) -> Callable[[Integers], list[str]]:
    """How rows of a shard become ids."""
    if job.pool.columns.id is None:
        prefix, positions = job.pool.shards[number].prefix, job.positions(number)
        return lambda local: [f"{prefix}:{first_row + position}" for position in positions[local].tolist()]

    def named(local: Integers) -> list[str]:
        with pa.memory_map(str(job.place("signed", number, ".ids"))) as mapped:
            ids = pa.ipc.open_file(mapped).read_all().column("id")
            return ids.take(pa.array(local)).to_pylist()  # type: ignore[no-any-return]  # strings

    return named

"""One cache of vectors, addressed by content: what was computed once for a text or a picture is never computed again.

A *space* is everything but the content that a vector depends on (model fingerprint, settings). In it the content's hash leads to
its vector. Vectors lie in shards, safetensors files named by a hash of their content, which are only ever added: writers need no
lock, and a shard that is cut short or altered no longer matches its name, is ignored, counted, and its vectors are computed anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from acclimate.engine.storage import atomic_path, content_hash
from acclimate.errors import RunError

#: Bytes of a text's hash: 16 make a collision among a billion texts less likely than 1 in 10²⁰.
KEY_BYTES = 16
#: Vectors in a shard, and the most that a killed process can lose.
SHARD_ROWS = 2_048

#: What reading a shard that is cut short, altered or gone may raise.
_UNREADABLE = (OSError, ValueError, KeyError, SafetensorError)

Keys = NDArray[np.bytes_]
Vectors = NDArray[np.float32]
#: A text, or an encoded picture. A space holds vectors of one kind.
Content = TypeVar("Content", str, bytes)
#: Contents to (position, vector) pairs in any order, each position once.
Compute = Callable[[Sequence[Content]], Iterable[tuple[int, Vectors]]]


def content_keys(contents: Sequence[str] | Sequence[bytes]) -> Keys:
    """The hash of each text or picture, ``(n,)`` of 16 bytes."""
    raw = (content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content for content in contents)
    digests = (hashlib.blake2b(one, digest_size=KEY_BYTES).digest() for one in raw)
    return np.frombuffer(b"".join(digests), dtype=f"S{KEY_BYTES}")


@dataclasses.dataclass(frozen=True)
class _Shard:
    """Sorted keys ``(m,)`` and their vectors ``(m, d)``; None where the vectors lie in the file ``path``."""

    keys: Keys
    path: Path | None
    vectors: Vectors | None


@dataclasses.dataclass(frozen=True)
class _Index:
    """Every key, sorted ``(k,)``, with the shard that holds it and its row there."""

    keys: Keys
    shards: NDArray[np.int64]
    rows: NDArray[np.int64]


class VectorCache:
    """The vectors of one space.

    Args:
        folder: where all spaces are kept; None keeps this one in memory alone.
        space: a name for everything but the content that a vector depends on.

    Attributes:
        computed: vectors that had to be computed so far.
        damaged: shards that were ignored because their content does not match their name.

    >>> cache = VectorCache(None, "lengths")
    >>> lengths = lambda texts: ((row, np.array([len(text)])) for row, text in enumerate(texts))
    >>> cache.vectors(["one", "three", "one"], lengths).tolist(), cache.computed
    ([[3.0], [5.0], [3.0]], 2)
    """

    def __init__(self, folder: Path | None, space: str) -> None:
        self.computed = 0
        self.damaged = 0
        self._folder = None if folder is None else folder / space
        self._shards: dict[str, _Shard] = {}
        self._ignored: set[str] = set()
        self._verified: set[str] = set()
        self._index: _Index | None = None

    @property
    def dim(self) -> int | None:
        """Length of the vectors, None while there are none."""
        self._find_shards()
        found = (self._read(name) for name in list(self._shards))
        return next((int(vectors.shape[1]) for vectors in found if vectors is not None), None)

    def vectors(self, contents: Sequence[Content], compute: Compute[Content]) -> Vectors:
        """The vectors of ``n ≥ 1`` texts or pictures, ``(n, d)``; ``compute`` is asked for the distinct ones not here yet.

        Shards are written while ``compute`` runs, so a killed process loses at most ``SHARD_ROWS`` vectors.

        Raises:
            RunError: the folder cannot be written, or is being emptied by somebody else.
        """
        keys, first, inverse = np.unique(content_keys(contents), return_index=True, return_inverse=True)
        self._find_shards()
        table, absent = self._gather(keys)
        if len(absent):
            order = absent[np.argsort(first[absent])]  # as the caller gave them, so that nothing depends on the hashes
            found = iter(compute([contents[position] for position in first[order]]))
            while chunk := list(itertools.islice(found, SHARD_ROWS)):
                self._store(keys[order[[position for position, _ in chunk]]], np.stack([vector for _, vector in chunk]))
            table, absent = self._gather(keys)
        if table is None or len(absent):
            raise RunError(
                f"Vectors that were just written to '{self._folder}' are gone", fix="do not empty the cache during a run"
            )
        return np.asarray(table[inverse], dtype=np.float32)

    def missing(self, contents: Sequence[Content]) -> list[Content]:
        """The distinct texts or pictures that have no vector yet, in order."""
        distinct = list(dict.fromkeys(contents))
        self._find_shards()
        index = self._indexed()
        known = np.isin(content_keys(distinct), index.keys)
        return [content for content, here in zip(distinct, known, strict=True) if not here]

    @property
    def is_shared(self) -> bool:
        """Whether other processes can see what is added."""
        return self._folder is not None

    def _gather(self, keys: Keys) -> tuple[Vectors | None, NDArray[np.int64]]:
        """Known vectors of ``keys``, ``(n, d)`` (None where none is known), and the positions of the unknown ones."""
        index = self._indexed()
        at = np.minimum(np.searchsorted(index.keys, keys), max(len(index.keys) - 1, 0))
        known = index.keys[at] == keys if len(index.keys) else np.zeros(len(keys), dtype=bool)
        table: Vectors | None = None
        names = list(self._shards)
        for number in np.unique(index.shards[at[known]]) if known.any() else ():
            vectors = self._read(names[number])
            if vectors is None:
                return self._gather(keys)  # that shard has been dropped; another may hold the same texts
            here = np.flatnonzero(known)[index.shards[at[known]] == number]
            table = np.empty((len(keys), vectors.shape[1]), dtype=np.float32) if table is None else table
            table[here] = vectors[index.rows[at[here]]]
        return table, np.flatnonzero(~known)

    def _indexed(self) -> _Index:
        if self._index is None:
            shards = [shard.keys for shard in self._shards.values()]
            keys = np.concatenate([*shards, content_keys([])])
            owner = np.repeat(np.arange(len(shards)), [len(part) for part in shards]).astype(np.int64)
            row = np.concatenate([*(np.arange(len(part)) for part in shards), np.arange(0)]).astype(np.int64)
            order = np.argsort(keys, kind="stable")
            self._index = _Index(keys[order], owner[order], row[order])
        return self._index

    def _store(self, keys: Keys, vectors: Vectors) -> None:
        order = np.argsort(keys)
        keys, vectors = keys[order], np.ascontiguousarray(vectors[order], dtype=np.float32)
        data = save({"keys": keys.view(np.uint8).reshape(-1, KEY_BYTES), "vectors": vectors})
        name = content_hash(data)
        if self._folder is None:
            self._shards[name] = _Shard(keys, None, vectors)
        else:
            path = self._folder / f"{name}.safetensors"
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
            self._shards[name] = _Shard(keys, path, None)
        self._ignored.discard(name)
        self._index = None
        self.computed += len(keys)

    def _find_shards(self) -> None:
        """Learn of the shards that this or another process has added."""
        for path in sorted(self._folder.glob("*.safetensors")) if self._folder is not None else ():
            if path.stem in self._shards or path.stem in self._ignored:
                continue
            try:
                with safe_open(path, framework="numpy") as file:
                    keys = np.ascontiguousarray(file.get_tensor("keys")).view(f"S{KEY_BYTES}").ravel()
            except _UNREADABLE:
                self._ignore(path.stem)
            else:
                self._shards[path.stem] = _Shard(keys, path, None)
                self._index = None

    def _read(self, name: str) -> Vectors | None:
        """The vectors of a shard, or None after dropping it because it is damaged or gone."""
        shard = self._shards[name]
        if shard.path is None:
            return shard.vectors
        try:
            data = shard.path.read_bytes()
            if name not in self._verified and content_hash(data) != name:
                raise ValueError(name)
            vectors: Vectors = load(data)["vectors"]
        except _UNREADABLE:
            self._ignore(name)
            return None
        self._verified.add(name)
        return vectors

    def _ignore(self, name: str) -> None:
        self.damaged += 1
        self._ignored.add(name)
        if self._shards.pop(name, None) is not None:
            self._index = None

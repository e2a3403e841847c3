"""MinHash signatures of texts, compiled, straight from Arrow bytes; and the bands by which similar signatures meet.

A text is the multiset of its word n-grams: the second occurrence of an n-gram is an element of its own (Ioffe 2010, section 1), so
that long texts are not alike merely because both use every frequent word. ``K`` hash functions ``aₖ·x + bₖ`` modulo 2³² order the
32-bit elements (multiply-shift, Dietzfelbinger et al. 1997), and the least value under each is kept (Broder 1997): two texts of
Jaccard similarity ``J`` agree on each value with probability ``J``. Of every value one byte is kept (b-bit minwise hashing, Li &
König 2010, with b = 8), which an accidental agreement of 1 in 256 lets us correct exactly.

One-permutation hashing (Li et al. 2012; Shrivastava 2017) would need one hash an element instead of ``K``. It is not used: a text
of 1 kB has about as many elements as bins, where its filled-up bins raise the variance, and the ``K`` hashes in a vector loop cost
less than reading the text as JSON.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.wide import mix
from acclimate.data.words import normalised
from acclimate.engine.splitmix import GAMMA
from acclimate.engine.storage import content_hash
from acclimate.features.word_kernels import Encoded, word_hashes

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Values = NDArray[np.uint32]

#: Texts of fewer elements than this are alike only if they are equal: short texts meet by chance. The rule of hygiene
#: (:data:`acclimate.data.near_duplicates.SHARED_WORDS`); characters of scripts split by character count half.
ELEMENTS = 5
#: How often a pair whose similarity is exactly the threshold may be missed by banding.
MISSED = 0.01


@dataclasses.dataclass(frozen=True)
class MinHash:
    """How signatures are made.

    Attributes:
        words: length of the n-grams. 1, the default, is the house's rule for near duplicates and sees through edits spread over
            a text; 5 is usual for web pages (Lee et al. 2022, section 4.2), where one edit in twenty words leaves 63% alike.
        permutations: hash functions ``K``. At a similarity of .8 the estimate has a standard error of √(.8·.2/K): .035 with 128,
            the default of datasketch.
        threshold: from which similarity on two texts are near duplicates; .8 as in Lee et al. 2022.
        of: what the shared n-grams are a share of: of all, in either text (``"union"``, the Jaccard similarity); or of those of
            the longer text (``"longer"``), of which at least :data:`ELEMENTS` have to be shared: the rule of hygiene.
        seed: another seed, other functions.

    >>> from acclimate.features.word_kernels import encode
    >>> signed = MinHash().sign(encode(["a b c d e f g h i j", "j i h g f e d c b a", "k l m n o p q r s t"]))
    >>> bool((signed.bytes[0] == signed.bytes[1]).all()), bool((signed.keys[0] == signed.keys[2]).any())
    (True, False)
    """

    words: int = 1
    permutations: int = 128
    threshold: float = 0.8
    of: Literal["union", "longer"] = "union"
    seed: int = 0

    @property
    def jaccard(self) -> float:
        """The least Jaccard similarity of near duplicates: texts that share ``t`` of the longer one's ``n`` elements have at most
        ``(2 - t)·n`` together.
        """
        return self.threshold if self.of == "union" else self.threshold / (2 - self.threshold)

    @property
    def bands(self) -> tuple[int, int]:
        """(bands, values in each)."""
        return bands(self.permutations, self.jaccard)

    @property
    def undecided(self) -> tuple[int, int]:
        """Between which numbers of agreeing bytes, the upper one excluded, only the elements tell. A Jaccard similarity of the
        threshold is enough either way.
        """
        return undecided(self.permutations, self.jaccard)[0], undecided(self.permutations, self.threshold)[1]

    def sign(self, texts: Encoded) -> Signed:
        """Signatures and band keys of ``n`` texts."""
        starts, hashes, characters = word_hashes(texts)
        counts = np.diff(starts)
        short = 2 * (counts - self.words + 1) - np.minimum(characters, counts) < 2 * ELEMENTS
        whole = np.zeros(len(texts), np.uint64)
        for row in np.flatnonzero(short):
            text = texts.data[texts.starts[row] : texts.stops[row]].tobytes().decode("utf-8", "surrogatepass")  # folded already
            whole[row] = int(content_hash(normalised(text).encode("utf-8", "surrogatepass"))[:16], 16)
        values = _signatures(starts, hashes, short, whole, self.words, *self._functions())
        number, size = self.bands
        return Signed(values.astype(np.uint8), _band_keys(values, number, size), values)

    def elements(self, texts: Encoded) -> tuple[Integers, Values]:
        """The elements themselves: where those of each text begin, ``(n + 1,)``, and ascending within a text; none of one that has
        fewer words than an n-gram.
        """
        starts, hashes, _ = word_hashes(texts)
        return _sorted_elements(starts, hashes, self.words)  # type: ignore[no-any-return]  # compiled

    def alike(self, starts: Integers, values: Values, pairs: Integers) -> NDArray[np.bool_]:
        """Which of ``m`` pairs are near duplicates by their elements, ``(m,)``.

        Args:
            starts, values: as :meth:`elements` gives them.
            pairs: ``(m, 2)`` of which texts.
        """
        shared, sizes = _shared(starts, values, pairs), np.diff(starts)[pairs]
        if self.of == "union":
            return np.asarray(shared >= self.threshold * np.maximum(1, sizes.sum(axis=1) - shared))
        return np.asarray((shared >= self.threshold * np.maximum(1, sizes.max(axis=1))) & (shared >= ELEMENTS))

    def _functions(self) -> tuple[Values, Values]:
        return functions(self.permutations, self.seed)


@dataclasses.dataclass(frozen=True, eq=False)
class Signed:
    """``n`` texts signed.

    Attributes:
        bytes: ``(n, K)`` the lowest byte of each least value.
        keys: ``(n, bands)``; equal where all values of a band are.
        values: ``(n, K)`` the least values themselves.
    """

    bytes: NDArray[np.uint8]
    keys: Hashes
    values: Values


@functools.cache
def functions(permutations: int, seed: int) -> tuple[Values, Values]:
    """Multipliers, which are odd, and summands of the hash functions, both ``(K,)``: the same on every machine."""
    numbers = [int(content_hash("minhash", seed, k)[:16], 16) for k in range(permutations)]
    multipliers = np.array([number & 0xFFFFFFFF | 1 for number in numbers], np.uint32)
    return multipliers, np.array([number >> 32 for number in numbers], np.uint32)


def bands(permutations: int, threshold: float, missed: float = MISSED) -> tuple[int, int]:
    """(bands, values in each): the longest bands of which a pair at the threshold still shares one, but for a chance of ``missed``.

    A pair of similarity ``s`` shares one of ``b`` bands of ``r`` values with probability ``1 - (1 - sʳ)ᵇ`` (Leskovec et al. 2014,
    section 3.4). Pairs below the threshold that meet in a band cost a comparison of two signatures, no more.

    >>> bands(128, 0.8)
    (21, 6)
    """
    fitting = [size for size in range(1, permutations + 1) if (1 - threshold**size) ** (permutations // size) <= missed]
    size = max(fitting, default=1)
    return permutations // size, size


def similarity(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of ``n`` pairs of signatures ``(n, K)``, ``(n,)`` (Li & König 2010, eq. 5, in the limit of small
    sets).
    """
    agreeing = (left == right).mean(axis=1)
    return np.asarray(np.maximum(0.0, (agreeing - 1 / 256) / (1 - 1 / 256)))


def least_agreeing(permutations: int, threshold: float) -> int:
    """How many bytes of two signatures agree at least where :func:`similarity` reaches the threshold."""
    return math.ceil(permutations * (threshold * (1 - 1 / 256) + 1 / 256) - 1e-9)


def undecided(permutations: int, threshold: float, errors: float = 3.0) -> tuple[int, int]:
    """Between which numbers of agreeing bytes, the upper one excluded, the estimate does not tell on which side of the threshold a
    pair is: within so many standard errors of it. Signatures that agree throughout are taken to be alike.
    """
    slack = errors * math.sqrt(threshold * (1 - threshold) / permutations)
    low = least_agreeing(permutations, max(0.0, threshold - slack))
    return low, min(permutations, least_agreeing(permutations, threshold + slack))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _elements(
    hashes: Hashes, words: int, table: Hashes, seen: Any, stamp: int, found: Values
) -> Any:  # pragma: no cover - compiled
    """The elements of a text of at least ``words`` words; gives their number.

    ``table`` and ``seen`` (stamp and count) are room for counting, of a power of two that exceeds twice the words.
    """
    mask = np.uint64(len(table) - 1)
    size = len(hashes) - words + 1
    for place in range(size):
        state = mix(np.uint64(words))
        for word in range(words):
            state = mix(state + hashes[place + word])
        slot = state & mask
        while seen[slot, 0] == stamp and table[slot] != state:
            slot = (slot + np.uint64(1)) & mask
        if seen[slot, 0] != stamp:
            seen[slot, 0], seen[slot, 1], table[slot] = stamp, 0, state
        found[place] = np.uint32(mix(state + np.uint64(seen[slot, 1]) * GAMMA) >> np.uint64(32))
        seen[slot, 1] += 1
    return size


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _room(longest: int) -> Any:  # pragma: no cover - compiled
    room = 2
    while room < 2 * longest:
        room *= 2
    return np.empty(room, np.uint64), np.full((room, 2), -1, np.int64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _sorted_elements(starts: Integers, hashes: Hashes, words: int) -> Any:  # pragma: no cover - compiled
    n = len(starts) - 1
    bounds, values = np.zeros(n + 1, np.int64), np.empty(len(hashes), np.uint32)
    for row in range(n):
        mine = hashes[starts[row] : starts[row + 1]]
        bounds[row + 1] = bounds[row]
        if len(mine) >= words:
            table, seen = _room(len(mine))
            bounds[row + 1] += _elements(mine, words, table, seen, row, values[bounds[row] :])
            values[bounds[row] : bounds[row + 1]].sort()
    return bounds, values[: bounds[n]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _shared(starts: Integers, values: Values, pairs: Integers) -> Integers:  # pragma: no cover - compiled
    """How many elements the texts of each pair share, ``(m,)``."""
    found = np.zeros(len(pairs), np.int64)
    for pair in range(len(pairs)):
        here, there = starts[pairs[pair, 0]], starts[pairs[pair, 1]]
        stop, other_stop = starts[pairs[pair, 0] + 1], starts[pairs[pair, 1] + 1]
        shared = 0
        while here < stop and there < other_stop:
            if values[here] == values[there]:
                shared += 1
                here, there = here + 1, there + 1
            elif values[here] < values[there]:
                here += 1
            else:
                there += 1
        found[pair] = shared
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _lower(least: Values, element: Any, multipliers: Values, summands: Values) -> None:  # pragma: no cover - compiled
    """The inner loop: vectors of eight or sixteen functions at a time."""
    for k in range(least.size):
        value = np.uint32(multipliers[k] * element + summands[k])
        least[k] = value if value < least[k] else least[k]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _signatures(
    starts: Integers, hashes: Hashes, short: Any, whole: Hashes, words: int, multipliers: Values, summands: Values
) -> Any:  # pragma: no cover - compiled
    n, permutations = len(short), len(multipliers)
    values = np.empty((n, permutations), np.uint32)
    longest = 1
    for row in range(n):
        longest = max(longest, starts[row + 1] - starts[row])
    table, seen = _room(longest)
    found = np.empty(longest, np.uint32)
    for row in range(n):
        least = values[row]
        if short[row]:  # 64 bits of the whole text, spread: of billions of short texts some share 32 bits
            for k in range(permutations):
                least[k] = np.uint32(mix(whole[row] + np.uint64(k) * GAMMA) >> np.uint64(32))
            continue
        least[:] = np.uint32(0xFFFFFFFF)
        mine = hashes[starts[row] : starts[row + 1]]
        room = 2
        while room < 2 * len(mine):
            room *= 2
        for place in range(_elements(mine, words, table[:room], seen[:room], row, found)):
            _lower(least, found[place], multipliers, summands)
    return values


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _band_keys(values: Values, number: int, size: int) -> Any:  # pragma: no cover - compiled
    keys = np.empty((len(values), number), np.uint64)
    for row in range(len(values)):
        for band in range(number):
            key = mix(np.uint64(band) + GAMMA)
            for k in range(band * size, (band + 1) * size):
                key = mix(key ^ np.uint64(values[row, k]))
            keys[row, band] = key
    return keys

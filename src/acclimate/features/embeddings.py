"""Texts and pictures to vectors, remembered: the encoder is loaded only when something turns up that was never seen before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from acclimate.engine.local import map_ordered
from acclimate.engine.progress import track
from acclimate.engine.storage import cache_home, content_hash
from acclimate.errors import InputError
from acclimate.features.base import Contents
from acclimate.features.cache import VectorCache
from acclimate.models.reference import resolve

if TYPE_CHECKING:
    from acclimate.models.encoder import Encoder
    from acclimate.models.vision import VisionEncoder

#: Raised when the way in which vectors are computed changes, so that old ones are not mistaken for new ones.
VERSION = 1
#: Fewer texts than this are not worth starting processes for.
SHARE_FROM = 2_048
#: A few chunks each even out workers of different speed; each costs loading the model.
CHUNKS_PER_WORKER = 3


def _warm_chunk(embedder: Embedder, contents: Contents) -> int:
    """Embed some texts or pictures in a worker; returns how many were cut off."""
    embedder(contents)
    return embedder.truncated


class Embedder:
    """Embeds texts, or pictures, with one model and one cache; implements :class:`acclimate.features.base.Embed`.

    Which of the two the model's own configuration says. A vector depends on the text or the picture's bytes, the model and, of
    texts, ``max_length``; it is the same to the last bit whatever else is asked for with it. Vectors are not normalised. They are
    computed in float32; one that an accelerator put into the cache is reused on the CPU.

    Args:
        model: ``asset:NAME``, a local folder or a hub name. A model that does not exist is reported at once, before any work.
        cache: the folder of the cache; ``"home"`` is ``features`` in acclimate's cache folder, None keeps vectors in memory.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        max_length: tokens of a text that are read.
    Raises:
        InputError: no such model, not an encoder, or pictures for a model of texts and the reverse.
        RunError: it could not be downloaded, or the cache cannot be written.
    """

    def __init__(
        self,
        model: str = "asset:minilm",
        cache: Path | Literal["home"] | None = "home",
        device: str | None = "auto",
        max_length: int = 256,
    ) -> None:
        self.reference = resolve(model)
        self.device = device
        self.max_length = max_length
        folder = cache_home() / "features" if cache == "home" else cache
        self.reads = self.reference.reads
        settings = ["mean-pooled", VERSION, self.reference.fingerprint, max_length]
        if self.reads == "image":
            settings = ["picture", VERSION, self.reference.fingerprint]
        self.cache = VectorCache(folder, content_hash(*settings))
        self._encoder: Encoder | VisionEncoder | None = None
        self.cut_elsewhere = 0

    def __getstate__(self) -> dict[str, Any]:
        """Goes to another process without the loaded model, which that process loads if it needs it."""
        return {**self.__dict__, "_encoder": None}

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.cache.dim or self.encoder.dim

    @property
    def truncated(self) -> int:
        """How many of the texts computed for this object were longer than ``max_length``; of pictures none ever is."""
        return self.cut_elsewhere + (self._encoder.truncated if self._encoder is not None else 0)

    @property
    def encoder(self) -> Encoder | VisionEncoder:
        """The model, loaded on first use."""
        if self._encoder is None and self.reads == "image":
            from acclimate.models.vision import VisionEncoder

            self._encoder = VisionEncoder.load(self.reference.location, self.device)
        elif self._encoder is None:
            from acclimate.models.encoder import Encoder

            self._encoder = Encoder.load(self.reference.location, self.device, self.max_length)
        return self._encoder

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        """``n`` texts, or pictures as encoded bytes, to ``(n, d)``, in order.

        Raises:
            InputError: the model reads the other kind, or a picture cannot be decoded.
        """
        if not contents:
            return np.empty((0, self.dim), dtype=np.float32)
        self._check_kind(contents)
        return self.cache.vectors(cast("Sequence[str]", contents), self._compute)  # one kind or the other, as checked

    def warm(self, contents: Contents, workers: int = 1) -> None:
        """Compute the vectors that are missing, shared among processes where the cache is on disk."""
        if not contents:
            return
        self._check_kind(contents)
        missing = self.cache.missing(cast("Sequence[str]", contents))
        absent = sorted(missing, key=lambda one: (len(one), one))  # like lengths together: less padding
        if workers == 1 or not self.cache.is_shared or len(absent) < SHARE_FROM:
            self(absent)
            return
        size = -(-len(absent) // (workers * CHUNKS_PER_WORKER))
        chunks = [absent[start : start + size] for start in range(0, len(absent), size)]
        cut = track(map_ordered(partial(_warm_chunk, self), chunks, workers), "Embedding, part by part", total=len(chunks))
        self.cut_elsewhere += sum(cut)

    def _compute(self, contents: Any) -> Iterator[tuple[int, NDArray[np.float32]]]:
        return track(self.encoder.stream(contents), "Embedding", total=len(contents))

    def _check_kind(self, contents: Contents) -> None:
        given = "text" if isinstance(contents[0], str) else "image"
        if given != self.reads:
            names = {"text": "texts", "image": "pictures"}
            raise InputError(
                f"The model '{self.reference.name}' reads {names[self.reads]}, and the examples are {names[given]}",
                expected=f"a model of {names[given]}",
                fix=f"choose one, for example asset:{'minilm' if given == 'text' else 'efficientnet-lite0'}",
            )

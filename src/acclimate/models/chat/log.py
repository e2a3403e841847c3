"""Every answer that was paid for, kept as it comes, so that a second start asks only what is missing."""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path

import orjson

from acclimate.engine.storage import cache_home, content_hash
from acclimate.errors import RunError
from acclimate.models.chat.base import Answer, Request


def default_log(base_url: str, model: str) -> Path:
    """Where the answers of a model at an address are kept unless a place is named."""
    return cache_home() / "requests" / f"{content_hash(base_url, model)[:16]}.jsonl"


class RequestLog:
    """A file of JSON lines ``{"key", "messages", "seed", "answer"}``, appended to and never rewritten.

    A line is written whole in one call; one that a crash cut short is passed over when the file is read. Only whole answers are
    kept: what was malformed is asked again. It holds what was asked and answered, never a key.

    Args:
        path: of the file, made with its folder when first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = dict(_read(path))

    def find(self, key: str) -> Answer | None:
        """The answer kept under a key, or None."""
        return self._answers.get(key)

    def keep(self, key: str, request: Request, answer: Answer) -> None:
        """Append an answer.

        Raises:
            RunError: the file cannot be written.
        """
        record = {"key": key, "messages": request.turns, "seed": request.seed, "answer": dataclasses.asdict(answer)}
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            self._answers[key] = answer
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as file:
                    if file.tell() and not _ends_whole(self.path):
                        line = b"\n" + line
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise RunError(
                    f"The answers could not be kept in '{self.path}': {error.strerror or error}",
                    expected="a writable file on a disk with free space",
                    fix="name another place with the setting 'log', or free some space",
                ) from error


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(path: Path) -> list[tuple[str, Answer]]:
    if not path.is_file():
        return []
    found = []
    with path.open("rb") as file:
        for line in file:
            try:
                record = orjson.loads(line)
                found.append((str(record["key"]), Answer(**record["answer"])))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
    return found

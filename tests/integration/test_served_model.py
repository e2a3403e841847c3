"""A real server of OpenAI's protocol, ``transformers serve`` with a tiny random model, asked as a user would ask it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.augment.run import augment
from acclimate.data.domain import from_columns
from acclimate.models.chat.base import Request
from acclimate.models.chat.settings import LanguageModel
from tests.causal import make_causal

pytest.importorskip("fastapi", reason="transformers serve needs fastapi and uvicorn")
pytest.importorskip("uvicorn", reason="transformers serve needs fastapi and uvicorn")
pytest.importorskip("openai", reason="the extra llm-api")

_SECONDS = 120


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(base URL, model name) of a server that runs while this module is tested."""
    folder = make_causal(tmp_path_factory.mktemp("served"), context=1024)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    log = (tmp_path_factory.mktemp("log") / "serve.log").open("wb")
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
    try:
        _wait(port, server, Path(log.name))
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no server after {_SECONDS} seconds: {log.read_text()[-2000:]}")


def test_a_served_model_answers_and_is_counted(served: tuple[str, str], tmp_path: Path) -> None:
    url, model = served
    log = tmp_path / "log.jsonl"
    settings = LanguageModel(model=model, base_url=url, max_tokens=12, log=str(log), parallel=1)
    chat = settings.open()
    answers = chat.answer([Request.of("Hello", seed) for seed in (1, 2, 3)])
    assert len(answers) == 3
    assert all(answer.end in ("stop", "length") for answer in answers)
    assert any(answer.text for answer in answers)
    assert chat.spent.asked == 3
    assert chat.spent.tokens_in > 0
    assert 0 < chat.spent.tokens_out <= 36
    again = settings.open()
    assert again.answer([Request.of("Hello", seed) for seed in (3, 2, 1)]) == answers[::-1]
    assert (again.spent.asked, again.spent.remembered) == (0, 3)


def test_a_method_asks_a_served_model_and_counts_what_it_cannot_use(served: tuple[str, str], home: Path) -> None:  # noqa: ARG001
    url, model = served
    parents = from_columns("p", ["the nurse was very good", "the film was bad"], ["a", "b"])
    llm = {"model": model, "base_url": url, "max_tokens": 8, "parallel": 1}
    grown = augment(parents, method="generate", times=2, llm=llm)
    made, asked = len(grown), next(note for note in grown.notes if note.startswith("asked "))
    assert f"{made} of 4 new examples were made" in grown.notes or made == 4
    assert " times: " in asked

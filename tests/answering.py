"""A small server of OpenAI's protocol: answers made from the request alone, and whatever faults a test plans. For what a real one
does, see ``test_served_model.py``.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = int | str


class AnsweringServer(ThreadingHTTPServer):
    """Answers chat completions on a free port of this machine.

    Attributes:
        faults: taken one by one before answers: a status, ``"nonsense"`` (no JSON), ``"empty"`` (no choices), ``"null"`` (no text),
            or ``"die"`` (no further connection is answered).
        asked: the body of every request that came, in order; ``headers`` their headers.
    """

    daemon_threads = True

    def __init__(self, write: Callable[[dict[str, Any]], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.write = write
        self.faults: list[Fault] = []
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.dead = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def llm(self, **settings: Any) -> dict[str, Any]:
        """Settings under which a method asks this server."""
        return {"model": "tiny", "base_url": self.url, "retries": 2, "timeout": 10.0, **settings}


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        fault = self.server.faults.pop(0) if self.server.faults else None
        self.server.dead = self.server.dead or fault == "die"
        if self.server.dead:
            self.connection.close()
            return
        if isinstance(fault, int):
            key = self.headers.get("Authorization", "")
            self._send(fault, json.dumps({"error": {"message": f"planned fault, your key was {key}"}}))
            return
        if fault == "nonsense":
            self._send(200, "<html>not JSON</html>")
            return
        text = None if fault == "null" else self.server.write(body)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage}
        self._send(200, json.dumps({**answer, "choices": [] if fault == "empty" else [choice]}))

    def _send(self, status: int, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def answering(write: Callable[[dict[str, Any]], str]) -> Iterator[AnsweringServer]:
    server = AnsweringServer(write)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def obliging(body: dict[str, Any]) -> str:
    """An answer of the form that each method asks for, another one for each seed."""
    prompt, number = body["messages"][-1]["content"], body["seed"] % 997
    _, _, shown = prompt.partition("\nText:\n")
    if prompt.startswith("Reword"):
        return f"{shown} (v{'abcdefghij'[number % 10]})"
    if prompt.startswith("Read the passage"):
        passage = prompt.partition("Passage:\n")[2]
        return f"Question: What is said for reader {number}?\nAnswer: {passage}"
    if "\nInstruction:\n" in prompt:
        instruction = prompt.partition("Instruction:\n")[2]
        return f"{instruction} Mind condition {number}."
    found = re.search(r'class "([^"]*)"', prompt)
    return f"A new text number {number} of the class {found[1] if found else 'any'}"

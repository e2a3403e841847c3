"""An endpoint of OpenAI's protocol: what happens when it fails, what is kept, what it costs, and where the key goes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acclimate.augment.run import augment as guarded
from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError, RunError
from acclimate.models.chat.base import Request
from acclimate.models.chat.limits import RateLimit
from acclimate.models.chat.settings import LanguageModel
from tests.answering import AnsweringServer, Fault, answering, obliging

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

PARENTS = from_columns("p", [f"the story number {row} was good" for row in range(6)], ["a"] * 6)
KEY = "sk-very-secret-0123"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnsweringServer]:  # noqa: ARG001 (a cache of its own)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with answering(obliging) as served:
        yield served


def reword(server: AnsweringServer, **llm: Any) -> Domain:
    return augment(PARENTS, method="paraphrase", times=2, llm=server.llm(**llm))


@pytest.mark.parametrize("fault", [429, 500, 503, "nonsense", "empty", "null"])
def test_a_fault_that_passes_costs_a_second_try_and_changes_nothing(server: AnsweringServer, fault: Fault, tmp_path: Path) -> None:
    untroubled = reword(server, log=str(tmp_path / "one.jsonl"), parallel=1)
    asked = len(server.asked)
    server.faults = [fault]
    troubled = reword(server, log=str(tmp_path / "two.jsonl"), parallel=1)
    assert troubled.texts == untroubled.texts
    assert len(server.asked) == 2 * asked + 1


def test_what_stays_malformed_is_counted_and_left_out(server: AnsweringServer) -> None:
    server.faults = ["nonsense"] * 4  # the first two questions, each asked twice at once; they are asked again at the end
    grown = reword(server, parallel=1)
    assert len(grown) == 12
    assert "answers that could not be used, malformed: 2" in grown.notes
    server.faults = ["null"] * 1000
    grown = reword(server, temperature=0.5)
    assert len(grown) == 0
    assert {"0 of 12 new examples were made", "answers that could not be used, malformed: 24"} <= set(grown.notes)


def test_a_server_that_dies_midway_loses_no_answer_that_came(server: AnsweringServer) -> None:
    server.faults = ["die"]
    with pytest.raises(RunError, match="does not answer"):
        reword(server, parallel=1, retries=0)
    server.dead = False
    server.asked.clear()

    server.faults = []
    served = 0
    original = server.write

    def write(body: dict[str, Any]) -> str:
        nonlocal served
        served += 1
        if served == 5:
            server.dead = True
        return original(body)

    server.write = write
    with pytest.raises(RunError) as error:
        reword(server, parallel=1, retries=0)
    assert "kept in" in str(error.value)
    server.dead, server.write = False, original
    server.asked.clear()
    grown = reword(server, parallel=1)
    assert len(grown) == 12
    assert len(server.asked) == 12 - 5  # five answers had come before it died
    assert "5 answers were kept from before" in grown.notes


def test_a_second_start_asks_nothing(server: AnsweringServer) -> None:
    first = reword(server)
    server.asked.clear()
    second = reword(server)
    assert server.asked == []
    assert second.texts == first.texts
    assert "asked 'tiny' 0 times: 0 tokens in, 0 out" in second.notes


def test_a_log_that_a_crash_cut_short_is_read_up_to_the_cut_and_mended(server: AnsweringServer, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    whole = reword(server, log=str(log), parallel=1)
    log.write_bytes(log.read_bytes()[:-20])
    server.asked.clear()
    assert reword(server, log=str(log)).texts == whole.texts
    assert len(server.asked) == 1
    lines = log.read_bytes().splitlines()
    assert len(lines) == 13
    assert json.loads(lines[-1])["answer"]["end"] == "stop"


def test_other_settings_ask_anew(server: AnsweringServer) -> None:
    reword(server)
    asked = len(server.asked)
    reword(server, temperature=0.5)
    assert len(server.asked) == 2 * asked


def test_cost_is_counted(server: AnsweringServer) -> None:
    grown = reword(server, price_in=2.0, price_out=10.0)
    assert "asked 'tiny' 12 times: 120 tokens in, 60 out" in grown.notes
    assert "that cost 0.00084" in grown.notes


@pytest.mark.parametrize(("status", "kind"), [(401, InputError), (404, InputError), (500, RunError)])
def test_the_key_is_sent_and_is_nowhere_else(
    server: AnsweringServer, status: int, kind: type[Exception], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    log = tmp_path / "log.jsonl"
    grown = reword(server, log=str(log))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    server.faults = [status] * 99
    with pytest.raises(kind) as error:
        reword(server, log=str(tmp_path / "other.jsonl"), retries=0, parallel=1)
    told = [str(error.value), repr(error.value.__cause__), caplog.text, log.read_text(), repr(grown.table.to_pylist())]
    assert not any(KEY in text for text in [*told, *grown.notes])


def test_without_a_key_a_server_elsewhere_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="export OPENAI_API_KEY"):
        augment(PARENTS, method="paraphrase", llm={"model": "m", "base_url": "https://api.example.org/v1"})


def test_no_minute_sees_more_than_its_requests_and_tokens() -> None:
    now = 0.0
    sent: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    limit = RateLimit(5, 100, clock=lambda: now, sleep=sleep)
    for number in range(40):
        size = (7, 40, 95, 300)[number % 4]
        limit.wait(size)
        sent.append((now, size))
        now += 0.5
    for start, _ in sent:
        window = [size for at, size in sent if start <= at < start + 60]
        assert len(window) <= 5
        assert sum(window) <= 100 or len(window) == 1


def test_requests_wait_for_their_minute(server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def told(self: RateLimit, tokens: int) -> None:  # noqa: ARG001
        waited.append(tokens)

    monkeypatch.setattr(RateLimit, "wait", told)
    reword(server, requests_per_minute=100, max_tokens=50)
    assert len(waited) == 12
    assert all(tokens > 50 for tokens in waited)


def test_equal_questions_have_equal_names_and_others_do_not() -> None:
    one = Request.of("hello", 1)
    assert one.key("m") == Request.of("hello", 1).key("m")
    assert len({one.key("m"), one.key("n"), Request.of("hello", 2).key("m"), Request.of("hello", 1, "be kind").key("m")}) == 4


def test_a_model_on_this_machine_is_the_default() -> None:
    assert LanguageModel().base_url == ""

"""Answers of a server that speaks OpenAI's protocol: OpenAI's own, vLLM, llama.cpp, Ollama, ``transformers serve`` and others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from acclimate.engine.progress import track
from acclimate.errors import AcclimateError, InputError, MissingExtraError, RunError
from acclimate.models.chat.base import Answer, End, Request, Spent
from acclimate.models.chat.limits import RateLimit
from acclimate.models.chat.log import RequestLog
from acclimate.models.manner import Manner

#: Characters that stand for a token where a request's size is guessed before it is sent; 4 is usual for English.
_CHARACTERS = 4


class Endpoint:
    """A model behind an address.

    Failures that pass (429, 500, no connection) are tried again by the client with growing pauses; an answer that is no answer is
    asked for once more. Answers are kept as they come.

    Args:
        base_url: of the server, such as ``http://localhost:8000/v1``.
        model: its name there.
        manner: how it writes.
        key_variable: the environment variable that holds the key; the only place it is read from.
        log: where answers are kept.
        limit: requests and tokens a minute.
        retries: of a request, after the first try.
        parallel: requests under way at once.
        timeout: seconds that one try may take.

    Raises:
        MissingExtraError: the package ``openai`` is absent.
        InputError: the environment has no key and the server is not this machine.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        manner: Manner,
        *,
        key_variable: str,
        log: Path,
        limit: RateLimit,
        retries: int,
        parallel: int,
        timeout: float,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("Asking an endpoint", "llm-api") from error
        self._openai = openai
        self._key = _key(base_url, key_variable)
        self._client = openai.OpenAI(base_url=base_url, api_key=self._key, max_retries=retries, timeout=timeout)
        self._base_url, self._model, self._manner = base_url, model, manner
        self._log, self._limit, self._parallel = RequestLog(log), limit, parallel
        self.spent = Spent()

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """See :class:`acclimate.models.chat.base.Chat`."""
        keys = [request.key(self._base_url, self._model, *vars(self._manner).values()) for request in requests]
        found = {key: kept for key in keys if (kept := self._log.find(key)) is not None}
        self.spent.remembered += sum(key in found for key in keys)
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in found}
        with ThreadPoolExecutor(self._parallel) as threads:
            waiting = {threads.submit(self._ask, key, request): key for key, request in missing.items()}
            try:
                for done in track(list(waiting), "Asking", total=len(waiting)):
                    failed = [one for one in wait([done], return_when=FIRST_EXCEPTION).done if one.exception()]
                    if failed:
                        failed[0].result()
                    found[waiting[done]] = done.result()
            finally:
                for one in waiting:
                    one.cancel()
        return [found[key] for key in keys]

    def _ask(self, key: str, request: Request) -> Answer:
        answer = self._tried(request)
        if answer.end == "malformed":
            answer = self._tried(request)
        if answer.end != "malformed":
            self._log.keep(key, request, answer)
        return answer

    def _tried(self, request: Request) -> Answer:
        size = sum(len(content) for _, content in request.messages) // _CHARACTERS
        self._limit.wait(size + self._manner.max_tokens)
        try:
            raw = self._client.chat.completions.create(
                model=self._model,
                messages=request.turns,  # type: ignore[arg-type]  # the client wants a class for each role
                max_tokens=self._manner.max_tokens,
                temperature=self._manner.temperature,
                top_p=self._manner.top_p,
                seed=request.seed % 2**31,
            )
        except self._openai.APIResponseValidationError:
            return Answer("", "malformed", 0, 0)
        except self._openai.OpenAIError as error:
            raise self._failure(error) from None  # the cause may quote the key
        except ValueError:  # no JSON at all
            return Answer("", "malformed", 0, 0)
        answer = read_answer(raw)
        self.spent.add(answer)
        return answer

    def _failure(self, error: Any) -> AcclimateError:
        status = getattr(error, "status_code", None)
        reason = (
            str(error).strip().splitlines()[0].replace(self._key, "***").rstrip(".") if str(error).strip() else type(error).__name__
        )
        where = f"The endpoint '{self._base_url}'"
        if status in (401, 403):
            return InputError(f"{where} refuses the key ({status})", expected="a key that may use it", fix="set the right key")
        if status in (400, 404, 405, 413, 422):
            return InputError(
                f"{where} refuses the request ({status}): {reason}",
                expected=f"a server of OpenAI's protocol that knows the model '{self._model}'",
                fix="check base_url (it often ends in /v1), model and max_tokens",
            )
        return RunError(
            f"{where} does not answer: {reason}",
            expected="answers, perhaps after some tries",
            fix=f"start again later: {self.spent.asked} new answers are kept in '{self._log.path}' and are not asked again",
        )


def read_answer(raw: Any) -> Answer:
    """The answer in what a server sent; malformed where it holds none."""
    try:
        choice = raw.choices[0]
        text, end = choice.message.content, choice.finish_reason
        usage = raw.usage
        tokens = (int(usage.prompt_tokens), int(usage.completion_tokens)) if usage is not None else (0, 0)
    except (AttributeError, IndexError, TypeError, ValueError):
        return Answer("", "malformed", 0, 0)
    if not isinstance(text, str):
        return Answer("", "malformed", *tokens)
    ending: End = "length" if end == "length" else "stop"
    return Answer(text, ending, *tokens)


def _key(base_url: str, variable: str) -> str:
    key = os.environ.get(variable, "")
    if key:
        return key
    if any(f"//{host}" in base_url for host in ("localhost", "127.", "[::1]", "0.0.0.0")):
        return "none"  # servers on this machine seldom want one, and the client wants something
    raise InputError(
        f"The environment has no key for '{base_url}'",
        expected=f"the key in the variable {variable}; it is read from nowhere else",
        fix=f"export {variable}=..., or name another variable with the setting key_variable",
    )

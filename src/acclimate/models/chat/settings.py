"""Which language model answers, and how: the settings that every method which asks one shares."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from acclimate.errors import InputError
from acclimate.models.chat.base import Chat


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """Which language model answers, and how.

    Args:
        model: ``asset:smollm2``, a hub name or a folder; with ``base_url``, the model's name at that server.
        base_url: of a server of OpenAI's protocol, such as ``http://localhost:8000/v1``; empty for a model on this machine.
        key_variable: the environment variable with the server's key.
        max_tokens: of an answer.
        temperature, top_p: how answers are drawn; 1.0 and 0.9 keep variety and leave out the unlikely tail (Holtzman 2020).
        requests_per_minute, tokens_per_minute: of a server; 0 for no limit.
        retries: of a request that fails for a reason that may pass.
        parallel: requests under way at once.
        timeout: seconds that one try may take.
        price_in, price_out: of a million tokens, in any currency, for the cost that is told.
        log: file in which a server's answers are kept, so that no question is paid for twice; empty for one in acclimate's cache.
        device: where a model on this machine runs.
    """

    #: Where a recipe's mapping is read: a mistyped setting, or a key, is refused rather than passed over.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str = "asset:smollm2"
    base_url: str = ""
    key_variable: str = "OPENAI_API_KEY"
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 0.9
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    retries: int = 5
    parallel: int = 4
    timeout: float = 120.0
    price_in: float = 0.0
    price_out: float = 0.0
    log: str = ""
    device: str = "auto"

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        least = {"max_tokens": 1, "parallel": 1, "retries": 0, "requests_per_minute": 0, "tokens_per_minute": 0, "temperature": 0}
        for name, limit in least.items():
            if getattr(self, name) < limit:
                raise InputError(f"llm with {name}={getattr(self, name)}", expected=f"at least {limit}", fix="leave the default")
        if not 0 < self.top_p <= 1:
            raise InputError(f"llm with top_p={self.top_p}", expected="a share above 0 and at most 1", fix="leave the default")
        if self.base_url and not self.base_url.startswith(("http://", "https://")):
            raise InputError(
                f"llm with base_url={self.base_url!r}",
                expected="an address such as http://localhost:8000/v1",
                fix="begin with http",
            )

    @classmethod
    def of(cls, given: LanguageModel | dict[str, Any]) -> LanguageModel:
        """Settings as they are, or as an origin holds them."""
        return given if isinstance(given, LanguageModel) else cls(**given)

    def open(self) -> Chat:
        """Something that answers.

        Raises:
            MissingExtraError: a server is to be asked and ``openai`` is absent.
            InputError: no key, no such model, or one without a chat template.
        """
        from acclimate.models.manner import Manner

        manner = Manner(self.max_tokens, self.temperature, self.top_p)
        if not self.base_url:
            from acclimate.models.causal import load_causal
            from acclimate.models.chat.local import LocalChat

            return LocalChat(load_causal(self.model, self.device), manner)
        from acclimate.models.chat.endpoint import Endpoint
        from acclimate.models.chat.limits import RateLimit
        from acclimate.models.chat.log import default_log

        return Endpoint(
            self.base_url,
            self.model,
            manner,
            key_variable=self.key_variable,
            log=Path(self.log).expanduser() if self.log else default_log(self.base_url, self.model),
            limit=RateLimit(self.requests_per_minute, self.tokens_per_minute),
            retries=self.retries,
            parallel=self.parallel,
            timeout=self.timeout,
        )


#: The packaged model on this machine.
PACKAGED = LanguageModel()

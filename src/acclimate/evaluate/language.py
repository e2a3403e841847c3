"""What a language model is worth: its likelihood of held-out texts, its answers, its choices, and what it forgot."""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Message
from acclimate.errors import InputError
from acclimate.evaluate.intervals import Interval
from acclimate.models.likelihood import Costs, costs

if TYPE_CHECKING:
    from acclimate.models.causal import CausalModel

#: By what an option's likelihood is divided before options are compared.
Normalisation = Literal["raw", "tokens", "bytes"]
#: Texts before an option: a text, or the turns of a conversation.
Prompt = str | Sequence[Message]


@dataclasses.dataclass(frozen=True, eq=False)
class LanguageScores:
    """What a language model scored on one set.

    Attributes:
        costs: example by example.
        metrics: loss (nats a token), perplexity, bits_per_byte; of conversations exact_match where it was asked for.
    """

    costs: Costs
    metrics: dict[str, float]


def evaluate_language(model: CausalModel, domain: Domain, *, answers: bool = False, max_tokens: int = 128) -> LanguageScores:
    """Score a model on texts, or on the answers of conversations.

    Args:
        answers: whether the last answer of each conversation is written too, greedily, and compared.
        max_tokens: of a written answer.

    Raises:
        InputError: the examples are pictures or empty, or answers are asked for of texts.
    """
    if domain.modality == "image" or not len(domain):
        raise InputError(f"'{domain.name}' has no text to measure on", expected="texts or conversations")
    found = costs(model, domain)
    metrics = {"loss": found.loss, "perplexity": found.perplexity, "bits_per_byte": found.bits_per_byte}
    if answers:
        if domain.modality != "chat":
            raise InputError(f"Answers were asked for of '{domain.name}', which holds texts", expected="conversations")
        asked = [turns[: last_answer(turns)] for turns in domain.conversations]
        known = [turns[last_answer(turns)]["content"] for turns in domain.conversations]
        metrics["exact_match"] = exact_match(greedy_answers(model, asked, max_tokens), known)
    return LanguageScores(found, metrics)


def last_answer(turns: Sequence[Message]) -> int:
    """Where the last answer of the assistant stands.

    Raises:
        InputError: nothing is answered.
    """
    places = [place for place, turn in enumerate(turns) if turn["role"] == "assistant"]
    if not places:
        raise InputError("A conversation without an answer of the assistant", expected="one that is answered")
    return places[-1]


def greedy_answers(model: CausalModel, prompts: Sequence[Prompt], max_tokens: int = 128) -> list[str]:
    """What a model writes behind each text or answers to each conversation, always the likeliest token."""
    from acclimate.models.manner import Manner

    return model.continued(list(prompts), [0] * len(prompts), Manner(max_tokens=max_tokens, temperature=0.0))


def plain(text: str) -> str:
    """A text without case, punctuation, English articles and surplus spaces (Rajpurkar 2016, section 6.1).

    >>> plain(" The  Answer: 42. ")
    'answer 42'
    """
    spoken = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", spoken).split())


def exact_match(answers: Sequence[str], references: Sequence[str], normalise: Callable[[str], str] = plain) -> float:
    """The share of answers that equal their reference.

    >>> exact_match(["The cat.", "dog"], ["cat", "a fox"])
    0.5

    Raises:
        InputError: there are none, or of one more than of the other.
    """
    if not answers or len(answers) != len(references):
        raise InputError(f"{len(answers)} answers for {len(references)} references", expected="one for each, and at least one")
    return float(np.mean([normalise(given) == normalise(known) for given, known in zip(answers, references, strict=True)]))


@dataclasses.dataclass(frozen=True, eq=False)
class Choices:
    """What each option of each question costs.

    Attributes:
        costs: the options of all questions, one after another.
        counts: options of each question, ``(q,)``.
    """

    costs: Costs
    counts: NDArray[np.int64]

    def best(self, by: Normalisation = "raw") -> NDArray[np.int64]:
        """The likeliest option of each question, ``(q,)``: by its likelihood, or by that of one of its tokens or bytes on average
        (Brown 2020, section 2.4, and Gao 2021 for bytes)."""
        size = {"raw": np.ones(len(self.costs)), "tokens": self.costs.tokens, "bytes": self.costs.bytes}[by]
        each = self.costs.nats / np.maximum(size, 1)
        ends = np.cumsum(self.counts)
        return np.array([int(each[end - count : end].argmin()) for end, count in zip(ends, self.counts, strict=True)])

    def accuracy(self, right: Sequence[int], by: Normalisation = "raw") -> float:
        """The share of questions whose likeliest option is the right one."""
        return float(np.mean(self.best(by) == np.asarray(right)))


def choose(model: CausalModel, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> Choices:
    """Measure how likely each option is behind its prompt.

    Spaces at the end of a text go to the option, where tokenizers put them. Of what is longer than the model reads the beginning
    is cut off.

    Args:
        prompts: ``q`` texts or conversations.
        options: of each at least one, none empty.

    Raises:
        InputError: a question without options, or an empty option.
    """
    if len(prompts) != len(options) or any(not given or not all(given) for given in options):
        raise InputError(
            f"{len(prompts)} questions with options for {len(options)}", expected="at least one option for each, none empty"
        )
    read = [model.behind(prompt, option) for prompt, given in zip(prompts, options, strict=True) for option in given]
    fitting = [tokens.between(max(len(tokens) - model.context, 0), len(tokens)) for tokens in read]
    sizes = np.array([len(option.strip().encode()) for given in options for option in given])
    found = Costs(model.nats(fitting), np.array([int(tokens.scored.sum()) for tokens in fitting]), sizes)
    return Choices(found, np.array([len(given) for given in options]))


def bits_difference(one: Costs, other: Costs, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Bits per byte of ``one`` minus those of ``other`` on the same examples: of general ones, after adaptation minus before, it is
    what was forgotten.

    The interval is the percentile interval over resampled pairs of examples (Efron & Tibshirani 1993, chapter 13); each resample
    takes the ratio of its sums, as the figure itself does, so long examples weigh more.

    Raises:
        InputError: the examples are not the same.

    >>> low, high = (Costs(np.log(2) * np.array(bits), *[np.array([4, 4, 4])] * 2) for bits in ([4.0, 5.0, 6.0], [5.0, 6.0, 7.0]))
    >>> round(bits_difference(low, high).mean, 9)
    -0.25
    """
    if not len(one) or not np.array_equal(one.bytes, other.bytes):
        raise InputError("Two costs are of different examples", expected="the same ones in the same order, at least one")
    nats, size = one.nats - other.nats, one.bytes.astype(np.float64)
    count = len(nats)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    ratios = (drawn @ nats) / np.maximum(drawn @ size, 1e-12) / np.log(2)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(nats.sum() / size.sum() / np.log(2)), float(low), float(high))


def kept(base: Costs, plain_tuned: Costs, replayed: Costs) -> float:
    """The share of what plain tuning forgets that tuning with replay keeps: 1 where nothing is forgotten, 0 where as much is.

    ``1 − (replayed − base) / (plain − base)`` in bits per byte; NaN where plain tuning forgets nothing.
    """
    lost = plain_tuned.bits_per_byte - base.bits_per_byte
    return 1 - (replayed.bits_per_byte - base.bits_per_byte) / lost if lost > 0 else float("nan")


def run_harness(
    model: CausalModel, tasks: Sequence[str | dict[str, Any]], *, shots: int | None = None, limit: int | None = None, rows: int = 8
) -> dict[str, dict[str, float]]:
    """The figures of EleutherAI's ``lm-eval`` (Gao 2021) for a model that was loaded here: safetensors only, no code of strangers.

    Args:
        tasks: names that ``lm-eval`` knows, whose data it downloads, or tasks as dicts.
        shots: solved examples before each question; None for each task's own number.
        limit: questions of each task at most.
        rows: of a batch.

    Raises:
        MissingExtraError: lm-eval is not installed.
        InputError: no such task.
    """
    from acclimate.errors import MissingExtraError

    try:
        import lm_eval
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        raise MissingExtraError("The evaluation harness", "lm-eval") from error
    served = HFLM(pretrained=model.model, tokenizer=model.tokenizer, batch_size=rows, max_length=model.context)
    try:
        found = lm_eval.simple_evaluate(
            model=served, tasks=list(tasks), num_fewshot=shots, limit=limit, log_samples=False, bootstrap_iters=0
        )
    except KeyError as error:
        raise InputError(f"lm-eval has no task {error}", expected="a name from `lm-eval ls tasks`") from error
    return {
        task: {name.removesuffix(",none"): float(value) for name, value in figures.items() if isinstance(value, (int, float))}
        for task, figures in found["results"].items()
    }

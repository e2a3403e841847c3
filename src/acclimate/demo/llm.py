"""``acclimate demo llm``: a language model is brought into one subject by continued pre-training, on data chosen and at random.

Of a pool of news articles on twenty subjects equal numbers of tokens are taken, once those most like a sample of the subject and
once at random. Adapters are trained on each, and three models are measured: on held-out articles of the subject, and on texts of
another kind, which shows what was forgotten.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from acclimate.data.domain import Domain, from_columns
from acclimate.data.hygiene import clean
from acclimate.data.packaged import packaged
from acclimate.data.target import Sealed, Target
from acclimate.data.write import write
from acclimate.engine.storage import write_json
from acclimate.errors import unknown_name
from acclimate.evaluate.intervals import Interval
from acclimate.evaluate.language import bits_difference
from acclimate.models.causal import CausalModel
from acclimate.models.likelihood import Costs, costs
from acclimate.strategy.select import select
from acclimate.tune.examples import gather
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune

MODEL = "asset:smollm2"
#: Words of a passage: articles are cut into pieces that fit the tokens read at once, so that equal budgets are equal work.
WORDS = 80
#: Passages of the subject that selection looks at, and texts that each model is measured on, of the subject and of another kind.
SAMPLE, HELD_OUT, GENERAL = 200, 48, 32
#: Selectors compared with chance.
METHODS = ("dsir", "random")
SETTINGS = TuneSettings(lr=5e-4, batch_size=4, max_length=128, parameters="lora")

Announce = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Trained:
    """One model.

    Attributes:
        name: ``base``, or the selector whose picks it learned from.
        tokens, share: what it learned from, and how much of that is of the subject.
        subject, general: bits per byte on held-out articles of the subject, and on texts of another kind.
        gain, forgotten: the differences from the base model, each with its 95% interval over texts; below 0 is better.
        seconds: of its training.
    """

    name: str
    tokens: int
    share: float
    subject: float
    general: float
    gain: Interval | None
    forgotten: Interval | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class LlmOutcome:
    """What the demo found: the models, and the chosen data against the random one on the subject."""

    subject: str
    models: tuple[Trained, ...]
    difference: Interval
    verdict: str


def run_llm(
    subject: str = "sci.med",
    out: Path | str = "runs/demo-llm",
    *,
    tokens: int = 10_000,
    seed: int = 0,
    announce: Announce | None = None,
) -> LlmOutcome:
    """Carry out the demo; ``outcome.json`` and what was selected lie in ``out``.

    Args:
        subject: one of the twenty of 20 Newsgroups.
        tokens: budget of each selection.
        announce: called with what was removed.

    Raises:
        InputError: no such subject.
        RunError: the model or the data has to be fetched and that failed.
    """
    source, target, general = materials(subject, seed)
    removed = sum(sum(kinds.values()) for kinds in target.hygiene.get("removed", {}).values())
    if announce and removed:
        announce(f"removed {removed} examples that repeat a test or validation example")
    held_out = target.test.inputs.texts
    base, count_tokens = _measured(MODEL, held_out, general), CausalModel(MODEL).count_tokens
    found: dict[str, tuple[Costs, Costs]] = {"base": base}
    models = [Trained("base", 0, 0.0, base[0].bits_per_byte, base[1].bits_per_byte, None, None, 0.0)]
    for method in METHODS:
        picked = select(source, target, method=method, budget=f"{tokens} tokens", model=MODEL, seed=seed)
        chosen = picked.to_domain()
        write(chosen, Path(out) / "selection" / f"{method}.parquet")
        started = time.perf_counter()
        found[method] = _trained(chosen, tokens, seed, held_out, general)
        losses = found[method]
        of_subject = chosen.table.column("subject").to_pylist()
        models.append(
            Trained(
                name=method,
                tokens=sum(map(count_tokens, chosen.texts)),
                share=of_subject.count(subject) / len(of_subject),
                subject=losses[0].bits_per_byte,
                general=losses[1].bits_per_byte,
                gain=bits_difference(losses[0], base[0]),
                forgotten=bits_difference(losses[1], base[1]),
                seconds=time.perf_counter() - started,
            )
        )
    difference = bits_difference(found[METHODS[0]][0], found[METHODS[1]][0])
    outcome = LlmOutcome(subject, tuple(models), difference, _verdict(difference))
    write_json(Path(out) / "outcome.json", dataclasses.asdict(outcome))
    return outcome


def materials(subject: str, seed: int) -> tuple[Domain, Target, list[str]]:
    """The pool without what repeats the test, the target with its sample and sealed articles, and texts of another kind.

    Raises:
        InputError: no such subject.
    """
    train, test = packaged("newsgroups20"), packaged("newsgroups20/test")
    if subject not in train.classes:
        raise unknown_name("subject", subject, train.classes)
    rng = np.random.default_rng(seed)
    pool = passages(train)
    own = np.flatnonzero(np.asarray(pool.table.column("subject").to_pylist()) == subject)
    sample = np.sort(rng.permutation(own)[:SAMPLE])
    mine = [row for row, label in enumerate(test.labels) if label == subject]
    held_out = test.take(np.sort(rng.permutation(mine)[:HELD_OUT]))
    sealed = Sealed(held_out, "test")
    target = Target(subject, pool.take([]), pool.take(sample), sealed, (subject,))
    kept, target = clean(pool.take(np.setdiff1d(np.arange(len(pool)), sample)), target)
    assert kept is not None
    reviews = packaged("icwsm4/movie")
    return kept, target, [reviews.texts[row] for row in np.sort(rng.permutation(len(reviews))[:GENERAL])]


def passages(domain: Domain) -> Domain:
    """Articles in pieces of :data:`WORDS` words, without labels; the column ``subject`` says what each is of, for counts alone."""
    texts, ids, subjects = [], [], []
    for identity, text, label in zip(domain.ids, domain.texts, domain.labels, strict=True):
        words = text.split()
        for number, start in enumerate(range(0, len(words), WORDS)):
            if len(words) - start >= WORDS // 2:
                texts.append(" ".join(words[start : start + WORDS]))
                ids.append(f"{identity}#{number}")
                subjects.append(str(label))
    return from_columns(domain.name, texts, ids=ids).with_column("subject", pa.array(subjects, pa.string()))


def _trained(chosen: Domain, tokens: int, seed: int, held_out: Sequence[str], general: Sequence[str]) -> tuple[Costs, Costs]:
    """The losses of the model after one pass over what was chosen."""
    steps = max(1, round(tokens / (SETTINGS.max_length * SETTINGS.batch_size)))
    settings = dataclasses.replace(SETTINGS, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(MODEL, gather(None, source=chosen), (), settings, seed=seed, folder=Path(folder), save=True, task="causal-lm")
        return _measured(folder, held_out, general)


def _measured(model: str, held_out: Sequence[str], general: Sequence[str]) -> tuple[Costs, Costs]:
    read = CausalModel(model, max_length=128)
    return costs(read, held_out), costs(read, general)


def _verdict(difference: Interval) -> str:
    return "helped" if difference.high < 0 else "hurt" if difference.low > 0 else "no evidence"


def rows(outcome: LlmOutcome) -> list[tuple[str, ...]]:
    """The table that the command prints."""
    return [
        (
            one.name,
            f"{one.tokens:,}",
            f"{100 * one.share:.0f}%",
            f"{one.subject:.3f}",
            _told(one.gain),
            f"{one.general:.3f}",
            _told(one.forgotten),
            f"{one.seconds:.0f}",
        )
        for one in outcome.models
    ]


def _told(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.mean:+.3f} ({interval.low:+.3f} … {interval.high:+.3f})"

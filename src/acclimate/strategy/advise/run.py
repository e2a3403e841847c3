"""The verb ``advise``: which ways to adapt are worth trying, read off the data in seconds, with reasons that can be checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from acclimate.data.domain import Domain
from acclimate.data.shards import Pool
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.strategy.advise.advice import Advice, Excluded, Suggestion
from acclimate.strategy.advise.candidates import Candidate, candidates
from acclimate.strategy.advise.cost import seconds, vector_seconds
from acclimate.strategy.advise.glimpse import glimpse, scaled
from acclimate.strategy.advise.measure import SAMPLE, measure
from acclimate.strategy.advise.prior import Prior, shipped
from acclimate.strategy.advise.rank import WIDTH, WIDTH_BLIND, gains, worth
from acclimate.strategy.advise.rules import Step, walk
from acclimate.strategy.advise.traits import Task, Traits
from acclimate.strategy.arms import Arm
from acclimate.strategy.outcome import Fidelity


def advise(
    source: Domain | Pool,
    target: Target,
    *,
    task: Task | None = None,
    arms: Sequence[Arm] | None = None,
    fidelity: Fidelity | None = None,
    minutes: float | None = None,
    most: int = 8,
    embed: Embed | None = None,
    sample: int = SAMPLE,
    seed: int = 0,
    prior: Prior | Literal["shipped"] | None = "shipped",
) -> Advice:
    """Rank ways to adapt for these data. Nothing is trained, and no sealed label is read.

    The advice is a guess with an interval; only a comparison shows what holds (:func:`acclimate.pipeline.compare`).

    Args:
        source, target: what may be learned from, and for. Of a pool that is read in pieces some places are looked at, and its
            counts are estimated.
        task: guessed where not given; see :func:`acclimate.strategy.advise.measure.measure`.
        arms: ranks these instead of acclimate's own candidates; all are taken to be possible.
        fidelity: ``probe`` (frozen features) or ``fine-tune``; by default the second where there is a GPU, or a language model.
        minutes: leaves out what one seed of would take longer.
        most: how many suggestions; the best control is one more where it is not among them.
        embed: vectors to measure distances on; hashed words, or thumbnails, where not given.
        sample: most rows of a side that are looked at.
        seed: draws these rows.
        prior: what was learned from measured comparisons; None for the rules alone.

    Raises:
        InputError: too few rows, no labels for a task that needs them, no time for anything.
    """
    started = time.perf_counter()
    seen = glimpse(source, seed) if isinstance(source, Pool) else source
    traits = measure(seen, target, task=task, embed=embed, features="vectors" if embed else "", sample=sample, seed=seed)
    if isinstance(source, Pool):
        traits = scaled(traits, source, seen)
    return advise_on(
        traits,
        names=(source.name, target.name),
        arms=arms,
        fidelity=fidelity,
        minutes=minutes,
        most=most,
        prior=prior,
        started=started,
    )


def advise_on(
    traits: Traits,
    *,
    names: tuple[str, str] = ("source", "target"),
    arms: Sequence[Arm] | None = None,
    fidelity: Fidelity | None = None,
    minutes: float | None = None,
    most: int = 8,
    prior: Prior | Literal["shipped"] | None = "shipped",
    started: float | None = None,
) -> Advice:
    """The advice for traits that are known already: :func:`advise` without its first half."""
    began = time.perf_counter() if started is None else started
    if most < 1 or (minutes is not None and minutes <= 0):
        raise InputError(f"{most} suggestions within {minutes} minutes", expected="at least one, and some time")
    depth = _fidelity(traits, fidelity)
    given = [Candidate(arm) for arm in arms] if arms is not None else _meaningful(traits, depth)
    steps = walk(traits)
    ranked, excluded = _sorted_out(traits, given, depth, minutes)
    learned = shipped() if prior == "shipped" else prior
    if learned is not None and not learned.fits(traits, depth):
        learned = None
    return Advice(
        source=names[0],
        target=names[1],
        traits=traits,
        steps=steps,
        suggestions=_first(_suggestions(traits, ranked, steps, depth, learned), most),
        excluded=excluded,
        basis="learned" if learned else "rules",
        level=learned.level if learned else None,
        vectors=vector_seconds(traits),
        seconds=time.perf_counter() - began,
    )


def _fidelity(traits: Traits, asked: Fidelity | None) -> Fidelity:
    if traits.task == "causal-lm":
        return "fine-tune"
    return asked or ("fine-tune" if traits.accelerated else "probe")


def _meaningful(traits: Traits, fidelity: Fidelity) -> list[Candidate]:
    return [candidate for candidate in candidates(traits.task) if fidelity in candidate.fidelities]


def _sorted_out(
    traits: Traits, given: Sequence[Candidate], fidelity: Fidelity, minutes: float | None
) -> tuple[list[Arm], tuple[Excluded, ...]]:
    """The arms that these data and this time allow, and the others with what they lack."""
    limit = None if minutes is None else 60 * minutes
    possible, excluded = [], []
    for candidate in given:
        if not candidate.applies(traits):
            continue
        lacks = candidate.missing(traits)
        takes = seconds(traits, candidate.arm, fidelity)
        if lacks is not None:
            excluded.append(Excluded(candidate.arm, lacks))
        elif limit is not None and takes > limit and not candidate.arm.is_control:
            excluded.append(Excluded(candidate.arm, seconds=takes, limit=limit))
        else:
            possible.append(candidate.arm)
    if not possible:
        raise InputError(
            "Nothing can be learned from these data", expected="labels in the source or in the target", fix="label some examples"
        )
    return possible, tuple(excluded)


def _suggestions(
    traits: Traits, arms: Sequence[Arm], steps: Sequence[Step], fidelity: Fidelity, prior: Prior | None
) -> tuple[Suggestion, ...]:
    """Largest gain first; of equals the one named first."""
    half = prior.width(traits) if prior else WIDTH if traits.target_labels else WIDTH_BLIND
    points = prior.gains(traits, arms).tolist() if prior else gains(arms, steps)
    found = []
    for arm, gain in zip(arms, points, strict=True):
        said = worth(arm, steps)
        cost = seconds(traits, arm, fidelity)
        found.append(Suggestion(arm, fidelity, gain, gain - half, gain + half, cost, said.gives, said.takes))
    return tuple(sorted(found, key=lambda one: -round(one.gain, 6)))


def _first(ranked: tuple[Suggestion, ...], most: int) -> tuple[Suggestion, ...]:
    """The first ones, and the best control after them if it is not there: it is what the others have to beat."""
    control = next((one for one in ranked if one.arm.is_control), None)
    return ranked[:most] if control is None or control in ranked[:most] else (*ranked[:most], control)

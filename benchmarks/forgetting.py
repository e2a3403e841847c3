"""A language model goes to a subject: what selection gains and replay keeps. `make bench-forgetting`, two hours on two cores.

SmolLM2, in full. The target is one collection of MedQuAD, of which a few texts are known; the pool is the other collections, GSM8K
and PubMedQA. Arms take the same number of steps over packed rows of the same length, hence the same number of tokens; what is
picked fills one epoch beside the known texts. Held-out bits per byte of the target say what was gained, those of general texts
(reviews, tweets and editorials) what was forgotten; replay brings other texts of the same kinds, one row in ten. Seeds move
selection, order and draws.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.domain import Domain, concatenate
from acclimate.data.hygiene import clean
from acclimate.data.make import open_target
from acclimate.data.packaged import icwsm4
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.evaluate.bootstrap import bootstrap_interval
from acclimate.evaluate.language import kept
from acclimate.models.causal import CausalModel
from acclimate.models.likelihood import Costs, costs
from acclimate.strategy.select import select
from acclimate.tune.examples import gather
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune
from benchmarks import medical
from benchmarks.common import keep

MODEL, COLLECTION, METHOD = "asset:smollm2", "6_NINDS_QA", "dsir"
#: Target texts that selection looks at and that all arms learn from; held-out ones; general ones to measure and to replay.
KNOWN, TEST, GENERAL, REPLAY = 60, 100, 200, 1500
SHARE = 0.1
#: Where finished cells are kept, so that a stopped run goes on.
PARTS = Path("runs") / "bench-forgetting"
ARMS = ("random", "selected", "selected + replay")


class Problem:
    """The texts of one size of the benchmark."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.seeds = 1 if quick else 3
        self.settings = TuneSettings(
            lr=2e-4, batch_size=2 if quick else 4, steps=3 if quick else 60, max_length=96 if quick else 256,
            packing=True, replay=0.5 if quick else SHARE, checkpoint_every=20,
        )  # fmt: skip
        rng = np.random.default_rng(0)
        whole = medical.texts("medquad")
        mine = np.array([name == COLLECTION for name in whole.domains])
        drawn = rng.permutation(np.flatnonzero(mine))
        size = 20 if quick else 1
        self.test = whole.take(np.sort(drawn[KNOWN : KNOWN + TEST // size]), "test")
        others = [whole.take(np.flatnonzero(~mine)), medical.texts("gsm8k"), medical.texts("pubmedqa")]
        pool = concatenate("pool", others)
        if quick:
            pool = pool.take(np.sort(rng.permutation(len(pool))[:1000]))
        self.target = open_target(whole.take(np.sort(drawn[: 2 if quick else KNOWN]), "target"))
        held_out = open_target(concatenate("seen", [self.test, self.target.inputs]))
        cleaned, _ = clean(pool, held_out)
        assert cleaned is not None
        self.pool = without(cleaned, self.test)
        reviews = concatenate("general", [domain.without_labels() for domain in icwsm4().values()])
        order = rng.permutation(len(reviews))
        self.general = reviews.take(np.sort(order[: GENERAL // size]), "general")
        self.replay = without(reviews.take(np.sort(order[GENERAL : GENERAL + REPLAY // size]), "replay"), self.general)

    @property
    def tokens(self) -> int:
        """What a training passes."""
        return self.settings.steps * self.settings.batch_size * self.settings.max_length

    def budget(self, model: CausalModel) -> str:
        """What is left for the source when every token of the target's known texts is passed once."""
        return f"{self.tokens - sum(model.count_tokens(text) for text in self.target.inputs.texts)} tokens"


def without(examples: Domain, others: Domain) -> Domain:
    """The examples whose text is not among the others'."""
    known = set(others.texts)
    return examples.take([row for row, text in enumerate(examples.texts) if text not in known])


def carry_out(problem: Problem, arm: str, seed: int) -> dict[str, Any]:
    """Choose, train and measure one arm with one seed; a finished one is read back."""
    place = PARTS / f"{content_hash(arm, seed, problem.quick, repr(problem.settings), KNOWN, METHOD)}.json"
    if place.exists():
        found: dict[str, Any] = read_json(place)
        return found
    started = time.process_time()
    model = CausalModel(MODEL, device="cpu", windows=1 if problem.quick else 64)
    result: dict[str, Any] = {"arm": arm, "seed": seed}
    if arm != "before":
        method = "random" if arm == "random" else METHOD
        source = select(
            problem.pool,
            problem.target,
            method=method,
            budget=problem.budget(model),
            seed=seed,
            count_tokens=model.count_tokens,
        ).to_domain()
        replay = problem.replay if "replay" in arm else None
        examples = gather(None, source=source, target=problem.target.inputs, replay=replay)
        folder = place.with_suffix("")
        adapted = fine_tune(MODEL, examples, (), problem.settings, seed=seed, folder=folder, task="causal-lm")
        model = model.holding(adapted.model.inner)
        medical_share = float(np.mean([name not in ("gsm8k", "pubmedqa") for name in source.domains]))
        result |= {"picked": len(source), "medical": medical_share}
    for name, examples in (("target", problem.test), ("general", problem.general)):
        found_costs = costs(model, examples)
        result[name] = {
            "nats": found_costs.nats.tolist(),
            "tokens": found_costs.tokens.tolist(),
            "bytes": found_costs.bytes.tolist(),
        }
    write_json(place, {**result, "cpu_seconds": time.process_time() - started})
    return {**read_json(place)}


def costs_of(result: dict[str, Any], name: str) -> Costs:
    """Costs as they were kept."""
    return Costs(*(np.array(result[name][part]) for part in ("nats", "tokens", "bytes")))


def gain(one: list[dict[str, Any]], other: list[dict[str, Any]], name: str) -> dict[str, float]:
    """By how many bits a byte the first costs more than the other, over items and seeds together."""
    pairs = [(costs_of(first, name), costs_of(second, name)) for first, second in zip(one, other, strict=True)]
    mean_size = float(np.mean([first.bytes.mean() for first, _ in pairs]))
    differences = np.concatenate([(first.nats - second.nats) / np.log(2) / mean_size for first, second in pairs])
    items = np.tile(np.arange(len(pairs[0][0])), len(pairs))
    interval = bootstrap_interval(items, np.repeat(np.arange(len(pairs)), len(pairs[0][0])), differences)
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def main() -> None:
    if not medical.present():
        return
    quick = "--quick" in sys.argv
    problem = Problem(quick=quick)
    before = carry_out(problem, "before", 0)
    done: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in range(problem.seeds):
        for arm in ARMS:
            done[arm].append(carry_out(problem, arm, seed))
            sys.stdout.write(f"{arm}, seed {seed}: {costs_of(done[arm][-1], 'target').bits_per_byte:.4f} bits per byte\n")
            sys.stdout.flush()
    start = {name: costs_of(before, name).bits_per_byte for name in ("target", "general")}
    rows = [{"arm": "before", "target": start["target"], "general": start["general"]}]
    for arm, results in done.items():
        means = {name: float(np.mean([costs_of(one, name).bits_per_byte for one in results])) for name in start}
        rows.append({"arm": arm, **means, "cpu_seconds": float(np.mean([one["cpu_seconds"] for one in results]))})
    base = costs_of(before, "general")
    shares = [
        kept(base, costs_of(plain, "general"), costs_of(replayed, "general"))
        for plain, replayed in zip(done["selected"], done["selected + replay"], strict=True)
    ]
    figures = {
        "rows": rows,
        "gain": gain(done["random"], done["selected"], "target"),
        "forgotten": gain(done["selected"], [before] * problem.seeds, "general"),
        "price": gain(done["selected + replay"], done["selected"], "target"),
        "kept": shares,
        "seeds": problem.seeds,
        "tokens": problem.tokens,
        "method": METHOD,
        "collection": COLLECTION,
        "share": problem.settings.replay,
    }
    sys.stdout.write(f"selected against random {figures['gain']}\nkept {shares}\n")
    keep("forgetting-quick" if quick else "forgetting", **figures)


if __name__ == "__main__":
    main()

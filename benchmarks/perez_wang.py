"""Which augmentation helps a small network on eighty photographs? `make bench-perez-wang`, some fifteen minutes on one core.

The comparison of Perez & Wang 2017: none, traditional, GAN, neural augmentation with its three losses, and style, on two classes
with few pictures; here two classes of PACS's photographs, 40 a class, and style from its paintings (their "GAN" is a style
transfer with CycleGAN; here `gan` draws pictures, and style is taken by three methods). Like there, one task has two classes that
are unlike each other (dog or guitar, for dogs or goldfish); `--both` adds one of two animals (dog or horse, for dogs or cats),
another fifteen minutes. Every arm trains their small network afresh for the same number of steps; a batch is half given and half
new pictures, as there. Seeds move the draw, the initial weights, the order and the augmentation together; the test is every other
picture of both classes that repeats none drawn.

Cells are kept in `runs/bench-perez-wang`, so that a stopped run goes on. Skipped where the data is absent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from acclimate.augment.expand.image.learned import Lesson, as_numbers
from acclimate.augment.expand.image.networks import SmallClassifier, seeded
from acclimate.augment.expand.image.neural import Neural
from acclimate.augment.expand.image.pictures import coloured, planes, resized
from acclimate.augment.run import augment
from acclimate.data.domain import Domain, concatenate
from acclimate.data.hygiene import without_repeats
from acclimate.data.split import stratified_draw
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.intervals import accuracy_interval
from acclimate.evaluate.verdict import verdicts
from benchmarks import pacs
from benchmarks.common import keep

TASKS = (("dog", "guitar"), ("dog", "horse"))
DOMAIN, STYLES = "photo", "art_painting"
PER_CLASS, TIMES, SEEDS, SIDE, BATCH, RATE = 40, 4, 5, 40, 32, 1e-3
PARTS = Path("runs") / "bench-perez-wang"
#: Steps of the small network, of the GAN and of the augmentation network.
STEPS = {"classifier": 250, "gan": 500, "neural": 150}
QUICK_STEPS = {"classifier": 10, "gan": 5, "neural": 5}
LOSSES = ("none", "content", "style")
#: What is trained on beside the given pictures, by arm: method, copies and settings; several make parts of the new pictures.
ARMS: dict[str, list[tuple[str, int]]] = {
    "none": [],
    "traditional (geometric, colour)": [("geometric", TIMES // 2), ("colour", TIMES // 2)],
    "randaugment": [("randaugment", TIMES)],
    "erasing": [("erasing", TIMES)],
    "gan": [("gan", TIMES)],
    "style: fourier": [("fourier", TIMES)],
    "style: mean-std": [("mean-std", TIMES)],
    "style: histogram": [("histogram", TIMES)],
}
NEURAL = {f"neural, loss {loss}": loss for loss in LOSSES}

#: By arm and seed: ids of the test pictures, which are right, and what making the new ones cost.
Done = dict[tuple[str, int], dict[str, Any]]


def main() -> None:
    quick = "--quick" in sys.argv
    if not pacs.FILE.exists():
        sys.stdout.write(f"skipped: there is no '{pacs.FILE}'\n")
        return
    steps, seeds = (QUICK_STEPS, 2) if quick else (STEPS, SEEDS)
    tasks = TASKS if "--both" in sys.argv else TASKS[:1]
    found = [row for classes in tasks for row in rows(classes, finished(classes, steps, seeds), seeds)]
    facts = {"per_class": PER_CLASS, "side": SIDE, "seeds": seeds, "times": TIMES, "steps": steps}
    keep("perez-wang-quick" if quick else "perez-wang", **facts, rows=found)


def finished(classes: tuple[str, str], steps: dict[str, int], seeds: int) -> Done:
    """Every arm's answers with every seed; cells that are not kept yet are carried out."""
    photographs, paintings = pacs.domain(DOMAIN, classes), pacs.domain(STYLES, classes)
    assert photographs is not None
    assert paintings is not None
    done: Done = {}
    for seed in range(seeds):
        for cell in (*ARMS, *NEURAL):
            key = content_hash(cell, classes, seed, steps, PER_CLASS, TIMES, SIDE, BATCH, RATE)
            place = PARTS / f"{key}.json"
            if not place.exists():
                with one_thread():
                    write_json(place, carry_out(cell, seed, steps, photographs, paintings.without_labels()))
            arms = read_json(place)
            done |= {(arm, seed): answers for arm, answers in arms.items()}
            said = ", ".join(f"{arm} {np.mean(answers['correct']):.3f}" for arm, answers in arms.items())
            sys.stdout.write(f"{' or '.join(classes)}, seed {seed}: {said}\n")
            sys.stdout.flush()
    return done


def carry_out(cell: str, seed: int, steps: dict[str, int], photographs: Domain, paintings: Domain) -> dict[str, Any]:
    """The arms of one cell with one seed: which test pictures each gets right, and what making its pictures cost."""
    classes = photographs.classes
    drawn, others = stratified_draw(photographs, PER_CLASS * len(classes), seed)
    few = photographs.take(drawn)
    test = without_repeats(photographs.take(others), few)
    begun = time.process_time()
    joint = None
    if cell in NEURAL:
        method = Neural(loss=NEURAL[cell], steps=steps["neural"], side=SIDE, batch=BATCH, rate=RATE)
        lesson = Lesson.of(few, method.method, seed)
        network, joint = method.train(lesson)
        new: Domain | None = method.pair(network, lesson, few, TIMES, seed)
    else:
        parts = [expanded(name, times, few, paintings, seed, steps) for name, times in ARMS[cell]]
        new = concatenate("new", parts) if parts else None
    seconds = time.process_time() - begun
    arms = {cell: fit(few, new, classes, seed, steps["classifier"])}
    if joint is not None:
        arms[f"{cell}, joint"] = joint
    return {arm: {**judged(network, test, classes), "cpu_seconds": seconds} for arm, network in arms.items()}


def expanded(name: str, times: int, few: Domain, paintings: Domain, seed: int, steps: dict[str, int]) -> Domain:
    settings = {"steps": steps["gan"]} if name == "gan" else {}
    # As the paper does, and as the network of the other arms does: nothing that is made is refused.
    return augment(few, method=name, times=times, seed=seed, style=paintings, guard="none", **settings)


def numbers(examples: Domain) -> torch.Tensor:
    return torch.cat([as_numbers(resized(coloured(planes(data)), SIDE, SIDE)) for data in examples.images])


def codes(examples: Domain, classes: Sequence[str]) -> torch.Tensor:
    return torch.tensor([classes.index(str(label)) for label in examples.labels])


def fit(few: Domain, new: Domain | None, classes: Sequence[str], seed: int, steps: int) -> SmallClassifier:
    """The small network after ``steps`` batches, half of them new pictures where there are any."""
    given, labels = numbers(few), codes(few, classes)
    made, made_labels = (numbers(new), codes(new, classes)) if new is not None else (given, labels)
    with seeded(seed):
        network = SmallClassifier(len(classes), SIDE).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        rng = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            rows = torch.randint(len(given), (BATCH // 2,), generator=rng)
            others = torch.randint(len(made), (BATCH // 2,), generator=rng)
            logits = network(torch.cat([given[rows], made[others]]))
            loss = torch.nn.functional.cross_entropy(logits, torch.cat([labels[rows], made_labels[others]]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def judged(network: Callable[[torch.Tensor], torch.Tensor], test: Domain, classes: Sequence[str]) -> dict[str, Any]:
    with torch.inference_mode():
        correct = network(numbers(test)).argmax(1) == codes(test, classes)
    return {"ids": test.ids, "correct": correct.int().tolist()}


def rows(classes: Sequence[str], done: Done, seeds: int) -> list[dict[str, Any]]:
    """Accuracy and interval of every arm, and its paired comparison with none, Holm over the arms."""
    arms = list(dict.fromkeys(arm for arm, _ in done))
    items = {arm: [name for seed in range(seeds) for name in done[arm, seed]["ids"]] for arm in arms}
    of_seed = {arm: [seed for seed in range(seeds) for _ in done[arm, seed]["ids"]] for arm in arms}
    correct = {arm: np.concatenate([done[arm, seed]["correct"] for seed in range(seeds)]) for arm in arms}
    pairs = {arm: (items[arm], of_seed[arm], correct[arm] - correct["none"]) for arm in arms if arm != "none"}
    compared = {comparison.arm: comparison for comparison in verdicts(pairs, "none")}
    found = []
    for arm in arms:
        interval, beside = accuracy_interval(items[arm], of_seed[arm], correct[arm]), compared.get(arm)
        found.append(
            {
                "arm": arm,
                "task": " or ".join(classes),
                "accuracy": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "difference": None if beside is None else 100 * beside.difference,
                "difference_low": None if beside is None else 100 * beside.low,
                "difference_high": None if beside is None else 100 * beside.high,
                "p_corrected": None if beside is None else beside.p_corrected,
                "verdict": "–" if beside is None else beside.verdict,
                "cpu_seconds": float(np.mean([done[arm, seed]["cpu_seconds"] for seed in range(seeds)])),
            }
        )
    return found


if __name__ == "__main__":
    main()

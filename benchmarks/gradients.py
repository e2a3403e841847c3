"""What does a gradient feature cost, and what does its sketch keep? `make bench-gradients`, about ten minutes on one core.

SmolLM2-135M with LoRA of rank 8 on q, k, v and o (921,600 parameters) after a short warm-up with AdamW, documents of 20 Newsgroups
cut at 128 tokens, one thread.

- Cost: CPU seconds of the whole feature (forward and backward pass, gradient of each example, sketch to 8,192) over those of a
  plain forward and backward pass of peft on the same batch; one after the other in alternating order, medians over the pairs.
- Fidelity: Spearman's correlation of the cosines of sketches with those of the gradients themselves, for 64 source and 16 target
  documents; beside it a dense random projection to as many numbers.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from acclimate.data.packaged import newsgroups20
from acclimate.engine.threads import one_thread
from acclimate.features.adam import precondition
from acclimate.features.gradients import LoraGradients, per_example_gradients
from acclimate.features.lora import TARGETS
from acclimate.models.causal import CausalModel
from benchmarks.common import keep

LENGTH, RANK, DIM, SOURCE, TARGET = 128, 8, 8192, 64, 16
#: Texts of a batch: as many as acclimate puts into one pass at this length.
ROWS = 4
#: CPU seconds for one example on this machine's kind (SmolLM2-135M, 128 tokens): gradient 1.05, dense projection 6.01.
REFERENCE = {"dense projection, as in LESS and TRAK": 6.7, "asked": 1.15, "correlation asked": 0.98}

Gradients = NDArray[np.float32]


def documents(model: CausalModel, count: int, seed: int = 0) -> list[str]:
    """Documents of at least ``LENGTH`` tokens, drawn at random."""
    texts = newsgroups20("train").texts
    order = np.random.default_rng(seed).permutation(len(texts))
    long = (texts[row] for row in order if model.count_tokens(texts[row]) >= LENGTH)
    return [next(long) for _ in range(count)]


def batch_of(model: CausalModel, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token numbers and which of them are scored, ``(ROWS, LENGTH)`` each."""
    batch = next(model.batches(model.first_window(texts)))
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.scored)


def peft_model(name: str, adapter: Path | None = None) -> Any:
    """The same model with LoRA as peft adds it, fresh or read from a folder."""
    from peft import LoraConfig, PeftModel, get_peft_model

    base = CausalModel(name, device="cpu", max_length=LENGTH).model
    if adapter is not None:
        return PeftModel.from_pretrained(base, adapter, is_trainable=True).eval()
    return get_peft_model(base, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=list(TARGETS), task_type="CAUSAL_LM"))


def warm_up(model: CausalModel, texts: Sequence[str], folder: Path) -> None:
    """Some steps of AdamW, saved as transformers saves them: an adapter and ``optimizer.pt``."""
    torch.manual_seed(0)
    peft = peft_model(model.name)
    optimiser = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], lr=3e-4)
    for start in range(0, len(texts), ROWS):
        ids, _ = batch_of(model, texts[start : start + ROWS])
        peft(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    peft.save_pretrained(folder)
    torch.save(optimiser.state_dict(), folder / "optimizer.pt")


def plain_pass(peft: Any, ids: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        peft(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        peft.zero_grad()

    return run


def whole_feature(gradients: LoraGradients, ids: torch.Tensor, scored: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        gradients.shorten(per_example_gradients(gradients.model.model, gradients.adapter, ids, scored))

    return run


def seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def cost(model: CausalModel, folder: Path, texts: Sequence[str], pairs: int) -> dict[str, Any]:
    """CPU seconds a text of the plain pass and of the feature, with and without Adam's state, and the medians of their ratios."""
    arms = {"feature": LoraGradients(model, adapter=folder, cache=None)}
    arms["feature with Adam's state"] = LoraGradients(model, adapter=folder, adam=folder / "optimizer.pt", cache=None)
    peft = peft_model(model.name, folder)
    taken: dict[str, list[float]] = {"plain pass": [], **{name: [] for name in arms}}
    for pair in range(-1, pairs):  # the first is for warming up
        first = (pair % (len(texts) // ROWS)) * ROWS
        ids, scored = batch_of(model, texts[first : first + ROWS])
        actions = {"plain pass": plain_pass(peft, ids)}
        actions |= {name: whole_feature(gradients, ids, scored) for name, gradients in arms.items()}
        order = list(actions) if pair % 2 else list(reversed(actions))
        for name in order:
            spent = seconds(actions[name])
            if pair >= 0:
                taken[name].append(spent / ROWS)
    ratios = {name: [a / b for a, b in zip(taken[name], taken["plain pass"], strict=True)] for name in arms}
    return {
        "seconds": {name: statistics.median(values) for name, values in taken.items()},
        "ratios": {name: statistics.median(values) for name, values in ratios.items()},
        "spread": {name: [min(values), max(values)] for name, values in ratios.items()},
        "pairs": pairs,
    }


def dense_projection(gradients: Gradients, dim: int) -> Gradients:
    """Random signs, drawn block by block: the projection of LESS and TRAK."""
    rng = np.random.default_rng(0)
    projected = np.zeros((len(gradients), dim), dtype=np.float32)
    for start in range(0, gradients.shape[1], 4096):
        block = gradients[:, start : start + 4096]
        bits = np.unpackbits(rng.integers(0, 256, (block.shape[1], dim // 8), dtype=np.uint8), axis=1)
        projected += block @ (bits.astype(np.float32) * 2 - 1)
    return projected


def cosines(source: Gradients, target: Gradients) -> NDArray[np.float64]:
    """``(n, p)`` and ``(m, p)`` to ``(n, m)``."""
    here, there = (rows.astype(np.float64) for rows in (source, target))
    return (here @ there.T) / np.linalg.norm(here, axis=1)[:, None] / np.linalg.norm(there, axis=1)


def agreement(exact: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, float]:
    return {
        "correlation": float(spearmanr(found.ravel(), exact.ravel()).statistic),
        "error": float(np.sqrt(np.mean((found - exact) ** 2))),
        "spread": float(exact.std()),
    }


def fidelity(model: CausalModel, folder: Path, texts: Sequence[str], dense: bool) -> dict[str, Any]:
    """How sketches rank pairs of documents, and how they rank documents by their cosine with the target's mean gradient (LESS)."""
    state = folder / "optimizer.pt"
    plain = LoraGradients(model, adapter=folder, cache=None)
    steps = LoraGradients(model, adapter=folder, adam=state, cache=None)
    beside = LoraGradients(model, adapter=folder, adam=state, as_steps=False, cache=None)
    gradients = plain.exact(texts[: SOURCE + TARGET])
    here, there = gradients[:SOURCE], gradients[SOURCE:]
    assert steps.adam is not None
    taken = precondition(torch.from_numpy(here), steps.adam).numpy()

    def alone(project: Callable[[Gradients], Gradients]) -> Callable[[Gradients], tuple[Gradients, Gradients]]:
        return lambda rows: (project(rows), project(there))

    def shared(_: Gradients) -> tuple[Gradients, Gradients]:
        return steps.shorten(torch.from_numpy(here)), beside.shorten(torch.from_numpy(there))

    ways = {"gradients, sketch": (here, alone(plain.sketch)), "steps of Adam, sketch": (taken, alone(plain.sketch))}
    ways["steps of Adam, sketch without the shared step"] = (taken, shared)
    if dense:
        ways["gradients, dense projection"] = (here, alone(lambda rows: dense_projection(rows, DIM)))
        ways["steps of Adam, dense projection"] = (taken, alone(lambda rows: dense_projection(rows, DIM)))
    return {name: _figures(rows, there, shorten) for name, (rows, shorten) in ways.items()}


def _figures(source: Gradients, target: Gradients, shorten: Callable[[Gradients], tuple[Gradients, Gradients]]) -> dict[str, Any]:
    start = time.process_time()
    ours, theirs = shorten(source)
    spent = (time.process_time() - start) / (len(source) + len(target))
    means = target.mean(axis=0, keepdims=True), theirs.mean(axis=0, keepdims=True)
    return {
        "pairs": agreement(cosines(source, target), cosines(ours, theirs)),
        "scores": agreement(cosines(source, means[0]), cosines(ours, means[1])),
        "seconds": spent,
    }


def main() -> None:
    quick = "--quick" in sys.argv
    model = CausalModel(device="cpu", max_length=LENGTH)
    warm, pairs = (4, 2) if quick else (64, 12)
    with one_thread(), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        texts = documents(model, warm + SOURCE + TARGET)
        warm_up(model, texts[:warm], folder)
        spent = cost(model, folder, texts[warm:], pairs)
        kept = fidelity(model, folder, texts[warm:], dense=not quick)
    for name, ratio in spent["ratios"].items():
        sys.stdout.write(f"{name}: {ratio:.3f} times the plain pass (at most {REFERENCE['asked']})\n")
    for name, figures in kept.items():
        of_pairs, of_scores = figures["pairs"], figures["scores"]
        sys.stdout.write(
            f"{name}: correlation {of_pairs['correlation']:.4f} over pairs, {of_scores['correlation']:.4f} of scores, error "
            f"{of_pairs['error']:.4f} of cosines that spread by {of_pairs['spread']:.3f}; {figures['seconds']:.4f} CPU s a text\n"
        )
    keep("gradients", reference=REFERENCE, cost=spent, fidelity=kept, warm_up=warm // ROWS, length=LENGTH, dim=DIM)


if __name__ == "__main__":
    main()

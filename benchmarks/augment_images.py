"""How fast are pictures augmented, on one thread? `make bench-augment-images`, some two minutes on one core.

Batches of uint8 pictures in memory, 256 of 32 × 32 and 16 of 224 × 224, photographs where PACS is there, else smooth noise;
RandAugment with two operations at magnitude 9. Kornia draws one set of operations for a whole batch and works on floats from 0 to
1, which it is handed as such; acclimate draws for every picture and works on bytes. Fourier adaptation exchanges low frequencies
with a second picture, whose spectrum is computed anew each time; the reference is the same formula with batched fast Fourier
transforms of all frequencies in torch. Ours and theirs take turns, so that a busy machine slows both; CPU seconds count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from acclimate.augment import METHODS
from acclimate.augment.expand.image.fourier import adapt
from acclimate.engine.threads import one_thread
from benchmarks.common import keep
from benchmarks.pacs import pictures

#: Side and pictures of a batch.
SIZES = ((32, 256), (224, 16))
#: Pictures a second asked for, by what and side.
ASKED = {"randaugment": {32: 25_000, 224: 400}, "fourier": {32: 20_000, 224: 250}}
#: β of the Fourier adaptation: those of the paper.
BETAS = (0.01, 0.05, 0.09)
PLANNED = ("geometric", "colour", "kernel-filter", "erasing", "trivialaugment", "autoaugment")

Call = Callable[[int], Any]


def randaugment(images: np.ndarray) -> dict[str, Call]:
    """Ours by picture and kornia's by batch; the argument numbers the calls, so that each draws anew."""
    from kornia.augmentation.auto import RandAugment

    ours, theirs = METHODS["randaugment"](), RandAugment(n=2, m=9)  # type: ignore[call-arg]
    floats = torch.from_numpy(images).float() / 255
    return {"acclimate": lambda turn: ours.apply(images, keys(images, turn)), "kornia": lambda _: theirs(floats)}


def keys(images: np.ndarray, turn: int) -> np.ndarray:
    return np.arange(len(images), dtype=np.uint64) + np.uint64(turn * len(images))


def fourier(images: np.ndarray, beta: float) -> dict[str, Call]:
    styles = images[::-1].copy()
    floats = [torch.from_numpy(part).float() for part in (images, styles)]
    return {"acclimate": lambda _: adapt(images, styles, beta), "batched FFT": lambda _: whole_transform(*floats, beta)}


def whole_transform(images: torch.Tensor, styles: torch.Tensor, beta: float) -> torch.Tensor:
    """Yang & Soatto 2020, eq. 3, with real fast Fourier transforms of the whole batch."""
    height, width = images.shape[2:]
    reach = int(beta * min(height, width))
    spectrum, other = torch.fft.rfft2(images), torch.fft.rfft2(styles).abs()
    amplitude, phase = spectrum.abs(), spectrum.angle()
    for rows in (slice(0, reach + 1), slice(height - reach, height) if reach else slice(0, 0)):
        amplitude[..., rows, : reach + 1] = other[..., rows, : reach + 1]
    return torch.fft.irfft2(torch.polar(amplitude, phase), s=(height, width)).clamp(0, 255)


def race(calls: dict[str, Call], count: int, seconds: float, turns: int) -> dict[str, float]:
    """Pictures a CPU second of each call over ``turns`` of at least ``seconds`` each, taken in turn."""
    spent, done = dict.fromkeys(calls, 0.0), dict.fromkeys(calls, 0)
    number = 0
    for name, call in calls.items():
        for number in range(3 if name != "acclimate" else 30):  # compiles every operation that can be drawn
            call(number)
    for _ in range(turns):
        for name, call in calls.items():
            start = time.process_time()
            while time.process_time() - start < seconds:
                number += 1
                call(number)
                done[name] += count
            spent[name] += time.process_time() - start
    return {name: done[name] / spent[name] for name in calls}


def line(what: str, side: int, rates: dict[str, float]) -> dict[str, Any]:
    name = what.partition(" ")[0]
    others = [rate for key, rate in rates.items() if key != "acclimate"]
    row = {
        "what": what,
        "side": side,
        "per_second": rates,
        "cpu_seconds_per_1000": {key: 1000 / rate for key, rate in rates.items()},
        "ratio": rates["acclimate"] / others[0] if others else None,
        "asked": ASKED.get(name, {}).get(side),
    }
    sys.stdout.write(f"{what:16} {side:4}  " + "  ".join(f"{key} {rate:,.0f}/s" for key, rate in rates.items()) + "\n")
    sys.stdout.flush()
    return row


def main() -> None:
    quick = "--quick" in sys.argv
    seconds, turns = (0.3, 1) if quick else (1.5, 3)
    rows = []
    with one_thread():
        torch.manual_seed(0)
        for side, count in SIZES:
            images = pictures(count, side)
            rows.append(line("randaugment", side, race(randaugment(images), count, seconds, turns)))
            rows += [line(f"fourier β={b}", side, race(fourier(images, b), count, seconds, turns)) for b in BETAS]
            for name in PLANNED:
                method: Any = METHODS[name]()
                call = {"acclimate": lambda turn, method=method, images=images: method.apply(images, keys(images, turn))}
                rows.append(line(name, side, race(call, count, seconds / 2, turns)))
    keep("augment-images-quick" if quick else "augment-images", rows=rows)


if __name__ == "__main__":
    main()

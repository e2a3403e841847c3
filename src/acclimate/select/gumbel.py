"""Gumbel top-k: drawing without replacement in proportion to the exponential of a score, by adding noise and sorting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.select.random import uniform

#: Where the scores spread less than this share of the temperature, a draw is close to a random one, which is worth a note.
FLAT = 0.25


def gumbel_keys(scores: NDArray[np.float64], ids: list[str], *, seed: int, temperature: float) -> NDArray[np.float64]:
    """Perturbed scores, ``(n,)``: their ``k`` largest are a sample without replacement with odds ``exp(score / temperature)``.

    Kool, van Hoof & Welling 2019, "Stochastic beams and where to find them", §2 and appendix A: the order of
    ``score / temperature + Gumbel noise`` is that of drawing one row after another, each with probability proportional to
    ``exp(score / temperature)`` among those that are left (Plackett-Luce). With log density ratios as scores and a temperature of
    1 that is importance resampling, as in DSIR (Xie et al. 2023, §3.1).

    The noise is made from (seed, id), so that a row's fate does not depend on where it stands or who its neighbours are.

    Args:
        scores: ``(n,)``; infinite ones are first or last whatever the noise.
        ids: the ``n`` ids.
        temperature: above 0; towards 0 the draw becomes the plain top-k, towards infinity a random pick.
    """
    return scores / temperature - np.log(-np.log(uniform(seed, ids, "gumbel")))


def flatness_note(scores: NDArray[np.float64], temperature: float) -> str:
    """A warning where the temperature drowns the scores; empty otherwise."""
    finite = scores[np.isfinite(scores)]
    spread = float(finite.std()) if len(finite) else 0.0
    if spread == 0.0 or spread >= FLAT * temperature:
        return ""
    return (
        f"the scores spread by {spread:.2g} only, against a temperature of {temperature:g}: the draw is close to random; "
        f"try temperature={spread:.1g}"
    )

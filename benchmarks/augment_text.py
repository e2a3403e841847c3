"""How many new texts a second, on one core? `make bench-augment-text`, some three minutes; `--quick` under one.

Texts of 20 words out of film reviews (ICWSM). Rates are new texts for each CPU second of one process, median of the rounds, sides
taking turns, synonyms loaded before the clock starts. Beside acclimate's EDA runs a plain one, written here from section 2 of the
paper as a loop over lists of words with the same synonyms, remembered; what it leaves out is what acclimate adds: layout, case,
negations, numbers, origins, and randomness that depends on the example alone. Whether the bytes are the same for 1 and 2 workers
and for another hash seed is checked as well.
"""

from __future__ import annotations

import functools
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from acclimate.augment.expand.thesaurus import Thesaurus
from acclimate.augment.run import augment as guarded
from acclimate.data.domain import Domain, from_columns
from acclimate.data.packaged import icwsm4
from acclimate.data.synonyms import wordnet_synonyms
from acclimate.engine.threads import one_thread
from benchmarks.common import keep

#: What methods make, before any guard: the figures of other libraries hold for making alone.
augment = functools.partial(guarded, guard="none")

WORDS, ALPHA = 20, 0.1
ASKED = 40_000
#: Measured elsewhere (outputs a second on one core): the reference's own code with nine variants a text, the same with remembered
#: synonyms, and two libraries.
REFERENCE = {
    "EDA reference": 14_848,
    "EDA reference, synonyms remembered": 37_662,
    "nlpaug, synonyms": 1805,
    "TextAttack EasyDataAugmenter": 86,
}
#: The other methods, with settings, texts and copies: as many as take a few seconds.
OTHERS: tuple[tuple[str, dict[str, Any], int, int], ...] = (
    ("noise", {}, 2000, 9),
    ("wordnet", {}, 2000, 9),
    ("embedding-neighbour", {}, 2000, 9),
    ("back-translation", {}, 20, 1),
    ("causal-infill", {}, 4, 2),
)


def texts_of_twenty_words(count: int) -> Domain:
    words = [word for text in icwsm4()["movie"].texts for word in text.split()]
    texts = [" ".join(words[start : start + WORDS]) for start in range(0, WORDS * count, WORDS)]
    return from_columns("film", texts, ["x"] * count)


def plain_eda(sentence: str, copies: int, synonyms: Callable[[str], Sequence[str]]) -> list[str]:
    """The paper's four operations in turn, each on ``ALPHA`` of the words."""
    words = sentence.split()
    count = max(1, int(ALPHA * len(words)))
    return [" ".join(PLAIN[copy % 4](list(words), count, synonyms)) for copy in range(copies)]


def _plain_replace(words: list[str], count: int, synonyms: Callable[[str], Sequence[str]]) -> list[str]:
    able = [word for word in dict.fromkeys(words) if synonyms(word)]
    random.shuffle(able)
    for word in able[:count]:
        other = random.choice(synonyms(word))
        words = [other if own == word else own for own in words]
    return words


def _plain_insert(words: list[str], count: int, synonyms: Callable[[str], Sequence[str]]) -> list[str]:
    for _ in range(count):
        for _ in range(10):
            if found := synonyms(random.choice(words)):
                words.insert(random.randint(0, len(words)), random.choice(found))
                break
    return words


def _plain_swap(words: list[str], count: int, _: Callable[[str], Sequence[str]]) -> list[str]:
    for _ in range(count):
        one, other = random.randrange(len(words)), random.randrange(len(words))
        words[one], words[other] = words[other], words[one]
    return words


def _plain_delete(words: list[str], _: int, __: Callable[[str], Sequence[str]]) -> list[str]:
    return [word for word in words if random.random() > ALPHA] or [random.choice(words)]


PLAIN = (_plain_replace, _plain_insert, _plain_swap, _plain_delete)


def rate(work: Callable[[], int]) -> float:
    """Outputs a CPU second."""
    start = time.process_time()
    made = work()
    return made / (time.process_time() - start)


def speeds(parents: Domain, rounds: int) -> list[dict[str, Any]]:
    """EDA of both sides, in turns."""
    synonyms = Thesaurus([wordnet_synonyms()]).synonyms
    sides: dict[str, Callable[[], int]] = {}
    for copies in (9, 4):
        sides[f"acclimate, {copies} copies"] = lambda copies=copies: len(augment(parents, method="eda", times=copies))  # type: ignore[misc]
        sides[f"plain loop, {copies} copies"] = lambda copies=copies: sum(  # type: ignore[misc]
            len(plain_eda(text, copies, synonyms)) for text in parents.texts
        )
    for work in sides.values():
        work()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            found[name].append(rate(work))
    return [{"side": name, "rate": median(rates), "least": min(rates), "most": max(rates)} for name, rates in found.items()]


def others(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for method, settings, count, copies in OTHERS[: 3 if quick else None]:
        parents = texts_of_twenty_words(count)
        augment(parents.take([0]), method=method, times=1, **settings)
        work = lambda: len(augment(parents, method=method, times=copies, **settings))  # noqa: B023, E731 (called at once)
        rows.append({"method": method, "rate": rate(work)})
        sys.stdout.write(f"{rows[-1]}\n")
    return rows


def digest(workers: int = 1) -> str:
    grown = augment(texts_of_twenty_words(500), method="eda", times=4, workers=workers)
    return hashlib.sha256("\n".join([*grown.texts, *grown.table.column("origin").to_pylist()]).encode()).hexdigest()


def same_bytes() -> dict[str, bool]:
    code = "from benchmarks.augment_text import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    elsewhere = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    own = digest()
    return {"two workers": digest(2) == own, "another hash seed": elsewhere.stdout.strip() == own}


def main() -> None:
    quick = "--quick" in sys.argv
    with one_thread():
        rows = speeds(texts_of_twenty_words(500 if quick else 5000), 3 if quick else 9)
        for row in rows:
            sys.stdout.write("  ".join(f"{name}={value}" for name, value in row.items()) + "\n")
        keep("augment-text", asked=ASKED, rows=rows, others=others(quick), same=same_bytes(), reference=REFERENCE)


if __name__ == "__main__":
    main()

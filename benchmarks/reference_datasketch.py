"""Near duplicates by datasketch, as its documentation does it; run in an environment of its own that has nothing else.

    python reference_datasketch.py ELEMENTS.jsonl PAIRS.json PERMUTATIONS THRESHOLD BANDS ROWS

Reads a list of elements a line, and times signing, look-up with insertion, and the comparison of candidates; not the reading.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from datasketch import MinHash, MinHashLSH


def main() -> None:
    source, out, permutations, threshold, bands, rows = sys.argv[1:]
    with Path(source).open("rb") as file:
        texts = [[element.encode() for element in json.loads(line)] for line in file]
    begun = time.process_time()
    signed = []
    for elements in texts:
        minhash = MinHash(num_perm=int(permutations))
        minhash.update_batch(elements)
        signed.append(minhash)
    signing = time.process_time() - begun
    runs = {}
    settings = {"same bands": {"params": (int(bands), int(rows))}, "its own bands": {"threshold": float(threshold)}}
    for name, setting in settings.items():
        begun = time.process_time()
        index, pairs = MinHashLSH(num_perm=int(permutations), **setting), []
        for row, minhash in enumerate(signed):
            pairs += [(other, row) for other in index.query(minhash) if minhash.jaccard(signed[other]) >= float(threshold)]
            index.insert(row, minhash)
        seconds = signing + time.process_time() - begun
        runs[name] = {"bands": index.b, "rows": index.r, "cpu_seconds": seconds, "signing": signing, "pairs": pairs}
    Path(out).write_text(json.dumps({"version": version("datasketch"), "runs": runs}), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The default and the finalists, measured on repetitions of which each is a step of the run's folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from acclimate.data.target import Ledger
from acclimate.engine.local import map_ordered
from acclimate.engine.progress import track
from acclimate.engine.storage import content_hash
from acclimate.errors import RunError
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.search.candidate import Candidate
from acclimate.strategy.search.judge import Measured
from acclimate.strategy.search.work import Job


def measure_all(
    job: Job, candidates: Mapping[str, Candidate], draws: Sequence[int], folder: RunFolder, label: str
) -> tuple[dict[str, Measured], list[dict[str, object]]]:
    """Every candidate on the same repetitions, what is missing in parallel; and the openings of the validation parts."""
    units = [(name, draw) for name in candidates for draw in draws]
    missing = [(candidates[name], draw) for name, draw in units if folder.read_step(_key(job, candidates[name], draw)) is None]
    alone = job.asked.fidelity == "probe"  # fits in less time than a process takes to start
    workers = 1 if alone else max(1, min(job.workers, len(missing)))
    for _ in track(map_ordered(partial(_step, job, folder), missing, workers), label, total=len(missing)):
        pass
    found, openings = {}, []
    for name, candidate in candidates.items():
        tables = [_read(folder, _key(job, candidate, draw)) for draw in draws]
        found[name] = Measured(
            [item for table in tables for item in table["item"].to_pylist()],
            np.concatenate([np.full(len(table), draw) for table, draw in zip(tables, draws, strict=True)]),
            np.concatenate([np.asarray(table["right"].to_numpy(), dtype=np.int64) for table in tables]),
        )
        openings += [one for table in tables for one in orjson.loads(table.schema.metadata[b"openings"])]
    return found, openings


def _key(job: Job, candidate: Candidate, draw: int) -> str:
    about = (str(candidate.arm), dataclasses.asdict(candidate.tune), candidate.C, candidate.epochs)
    return content_hash("search", job.name, *about, draw)


def _step(job: Job, folder: RunFolder, unit: tuple[Candidate, int]) -> None:
    candidate, draw = unit
    folder.step(_key(job, candidate, draw), lambda: _table(job, candidate, draw))


def _table(job: Job, candidate: Candidate, draw: int) -> pa.Table:
    judge = dataclasses.replace(job.judge, ledger=Ledger())
    found = judge.measure(candidate, [draw])
    table = pa.table({"item": pa.array(found.items, pa.string()), "right": pa.array(found.right, pa.int8())})
    return table.replace_schema_metadata({b"openings": orjson.dumps(judge.ledger.openings)})


def _read(folder: RunFolder, key: str) -> pa.Table:
    table = folder.read_step(key)
    if table is None:
        raise RunError(
            f"The step {key} of '{Path(folder.path)}' is gone", fix="do not empty a run folder while it runs; start again"
        )
    return table

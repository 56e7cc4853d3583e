"""What a model costs and how it behaves, measured in the process that this runs in.

A service predicts a row at a time: that is timed from raw columns to prediction, after a warm-up, and the 95th
percentile is what one caller in twenty waits longer than. It is done on one thread, as a service does that has several
callers: two threads of OpenMP that share a core with somebody else wait for each other, 650 ms instead of 30 for a row
of gradient boosting. A slow model is not measured for minutes: after `ENOUGH_SECONDS` fewer repetitions do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.columns import source_columns
from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.judging.behaviours import broken, changed
from tasks.models import Predictor, has_network, load
from tasks.records import Artifact, Measurements, Model
from tasks.reference import sample
from tasks.sentences import listed, meant
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd

SINGLE_ROWS, FEWEST_SINGLE_ROWS = 100, 20
ROWS, BATCHES = 1000, 3
ENOUGH_SECONDS = 1.0
MEGABYTE = 1e6


def measured(model: Model, test: Artifact, behaviours: Sequence[Behaviour], store: Store) -> Measurements:
    """Give what was measured of a model on up to `ROWS` test rows; in the batch they are repeated if they are fewer.

    The memory is what loading and predicting add to the peak of the process; the libraries are there before. So the
    first model that is measured in a process is measured best: a second one finds memory that the first has freed.
    """
    from threadpoolctl import threadpool_limits

    rows, network = _rows(model, test, behaviours, store), has_network(model)
    _import_libraries(network)
    memory = PeakMemory()
    predictor = load(model, store)
    with threadpool_limits(limits=1):
        row_seconds, batch_seconds = _row_seconds(predictor, rows, model.seed), _batch_seconds(predictor, rows)
        bytes_added = memory.added()
        shares = shares_broken(predictor, rows, behaviours, network)
    return Measurements(
        row_milliseconds=1000 * float(np.percentile(row_seconds, 95)),
        batch_seconds=float(np.median(batch_seconds)),
        batch_rows=ROWS,
        megabytes=sum(file.size for file in model.files.values()) / MEGABYTE,
        memory_megabytes=bytes_added / MEGABYTE,
        broken=shares,
        behaviour_rows=len(rows) if behaviours else 0,
    )


def _rows(model: Model, test: Artifact, behaviours: Sequence[Behaviour], store: Store) -> pd.DataFrame:
    """Give up to `ROWS` test rows, drawn with the model's seed: what it reads or a behaviour changes."""
    changing = [behaviour.column for behaviour in behaviours]
    if absent := [name for name in changing if name not in test.names]:
        raise ProblemError(
            f"gate.behaviours: the test rows have no column {absent[0]!r}{meant(absent[0], test.names)}; "
            f"they have: {listed(test.names)}."
        )
    found = store.table(test, list(dict.fromkeys([*source_columns(model.columns), *changing])))
    return found.take(sample(found.num_rows, ROWS, model.seed)).to_pandas()


def _import_libraries(network: bool) -> None:
    """Import what loading a model imports, so that it does not count as the model's."""
    if network:
        from tasks.networks import tensorflow

        tensorflow()


def _row_seconds(predictor: Predictor, rows: pd.DataFrame, seed: int) -> list[float]:
    singles = [rows.iloc[[number]] for number in sample(len(rows), SINGLE_ROWS, seed)]
    return durations(lambda number: predictor.predict(singles[number]), len(singles), FEWEST_SINGLE_ROWS)


def _batch_seconds(predictor: Predictor, rows: pd.DataFrame) -> list[float]:
    batch = rows.iloc[np.resize(np.arange(len(rows)), ROWS)]
    return durations(lambda _: predictor.predict(batch), BATCHES, 1)


def durations(work: Callable[[int], Any], most: int, fewest: int) -> list[float]:
    """Give the seconds that each of several repetitions took, after one that does not count."""
    work(0)
    found: list[float] = []
    while len(found) < most and (len(found) < fewest or sum(found) < ENOUGH_SECONDS):
        started = time.perf_counter()
        work(len(found))
        found.append(time.perf_counter() - started)
    return found


def shares_broken(
    predictor: Predictor, rows: pd.DataFrame, behaviours: Sequence[Behaviour], network: bool
) -> tuple[float, ...]:
    """Give for each behaviour the share of the rows that break it.

    A row whose value is missing stays as it is, so it breaks nothing.
    """
    if not behaviours:
        return ()
    before = predictor.predict(rows)
    found: list[float] = []
    for behaviour in behaviours:
        after = predictor.predict(changed(rows, behaviour))
        there = rows[behaviour.column].notna().to_numpy()
        found.append(float((broken(before, after, behaviour, network) & there).mean()))
    return tuple(found)


class PeakMemory:
    """The most memory that the process has used since this was made, against what it used then."""

    def __init__(self) -> None:
        self._resettable = _reset_peak()
        self._before = _bytes("VmRSS") if self._resettable else _highest_ever()

    def added(self) -> float:
        """Give the bytes that were added at most."""
        return max(0.0, (_bytes("VmHWM") if self._resettable else _highest_ever()) - self._before)


def _reset_peak() -> bool:
    """Let Linux count the peak anew, and tell whether it does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _bytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _highest_ever() -> float:
    """Give the peak since the process started, where it cannot be counted anew."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0

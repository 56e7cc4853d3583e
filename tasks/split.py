"""Split: training and test rows, so that the test set is never seen, not even by an earlier or a later model.

Sides are decided by a hash of each row's identity (``kind = "group"``: of its group), ranked within its stratum: the
smallest hashes are the test rows, the next smallest the validation rows, if there are to be any. The shares of the
strata hold, the order of rows does not matter, rows equal in identity stay together, and growth moves only the few rows
whose rank crosses the boundary. (Géron, 2nd ed., chapter 2, "Create a Test Set", hashes identifiers too, but neither
stratifies nor fixes the share.)

Corrected rows keep their side: other values change neither hash nor rank. Where a row's stratum is corrected, the
boundaries of two strata move by a rank, so rows may move whose hash lies between the lowest and the highest boundary
that any stratum has before or after; all others, corrected or not, stay where they were.

``kind = "time"`` tests on the newest rows, so that no row of the future is trained on; rows equal in time stay
together.

``kind = "shuffle"`` is scikit-learn's `StratifiedShuffleSplit`, row for row, for comparison with published figures.

Tables are gone through twice, batch by batch: once for the columns that decide, once to write the rows in their new
order. In between stand arrays of a number a row (see `tasks.evidence`), never the rows themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import get_run_logger, task

from tasks.candidates import TaskKind
from tasks.columns import FOLD, ROW, identity_columns
from tasks.dividing.buckets import NOWHERE, Buckets
from tasks.dividing.sides import Sides, decide
from tasks.errors import DataRefused
from tasks.evidence import Evidence, Reading
from tasks.folds import deal
from tasks.problem import SplitRule
from tasks.records import Artifact, Split, Stratum, Table, Validated
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def check_classes(evidence: Evidence, train: NDArray[np.int64], target: str) -> None:
    """Refuse training rows of a classification that are all of one class.

    Raises
    ------
    DataRefused
        There is only one class.
    """
    if evidence.classes and len(found := np.unique(evidence.target[train])) < 2:
        raise DataRefused(
            f"The target {target!r} has one class only, {evidence.classes[found[0]]!r}; there is nothing to tell apart."
        )


def shares(evidence: Evidence, sides: Sides) -> tuple[Stratum, ...]:
    """Give how many rows of each stratum went to each part."""
    parts = (sides.train[~sides.validation], sides.test, sides.train[sides.validation])
    counts = [np.bincount(evidence.stratum[part], minlength=len(evidence.names)).tolist() for part in parts]
    return tuple(
        Stratum(name=name, train=train, test=test, validation=validation)
        for name, train, test, validation in zip(evidence.names, *counts, strict=True)
    )


@task(task_run_name="split")
def split(
    validated: Validated,
    rule: SplitRule,
    identity: tuple[str, ...],
    target: str,
    fold_count: int,
    task_kind: TaskKind,
    store: Store,
) -> Split:
    """Divide validated rows into training and test rows, and deal the folds of the training rows."""
    logger = get_run_logger()
    logger.info("Dividing %s rows.", f"{validated.data.rows:,}")
    if taken := {ROW, FOLD} & set(validated.data.names):
        raise DataRefused(f"The data has a column {min(taken)!r}, a name that Salamander uses itself; rename it.")
    columns = identity_columns(identity, target, validated.data)
    reading = Reading(rule, columns, target, task_kind)
    for batch in store.batches(validated.data, reading.columns):
        reading.add(batch)
    has_target, evidence = reading.evidence()
    sides = decide(evidence, rule)
    check_classes(evidence, sides.train, target)
    fold = deal(evidence, sides, fold_count, task_kind, validation=rule.validation_size is not None)
    train, test = _written(validated.data, has_target, evidence.rows, sides, fold, store)
    by = f", stratified by {rule.stratify}" if rule.stratify else ""
    logger.info("%s training and %s test rows%s.", f"{train.rows:,}", f"{test.rows:,}", by)
    return Split(
        train=train,
        test=test,
        strata=shares(evidence, sides),
        unit=rule.by if rule.kind == "group" else columns,
        folds=int(fold.max()) + 1,
        forward=rule.kind == "time",
        time=rule.by[0] if rule.kind == "time" else None,
    )


def _written(
    data: Table,
    has_target: NDArray[np.bool_],
    hashes: NDArray[np.uint64],
    sides: Sides,
    fold: NDArray[np.int16],
    store: Store,
) -> tuple[Artifact, Artifact]:
    """Write the training and the test rows, each in their order; among all places the test rows have the first."""
    import pyarrow as pa

    places = np.full(len(has_target), NOWHERE)
    place = np.empty(len(hashes), dtype="int64")
    order = np.concatenate([sides.test, sides.train])
    place[order] = np.arange(len(order))
    places[has_target] = place
    del place, order
    tests, rows = len(sides.test), len(hashes)
    with store.scratch() as folder:
        buckets = Buckets(folder, store.schema(data), rows)
        buckets.fill(store.batches(data), places)
        train = _with(buckets.read(tests, rows), {ROW: hashes[sides.train], FOLD: fold})
        test = _with(buckets.read(0, tests), {ROW: hashes[sides.test]})
        schema = buckets.schema.append(pa.field(ROW, pa.uint64()))
        kept = store.keep_batches(schema.append(pa.field(FOLD, pa.int16())), train, "train")
        return kept, store.keep_batches(schema, test, "test")


def _with(tables: Iterable[pa.Table], extra: dict[str, NDArray[Any]]) -> Iterator[pa.RecordBatch]:
    """Give the rows of tables with columns more, which are arrays for all of the rows."""
    import pyarrow as pa

    start = 0
    for table in tables:
        rows = slice(start, start + table.num_rows)
        start = rows.stop
        for name, values in extra.items():
            table = table.append_column(name, pa.array(values[rows]))  # noqa: PLW2901
        yield from table.to_batches()

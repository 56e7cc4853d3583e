"""Quarantine: rows that break an expectation of single rows are set aside with their reasons, within a budget.

A row is named by its position, which counts the rows of all of a table's parts from 0, those left out included; so it
stays the same while a table grows. The quarantine is a table: `POSITION`, `ROW` (the hash of the row's identity),
`REASONS` (each ``expectation: reason``), then the row as it was fetched.

The budget is a share of the rows, of the whole table and of its newest part: a bad batch that is appended to a big
table would hardly show in the whole. What goes beyond it is no row gone astray but a source gone wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.checks import EXAMPLES, Breach
from tasks.columns import ROW, row_hashes
from tasks.errors import ProblemError
from tasks.problem import Quarantine
from tasks.records import Artifact, Finding, Table
from tasks.sources import Declared
from tasks.store import Store, check_output

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

POSITION, REASONS = "salamander_position", "salamander_reasons"
FLOATS = ("double", "float", "halffloat")


class Newest(Declared):
    """The newest moment (ISO 8601, UTC where no zone is given) that a row may have in a column of dates or times."""

    column: str
    moment: str

    def before(self, values: pa.Array) -> NDArray[np.bool_]:
        """Tell for each date or time whether the newest moment is before it: it is too late."""
        import pandas as pd

        return (_moments(values) > pd.to_datetime(self.moment, utc=True)).to_numpy(dtype="bool")


def kept_positions(store: Store, table: Table) -> NDArray[np.int64]:
    """Give the positions of a table's rows, without those left out, in order: shape (rows,)."""
    return np.delete(np.arange(sum(part.rows for part in table.parts)), store.left_out(table))


def positions_of(breaches: Sequence[Breach]) -> NDArray[np.int64]:
    """Give the positions of all rows that break something, each once, rising."""
    return np.unique(np.concatenate([np.array([], dtype="int64"), *(breach.positions for breach in breaches)]))


def rows_at(
    store: Store, table: Table, positions: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
    """Give the rows at rising positions, none of them left out, batch by batch, each batch with its positions."""
    import pyarrow as pa

    ordinals = positions - np.searchsorted(store.left_out(table), positions)
    start = 0
    for batch in store.batches(table):
        low, high = np.searchsorted(ordinals, [start, start + batch.num_rows])
        if low < high:
            yield positions[low:high], batch.take(pa.array(ordinals[low:high] - start))
        start += batch.num_rows


@dataclass(frozen=True)
class RowTest:
    """What is asked of every row, whatever the suite says: ``breaks`` tells for a column's values which do not do."""

    column: str
    breaks: Callable[[pa.Array], NDArray[np.bool_]]
    expectation: str
    reason: str


def row_tests(table: Table, newest: Newest | None) -> list[RowTest]:
    """Give what is asked of every row: finite numbers, and no time later than the newest that a row may have.

    Raises
    ------
    ProblemError
        The table has no column of that name.
    """
    floats = [column.name for column in table.columns if column.dtype in FLOATS]
    tests = [
        RowTest(name, _infinite, f"{name}: finite numbers", "no estimator learns from infinity") for name in floats
    ]
    if newest is None:
        return tests
    if newest.column not in table.names:
        raise ProblemError(f"split.by names the column {newest.column!r}, which the data does not have.")
    late = f"{newest.column}: not after {newest.moment}"
    return [*tests, RowTest(newest.column, newest.before, late, "dated after it was fetched")]


def failing(store: Store, table: Table, tests: Sequence[RowTest]) -> tuple[Breach, ...]:
    """Give a breach for each test that rows fail, after one pass over the columns; missing values fail none."""
    found: list[list[NDArray[np.bool_]]] = [[] for _ in tests]
    examples: list[list[str]] = [[] for _ in tests]
    for batch in store.batches(table, list(dict.fromkeys(test.column for test in tests))) if tests else ():
        for test, masks, shown in zip(tests, found, examples, strict=True):
            values = batch[test.column]
            masks.append(test.breaks(values))
            shown += [str(values[int(at)]) for at in np.flatnonzero(masks[-1])[: EXAMPLES - len(shown)]]
    kept = kept_positions(store, table) if any(examples) else np.array([], dtype="int64")
    return tuple(
        _breach(test, kept[np.concatenate(masks)], shown, table.rows)
        for test, masks, shown in zip(tests, found, examples, strict=True)
        if shown
    )


def _breach(test: RowTest, positions: NDArray[np.int64], examples: list[str], rows: int) -> Breach:
    finding = Finding(
        expectation=test.expectation,
        severity="critical",
        reason=test.reason,
        column=test.column,
        observed=f"{len(positions):,} of {rows:,} rows",
        unexpected_rows=len(positions),
        examples=tuple(f"{value} in row {row}" for value, row in zip(examples, positions, strict=False)),
    )
    return Breach(finding, positions)


def _infinite(values: pa.Array) -> NDArray[np.bool_]:
    return np.isinf(values.to_numpy(zero_copy_only=False))


def _moments(values: pa.Array) -> pd.Series[pd.Timestamp]:
    """Give dates, times or texts in ISO 8601 as UTC; what is none of these is missing."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("us"))
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        values = pa.nulls(len(values), pa.timestamp("us"))
    return pd.Series(pd.to_datetime(values.to_pandas(), utc=True, format="ISO8601", errors="coerce"))


def beyond_budget(
    rule: Quarantine, store: Store, table: Table, breaches: Sequence[Breach], positions: NDArray[np.int64]
) -> str | None:
    """Give the sentence that refuses a table with bad rows at these positions, or None where the budget allows them."""
    begin = table.rows_before(len(table.parts) - 1)
    newest = table.parts[-1].rows - int((store.left_out(table) >= begin).sum())
    of_newest = int((positions >= begin).sum())
    for bad, rows, which in ((len(positions), table.rows, ""), (of_newest, newest, "newest ")):
        if not bad or bad / rows <= rule.budget:
            continue
        counts = [int(np.isin(breach.positions, positions).sum()) for breach in breaches]
        worst = breaches[int(np.argmax(counts))].finding
        shown = f", e.g. {worst.examples[0]}" if worst.examples else ""
        return (
            f"{bad:,} of the {which}{rows:,} rows ({100 * bad / rows:.3g} %) break an expectation of single rows, but "
            f"the budget for quarantine is {100 * rule.budget:.3g} %: {max(counts):,} rows break {worst.expectation} "
            f"(expected because: {worst.reason}){shown}. The data stays in the store for inspection; have it corrected "
            "at its source, or raise quarantine.budget."
        )
    return None


def set_aside(
    store: Store,
    table: Table,
    breaches: Sequence[Breach],
    positions: NDArray[np.int64],
    identity: Sequence[str],
) -> Artifact | None:
    """Keep the rows at these positions as the quarantine, with their reasons; None where there are no such rows."""
    import pyarrow as pa

    if not len(positions):
        return None
    sentences = pa.array([f"{each.finding.expectation}: {each.finding.reason}" for each in breaches], pa.string())
    broken = np.column_stack([np.isin(positions, each.positions, assume_unique=True) for each in breaches])

    def described(where: NDArray[np.int64], rows: pa.RecordBatch) -> pa.RecordBatch:
        of_row, reason = np.nonzero(broken[np.searchsorted(positions, where)])
        ends = np.searchsorted(of_row, np.arange(len(where) + 1)).astype("int32")
        reasons = pa.ListArray.from_arrays(pa.array(ends), sentences.take(pa.array(reason)))
        hashes = pa.array(row_hashes(rows, identity))
        return pa.RecordBatch.from_arrays(
            [pa.array(where), hashes, reasons, *rows.columns], names=[POSITION, ROW, REASONS, *rows.schema.names]
        )

    batches = (described(where, rows) for where, rows in rows_at(store, table, positions))
    first = next(batches)
    return store.keep_batches(first.schema, chain([first], batches), "quarantine")


def quarantined(store: Store, quarantine: Artifact) -> pd.DataFrame:
    """Give the rows in quarantine, with their position, the hash of their identity and their reasons, for display."""
    return store.table(quarantine).to_pandas()


def export(store: Store, quarantine: Artifact, path: Path) -> None:
    """Write the rows in quarantine to a CSV or Parquet file (by its suffix), to be corrected and released.

    In CSV the reasons of a row stand in one field, with semicolons between them.

    Raises
    ------
    ProblemError
        The file is of another kind or cannot be written, or CSV cannot hold the columns.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, parquet

    check_output(path)
    rows = store.table(quarantine)
    try:
        if path.suffix == ".parquet":
            parquet.write_table(rows, path)
            return
        joined: Any = pc.binary_join(rows[REASONS], "; ")  # type: ignore[attr-defined]
        csv.write_csv(rows.set_column(rows.schema.get_field_index(REASONS), REASONS, joined), path)
    except OSError as error:
        raise ProblemError(f"{path} cannot be written: {error.strerror or error}.") from error
    except pa.ArrowException as error:
        raise ProblemError(f"{path}: CSV cannot hold these columns ({error}); name a .parquet file.") from error

"""Corrections: rows in quarantine that somebody put right, each bound to the content of the bad row that it replaces.

A numbered record, written once, names the corrected rows and for each the hash of all columns of the row that it
replaces. So a correction holds for that bad value only: where the source gives another one for the same row later, it
no longer applies, and where it gives the right one, it is not needed. Among the corrections of equal bad rows the
newest come first, each replacing one of them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.checks import check
from tasks.columns import ROW, row_hashes
from tasks.errors import DataRefused, ProblemError
from tasks.quarantine import POSITION, REASONS, rows_at
from tasks.records import Artifact, Correction, Table
from tasks.registering.leases import Leases, user
from tasks.store import Store, check_output
from tasks.suites import Suite, asked_of_rows, load_stages

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

CORRECTS = "salamander_corrects"
FOLDER = "corrections"


class Replacements(NamedTuple):
    """Corrected rows, and the positions of the bad rows that they replace: shape (rows,)."""

    rows: pa.Table
    positions: NDArray[np.int64]


def corrections(store: Store) -> tuple[Artifact, ...]:
    """Give the corrected rows of every correction, oldest first."""
    return tuple(store.record(f"{FOLDER}/{number:06}.json", Correction).rows for number in store.numbers(FOLDER))


def replacements(
    store: Store, table: Table, positions: NDArray[np.int64], corrected: tuple[Artifact, ...]
) -> Replacements | None:
    """Give the corrected rows that replace bad ones at these positions, or None.

    A correction was made for a table's columns; where these have changed since, it does not apply.
    """
    import pandas as pd
    import pyarrow as pa

    fitting = [rows for rows in reversed(corrected) if rows.columns[:-1] == table.columns]
    if not fitting or not len(positions):
        return None
    contents = [row_hashes(rows, table.names) for _, rows in rows_at(store, table, positions)]
    bad = pd.DataFrame({"content": np.concatenate(contents), "position": positions})
    known = pa.concat_tables([store.table(rows) for rows in fitting])
    right = pd.DataFrame({"content": known[CORRECTS].to_numpy(), "row": np.arange(known.num_rows)})
    for each in (bad, right):
        each["nth"] = each.groupby("content").cumcount()
    pairs = bad.merge(right, on=["content", "nth"]).sort_values("position")
    rows = known.drop_columns([CORRECTS]).take(pa.array(pairs["row"].to_numpy()))
    return Replacements(rows, pairs["position"].to_numpy()) if len(pairs) else None


def release(store: Store, path: Path, quarantine: Artifact, suite: Suite) -> Correction:
    """Keep the corrected rows of a file, as `tasks.quarantine.export` wrote it, so that the next run trains on them.

    Rows that are to stay in quarantine are left out of the file.

    Raises
    ------
    ProblemError
        The file is not one that can be read, or names rows that are not in quarantine.
    DataRefused
        A value is not of its column's type, or a row still breaks an expectation of single rows.
    """
    import pyarrow as pa

    aside = store.table(quarantine)
    schema = aside.drop_columns([ROW, REASONS]).schema
    rows = _read(path, schema)
    known = aside[POSITION].to_numpy()
    positions = _positions(path, rows, known)
    corrected = rows.drop_columns([POSITION])
    _check_rows(path, corrected, positions, suite)
    names = corrected.column_names
    replaced = aside.select(names).take(np.searchsorted(known, positions))
    hashes = pa.array(row_hashes(replaced, names))
    kept = store.keep_table(corrected.append_column(CORRECTS, hashes), FOLDER)
    made = Correction(number=0, rows=kept, by=user(), at=datetime.now(UTC))
    return Leases(store).append(FOLDER, "release rows", lambda number: made.model_copy(update={"number": number}))


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    """Give the columns of a schema from a CSV or Parquet file, in its types.

    In CSV a field that is bare and empty is missing, and a quoted one is an empty text, as the export writes them.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    check_output(path)
    types = csv.ConvertOptions(
        column_types={field.name: field.type for field in schema},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        read = parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path, convert_options=types)
        names = [name for name in read.column_names if name not in {ROW, REASONS}]
        if sorted(names) != sorted(schema.names):
            wrong = ", ".join(sorted(set(names) ^ set(schema.names))) or "one stands twice"
            raise ProblemError(
                f"{path} does not have the columns of the quarantine ({wrong}); begin with an exported file."
            )
        return read.select(schema.names).cast(schema)
    except OSError as error:
        raise ProblemError(f"{path} cannot be read: {error.strerror or error}.") from error
    except pa.ArrowException as error:
        raise DataRefused(f"{path} has a value that is not of its column's type: {error}.") from error


def _positions(path: Path, rows: pa.Table, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the positions of corrected rows, after checking that each is in quarantine and stands there once."""
    given = rows[POSITION].to_pylist()
    if not given:
        raise ProblemError(f"{path} has no rows, so there is nothing to release.")
    if None in given:
        raise ProblemError(
            f"{path}: {given.count(None):,} rows have no {POSITION}, so nobody knows which rows they correct; keep "
            "that column as it was exported."
        )
    positions = set(known.tolist())
    if unknown := [each for each in given if each not in positions]:
        raise ProblemError(f"{path}: row {unknown[0]} ({POSITION}) is not in quarantine; release only rows that are.")
    if twice := [each for each, count in Counter(given).items() if count > 1]:
        raise ProblemError(f"{path}: row {twice[0]} ({POSITION}) stands there twice.")
    return np.array(given, dtype="int64")


def _check_rows(path: Path, rows: pa.Table, positions: NDArray[np.int64], suite: Suite) -> None:
    stages = load_stages(suite)
    expectations = asked_of_rows([*stages["training"], *stages["raw"]])
    if not expectations:
        return
    found = check(rows.to_pandas().set_axis(positions), expectations, suite.name)
    for finding in (*(breach.finding for breach in found.breaches), *found.of_rows):
        where = ", ".join(finding.examples) or finding.observed
        raise DataRefused(
            f"{path}: {where} still breaks {finding.expectation} (expected because: {finding.reason}); correct it, or "
            "leave the row out of the file. Nothing was released."
        )

"""Unfit: which rows to predict get no prediction, and why, found batch by batch so that memory does not grow with them.

What an expectation of single rows says of a batch it says of the whole table, so counts are added up over the batches,
and what it tolerates (``mostly``) is decided at the end. A few expectations compare rows with each other, such as that
values are unique, and one of the user's own may do anything: these see all rows at once, though only the columns that
they name.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrow import gathered
from tasks.checks import EXAMPLES, Breach, Checked, check, unmet
from tasks.columns import source_columns
from tasks.errors import DataRefused
from tasks.quarantine import RowTest, row_tests
from tasks.records import Finding, Model, Table
from tasks.sentences import listed
from tasks.store import Store
from tasks.suites import Suite, columns_read, expectations_for_scoring, is_one_row_at_a_time, words

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

AT_ONCE, ROUNDING = 2**18, 1e-6


def _nobody(done: int) -> None:
    """Tell nobody how many rows were checked."""


def met(store: Store, rows: Table, suite: Suite, model: Model, report: Callable[[int], None] = _nobody) -> Checked:
    """Give what rows to predict do not meet; positions count them from 0.

    Raises
    ------
    DataRefused
        A critical expectation of the rows as a whole is not met, or one of single rows cannot be checked.
    """
    expectations = expectations_for_scoring(suite, model.columns.target, rows.names)
    apart = [each for each in expectations if is_one_row_at_a_time(each)]
    whole = [each for each in expectations if not is_one_row_at_a_time(each)]
    found = _row_by_row(store, rows, suite.name, apart, tests_of(model, rows), report)
    if whole:
        frame = store.table(rows, columns_read(whole, rows.names)).to_pandas()
        found = found.and_also(check(frame, whole, f"{suite.name} scoring"))
    if sentence := unmet(found.others, len(expectations)):
        raise DataRefused(f"No row was predicted: {sentence}")
    return found


def tests_of(model: Model, rows: Table) -> list[RowTest]:
    """Give what is asked of every row, whatever the suite says: finite numbers, and categories that were learnt."""
    read = source_columns(model.columns)
    tests = [test for test in row_tests(rows, None) if test.column in read]
    texts = {column.name for column in rows.columns if column.dtype in {"string", "large_string"}}
    for each in model.inputs:
        if each.kind == "category" and each.values and each.name in texts:
            asked = f"{each.name}: one of {listed(each.values)}"
            tests.append(RowTest(each.name, _unknown(each.values), asked, "no other value was there in training"))
    return tests


def _unknown(values: Sequence[str]) -> Callable[[pa.Array], NDArray[np.bool_]]:
    def breaks(column: pa.Array) -> NDArray[np.bool_]:
        known = {*values, None}
        distinct = column.dictionary_encode()
        strange = np.array([each not in known for each in distinct.dictionary.to_pylist()], dtype="bool")
        codes = distinct.indices.fill_null(0).to_numpy(zero_copy_only=False)
        there = column.is_valid().to_numpy(zero_copy_only=False)
        return strange[codes] & there if len(strange) else ~there & there

    return breaks


@dataclass
class _Tally:
    """What all batches so far say of one expectation: of how many rows it was asked, and which break it."""

    asked: int = 0
    broken: int = 0
    first: Finding | None = None
    told: bool = True
    positions: list[NDArray[np.int64]] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, finding: Finding, positions: NDArray[np.int64] | None) -> None:
        """Add what a batch says."""
        if self.first is None or finding.unexpected_rows is None:  # which cannot be checked in one part is not checked
            self.first = finding
        self.broken += finding.unexpected_rows or 0
        self.examples.extend(finding.examples)
        self.told = self.told and positions is not None
        if positions is not None:
            self.positions.append(positions)

    def tolerated(self, mostly: float) -> bool:
        """Tell whether no more rows break it than it allows; not so where it could not be checked."""
        if self.first is None or self.first.unexpected_rows is None:
            return self.first is None
        return (self.asked - self.broken) >= mostly * self.asked - ROUNDING

    def finding(self, expectation: str, reason: str, rows: int) -> Finding | None:
        """Give what all batches say together, or None where nothing is wrong."""
        if self.first is None or self.first.unexpected_rows is None:
            return self.first and self.first.model_copy(update={"expectation": expectation, "reason": reason})
        update = {
            "expectation": expectation,
            "reason": reason,
            "observed": f"{self.broken:,} of {rows:,} rows",
            "unexpected_rows": self.broken,
            "examples": tuple(self.examples[:EXAMPLES]),
        }
        return self.first.model_copy(update=update)


def _row_by_row(
    store: Store,
    rows: Table,
    name: str,
    expectations: Sequence[Any],
    tests: Sequence[RowTest],
    report: Callable[[int], None],
) -> Checked:
    tallies, own = [_Tally() for _ in expectations], [_Tally() for _ in tests]
    asked = [each.copy(update={"mostly": 1.0, "notes": str(place)}) for place, each in enumerate(expectations)]
    names = {*columns_read(expectations, rows.names), *(test.column for test in tests)}
    start = 0
    batches = store.batches(rows, [name for name in rows.names if name in names]) if expectations or tests else ()
    for part in gathered(batches, AT_ONCE):  # a check costs as much for a few rows as for many
        for test, tally in zip(tests, own, strict=True):
            _try(test, part, start, tally)
        if asked:
            frame = part.to_pandas()
            frame.index += start
            _count(check(frame, asked, f"{name} scoring"), tallies)
            gc.collect()  # what Great Expectations leaves behind refers to itself, and holds the frame
            for each, tally in zip(expectations, tallies, strict=True):
                tally.asked += _asked_of(each, frame)
        start += part.num_rows
        report(start)
    broken = [_breach(tally, test.expectation, test.reason, rows.rows) for test, tally in zip(tests, own, strict=True)]
    first = Checked(tuple(each for each in broken if isinstance(each, Breach)))
    return first.and_also(_summed(expectations, tallies, rows.rows))


def _try(test: RowTest, part: pa.Table, start: int, tally: _Tally) -> None:
    values = part[test.column].combine_chunks()
    positions = np.flatnonzero(test.breaks(values))
    if len(positions):
        shown = tuple(f"{values[int(at)]} in row {at + start}" for at in positions[:EXAMPLES])
        finding = Finding(
            expectation=test.expectation,
            severity="critical",
            reason=test.reason,
            column=test.column,
            observed="",
            unexpected_rows=len(positions),
            examples=shown,
        )
        tally.add(finding, positions + start)


def _count(found: Checked, tallies: Sequence[_Tally]) -> None:
    for breach in found.breaches:
        tallies[int(breach.finding.reason)].add(breach.finding, breach.positions)
    for finding in found.others:
        tallies[int(finding.reason)].add(finding, None)


def _asked_of(expectation: Any, frame: pd.DataFrame) -> int:
    """Give how many rows an expectation looks at: those with a value, unless it is about missing values."""
    if expectation.mostly == 1 or "null" in expectation.map_metric:
        return len(frame)
    return int(frame[expectation.column].notna().sum())


def _summed(expectations: Sequence[Any], tallies: Sequence[_Tally], rows: int) -> Checked:
    breaches: list[Breach] = []
    others: list[Finding] = []
    for each, tally in zip(expectations, tallies, strict=True):
        if tally.tolerated(each.mostly):
            continue
        found = _breach(tally, words(each.configuration.to_json_dict()), str(each.notes), rows)
        if isinstance(found, Breach):
            breaches.append(found)
        elif found:
            others.append(found)
    return Checked(tuple(breaches), tuple(others))


def _breach(tally: _Tally, expectation: str, reason: str, rows: int) -> Breach | Finding | None:
    finding = tally.finding(expectation, reason, rows)
    if finding is None or finding.severity != "critical" or not tally.told:
        return finding
    return Breach(finding, np.concatenate(tally.positions).astype("int64"))

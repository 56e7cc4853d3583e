"""Validate: Great Expectations over the snapshot; bad rows go to quarantine, a bad batch is refused.

In this order, which is the simplest that is sound:

1. The table as fetched is checked against ``EXPECTATIONS``, and its newest part alone against ``RAW``; the Data Docs
   show what was found then (those of ``RAW`` in the folder ``raw`` beside the others). Each older part is checked again
   against what ``RAW`` asks of single rows: the table still holds the bad rows that were set aside when it came.
2. The rows that break a critical expectation of single rows, and those dated after they were fetched, are set aside.
   Where such a row was corrected before, the corrected row takes its place: as a further part of the table. More bad
   rows than the budget allows refuse the table.
3. Expectations of the table as a whole are judged anew on what is left, for it is this that is trained on. So are
   corrected rows, together with all others; those that break something do not count as corrected.

A critical expectation of the whole table that is not met then, or one of single rows that cannot be checked, refuses
the table. Single rows are judged once, as fetched: that a mean moves once the outliers are gone makes no new outliers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from prefect import get_run_logger, task

from tasks.checks import Breach, Checked, check, together, unmet, worst_first
from tasks.columns import identity_columns
from tasks.corrections import Replacements, replacements
from tasks.errors import DataRefused
from tasks.problem import Quarantine
from tasks.quarantine import Newest, beyond_budget, failing, kept_positions, positions_of, row_tests, set_aside
from tasks.records import Artifact, Finding, Snapshot, Table, Validated
from tasks.snapshots import docs_folder
from tasks.store import Store
from tasks.suites import (
    Stage,
    Suite,
    asked_of_rows,
    columns_read,
    is_row_level,
    load_stages,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class RefusedByExpectations(DataRefused):
    """The data broke critical expectations; says which, where the Data Docs are, and which rows would be set aside."""

    def __init__(self, sentence: str, findings: Sequence[Finding], docs: Path, quarantine: Artifact | None) -> None:
        super().__init__(sentence)
        self.findings = tuple(findings)
        self.docs = docs
        self.quarantine = quarantine


class AsFetched(NamedTuple):
    """What was found before any row was set aside: on the table, on its parts alone, and all breaches together."""

    table: Checked
    raw: Checked
    breaches: tuple[Breach, ...]


class Left(NamedTuple):
    """What is left of a table, the positions of the rows that stay set aside, and what else was found."""

    table: Table
    aside: NDArray[np.int64]
    others: tuple[Finding, ...]


@task(task_run_name="validate")
def validate(
    snapshot: Snapshot,
    suite: Suite,
    rule: Quarantine,
    identity: tuple[str, ...],
    target: str,
    newest: Newest | None,
    corrections: tuple[Artifact, ...],
    store: Store,
) -> Validated:
    """Check a snapshot; give it without the rows that go to quarantine, or refuse it.

    Raises
    ------
    RefusedByExpectations
        More rows than the budget allows are bad, or a critical expectation of the whole table is not met.
    """
    table, docs = snapshot.data, docs_folder(store, snapshot.data)
    get_run_logger().info("Checking %s rows against the suite %s.", f"{table.rows:,}", suite.name)
    stages = load_stages(suite)
    count = len(stages["training"]) + len(stages["raw"])
    found = _as_fetched(store, table, suite.name, stages, newest, docs)
    mended = replacements(store, table, positions_of(found.breaches), corrections)
    left = _at_best(table, found, mended)
    sentence = beyond_budget(rule, store, table, found.breaches, left.aside)
    if not sentence:
        left = _left(store, table, stages, found, mended, newest)
        sentence = beyond_budget(rule, store, table, found.breaches, left.aside) or unmet(left.others, count)
    quarantine = set_aside(store, table, found.breaches, left.aside, identity_columns(identity, target, table))
    findings = worst_first([*_of_quarantine(found.breaches, left.aside), *left.others])
    _say(findings, count, docs)
    if sentence:
        raise RefusedByExpectations(sentence, findings, docs / "index.html", quarantine)
    return Validated(data=left.table, expectations=count, warnings=tuple(findings), quarantine=quarantine)


def frame_of(store: Store, table: Table, expectations: Sequence[Any], start: int = 0) -> pd.DataFrame:
    """Give the columns that expectations need, with positions, counted from ``start``, as the frame's index."""
    import pandas as pd

    rows = store.table(table, columns_read(expectations, table.names))
    frame = rows.to_pandas(split_blocks=True, self_destruct=True)
    positions = pd.RangeIndex(len(frame)) if table.left_out is None else pd.Index(kept_positions(store, table))
    return frame.set_axis(positions + start)


def _as_fetched(
    store: Store, table: Table, name: str, stages: dict[Stage, list[Any]], newest: Newest | None, docs: Path
) -> AsFetched:
    found = check(frame_of(store, table, stages["training"]), stages["training"], name, docs)
    raw = _of_each_part(store, table, stages["raw"], f"{name} raw", docs / "raw") if stages["raw"] else Checked()
    of_every_row = failing(store, table, row_tests(table, newest))
    return AsFetched(found, raw, (*found.breaches, *raw.breaches, *of_every_row))


def _of_each_part(store: Store, table: Table, expectations: list[Any], name: str, docs: Path) -> Checked:
    """Give what is found in each part as it was fetched; rows that the table leaves out anyway break nothing.

    Of the older parts only single rows are judged, and only by what is critical: the rest was said when they came.
    """
    of_rows = asked_of_rows(expectations)
    found = [_of_part(store, table, number, of_rows, name) for number in range(len(table.parts) - 1) if of_rows]
    newest = _of_part(store, table, len(table.parts) - 1, expectations, name, docs)
    left_out = store.left_out(table)
    every = [Breach(b.finding, np.setdiff1d(b.positions, left_out)) for part in (*found, newest) for b in part.breaches]
    breaches = together([each for each in every if len(each.positions)], table.rows_before(len(table.parts)))
    known = {finding.expectation for finding in newest.of_rows}
    unknown = {each.expectation: each for part in found for each in part.of_rows if each.expectation not in known}
    return Checked(breaches, (*newest.of_rows, *unknown.values()), newest.of_table)


def _of_part(
    store: Store, table: Table, number: int, expectations: list[Any], name: str, docs: Path | None = None
) -> Checked:
    part = Table(parts=(table.parts[number],))
    return check(frame_of(store, part, expectations, table.rows_before(number)), expectations, name, docs)


def _at_best(table: Table, found: AsFetched, mended: Replacements | None) -> Left:
    """Give what is found where every correction holds and no row is gone yet: enough to see that too many are bad."""
    bad = positions_of(found.breaches)
    aside = np.setdiff1d(bad, mended.positions) if mended else bad
    return Left(table, aside, (*found.table.others, *found.raw.others))


def _left(
    store: Store,
    table: Table,
    stages: dict[Stage, list[Any]],
    found: AsFetched,
    mended: Replacements | None,
    newest: Newest | None,
) -> Left:
    """Give what is left without the bad rows, with the corrected rows, after judging anew what must be."""
    bad = positions_of(found.breaches)
    if not len(bad):
        return _at_best(table, found, None)
    left, replaced, again = _corrected(store, table, stages, bad, mended, newest)
    begin = table.rows_before(len(table.parts) - 1)
    newest_part = store.without(Table(parts=table.parts[-1:]), bad[bad >= begin] - begin)
    raw = _check_left(store, newest_part, [each for each in stages["raw"] if not is_row_level(each)])
    others = (*found.table.of_rows, *found.raw.of_rows, *again.others, *raw.others)
    return Left(left, np.setdiff1d(bad, replaced), others)


def _corrected(
    store: Store,
    table: Table,
    stages: dict[Stage, list[Any]],
    bad: NDArray[np.int64],
    mended: Replacements | None,
    newest: Newest | None,
) -> tuple[Table, NDArray[np.int64], Checked]:
    """Give a table without its bad rows, the positions of those that were replaced, and what was found on the whole.

    Corrected rows are judged among all others, for what is asked of one row may speak of others (to be unique). Those
    that break something are dropped, and the rest is judged again.
    """
    left = store.without(table, bad)
    of_table = [each for each in stages["training"] if not is_row_level(each)]
    if mended is None:
        return left, bad[:0], _check_left(store, left, of_table)
    part = store.keep_table(mended.rows, "corrected")
    left = left.model_copy(update={"parts": (*left.parts, part)})
    again = _check_left(store, left, [*of_table, *asked_of_rows([*stages["training"], *stages["raw"]])])
    corrected = Table(parts=(part,))
    again_wrong = positions_of(failing(store, corrected, row_tests(corrected, newest)))
    wrong = positions_of(again.breaches) - table.rows_before(len(table.parts))
    wrong = np.union1d(wrong[wrong >= 0], again_wrong)
    if not len(wrong):
        return left, mended.positions, again
    stays = np.setdiff1d(np.arange(part.rows), wrong)
    fewer = Replacements(mended.rows.take(stays), mended.positions[stays]) if len(stays) else None
    return _corrected(store, table, stages, bad, fewer, newest)


def _check_left(store: Store, table: Table, expectations: list[Any]) -> Checked:
    return check(frame_of(store, table, expectations), expectations, "what is left") if expectations else Checked()


def _of_quarantine(breaches: Sequence[Breach], aside: NDArray[np.int64]) -> list[Finding]:
    """Give the findings about rows that were set aside, in words that say so."""
    counts = [int(np.isin(each.positions, aside).sum()) for each in breaches]
    return [
        each.finding.model_copy(update={"observed": f"{each.finding.observed}, {count:,} set aside"})
        for each, count in zip(breaches, counts, strict=True)
        if count
    ]


def _say(findings: Sequence[Finding], expectations: int, docs: Path) -> None:
    logger = get_run_logger()
    for finding in findings:
        level = logger.error if finding.severity == "critical" else logger.warning
        level("%s: %s, %s.", finding.severity, finding.expectation, finding.observed)
    logger.info("Data Docs: %s", docs / "index.html")
    unmet = len({finding.expectation for finding in findings if finding.severity != "critical"})
    aside = ", the rows that break others are set aside" if len(findings) > unmet else ""
    logger.info("%s of %s expectations met%s.", expectations - unmet, expectations, aside)

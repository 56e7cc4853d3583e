"""The history of a problem's data: which snapshots came, which were accepted, and how each differs from the one before.

Columns and types are *held*: what was accepted once is what every later batch must have, until somebody accepts other
columns (`held_columns`). A table that grows keeps its old parts and leaves out the rows that newer ones replace, so no
row is stored twice (`growth`). Two runs may take data at the same time: a table that was grown from another than the
newest accepted one is not accepted, as the rows of the other run would be lost.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from tasks.candidates import TaskKind
from tasks.columns import check_names, identity_columns
from tasks.errors import DataRefused, ProblemError, SalamanderError
from tasks.growth import grown, hashed
from tasks.held_columns import accepted_schema, held_schema, in_schema
from tasks.keys import digest
from tasks.records import Artifact, Changes, Column, Snapshot, SnapshotEntry, Table, Validated
from tasks.registering.leases import Leases
from tasks.sentences import listed
from tasks.sources import Source
from tasks.store import Store

FOLDER = "snapshots"


class Snapshots:
    """The numbered snapshots of one problem, accepted and refused."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def entries(self) -> list[SnapshotEntry]:
        """Give all entries, oldest first."""
        return [self._entry(number) for number in self.store.numbers(FOLDER)]

    def entry(self, number: int) -> SnapshotEntry:
        """Give one entry.

        Raises
        ------
        ProblemError
            There is none of that number, or it was refused.
        """
        known = self.store.numbers(FOLDER)
        if number not in known:
            raise ProblemError(
                f"{self.store.problem} has no snapshot {number}; it has {listed(map(str, known)) or 'none yet'}."
            )
        found = self._entry(number)
        if found.outcome == "refused":
            raise ProblemError(
                f"Snapshot {number} of {self.store.problem} was refused and is kept for inspection only; "
                f"salamander data {self.store.problem} lists the accepted ones."
            )
        if not all((self.store.folder / part.file.path).is_file() for part in found.snapshot.data.parts):
            raise ProblemError(
                f"The rows of snapshot {number} of {self.store.problem} are gone from the store, as salamander gc "
                "removes what retention does not keep; train on the newest, or on another one."
            )
        return found

    def accepted(self) -> SnapshotEntry | None:
        """Give the newest accepted entry, or None before the first."""
        newest_first = (self._entry(number) for number in reversed(self.store.numbers(FOLDER)))
        return next((entry for entry in newest_first if entry.outcome == "accepted"), None)

    def number(self, snapshot: Snapshot) -> int | None:
        """Give the number of the newest entry of a snapshot, or None where it was never kept."""
        newest_first = (self._entry(number) for number in reversed(self.store.numbers(FOLDER)))
        return next((entry.number for entry in newest_first if entry.snapshot == snapshot), None)

    def quarantine(self) -> Artifact | None:
        """Give the rows that were set aside from the newest snapshot, accepted or refused, or None."""
        numbers = self.store.numbers(FOLDER)
        return self._entry(numbers[-1]).quarantine if numbers else None

    def newest(self) -> SnapshotEntry:
        """Give the newest accepted entry.

        Raises
        ------
        ProblemError
            There is none yet.
        """
        found = self.accepted()
        if found is None:
            raise ProblemError(
                f"{self.store.problem} has no accepted data yet: salamander validate {self.store.problem}"
            )
        return found

    def keep(
        self,
        snapshot: Snapshot,
        outcome: Literal["accepted", "refused"],
        changes: Changes,
        *,
        sentence: str = "",
        validated: Validated | None = None,
        quarantine: Artifact | None = None,
    ) -> SnapshotEntry:
        """Write an entry under the next free number; one that says the same as the newest is given back as it is.

        Raises
        ------
        SalamanderError
            The snapshot was added to another table than the newest accepted one.
        """

        def make(number: int) -> SnapshotEntry:
            last = self._entry(number - 1) if number > 1 else None
            if last and (last.snapshot, last.outcome, last.validated) == (snapshot, outcome, validated):
                return last
            if outcome == "accepted":
                self._check_continued(snapshot)
            return SnapshotEntry(
                number=number,
                snapshot=snapshot,
                outcome=outcome,
                sentence=sentence,
                validated=validated,
                quarantine=quarantine,
                changes=changes,
                at=datetime.now(UTC),
            )

        return Leases(self.store).append(FOLDER, "take data", make)

    def _check_continued(self, snapshot: Snapshot) -> None:
        newest = self.accepted()
        data = newest.snapshot.data if newest else None
        if snapshot.added_to is not None and snapshot.data != data and snapshot.added_to != digest(data):
            raise SalamanderError(f"Another run has taken data of {self.store.problem} meanwhile; run again.")

    def _entry(self, number: int) -> SnapshotEntry:
        return self.store.record(f"{FOLDER}/{number:06}.json", SnapshotEntry)


def docs_folder(store: Store, data: Table) -> Path:
    """Give the folder of the Data Docs of a snapshot's data: a view for people, made anew by each check."""
    return store.folder / "docs" / digest(data)[:16]


# From a batch to a snapshot.


class RefusedBatch(DataRefused):
    """A batch does not fit what was accepted before; ``snapshot`` holds it alone, so that it can be looked at."""

    def __init__(self, sentence: str, snapshot: Snapshot) -> None:
        super().__init__(sentence)
        self.snapshot = snapshot


def taken(
    store: Store,
    batch: Artifact,
    origin: str,
    source: Source,
    base: Snapshot | None,
    unit: tuple[tuple[str, ...], str],
    accept_columns: bool = False,
) -> Snapshot:
    """Give the snapshot that a batch makes: the whole table, or the last accepted one with the batch added.

    Parameters
    ----------
    unit : tuple
        The identity as declared, and the target.

    Raises
    ------
    RefusedBatch
        The columns are not those that are held, or far too many rows are gone.
    ProblemError
        The identity or the target is no column of the data.
    """
    arrived = Snapshot(data=Table(parts=(batch,)), origin=origin)
    before = base.data if base else None
    ignored: tuple[Column, ...] = ()
    try:
        if before:
            batch, before, ignored = _agreed(store, batch, before, accept_columns, source.mode)
        if source.mode == "replace":
            _check_share(batch, before, source, origin)
    except DataRefused as error:
        raise RefusedBatch(str(error), arrived) from error
    check_names(store.problem, {"target": (unit[1],), "identity": unit[0]}, batch.names)
    if source.mode == "replace":
        return Snapshot(data=Table(parts=(batch,)), origin=origin, ignored=ignored)
    data = grown(store, before, batch, *unit)
    added_to = base.added_to if base and data == base.data else digest(base.data if base else None)
    return Snapshot(data=data, origin=origin, ignored=ignored, added_to=added_to)


def _agreed(
    store: Store, batch: Artifact, before: Table, accept_columns: bool, mode: Literal["replace", "append"]
) -> tuple[Artifact, Table, tuple[Column, ...]]:
    """Give a batch and the table before it with the same columns and types, and the columns that are left out."""
    if batch.columns == before.columns:
        return batch, before, ()
    schema = (accepted_schema if accept_columns else held_schema)(store, before, batch)
    ignored = tuple(column for column in batch.columns if column.name not in schema.names)
    if store.schema(batch) != schema:
        batch = in_schema(store, batch, schema)
    if mode == "append" and store.schema(before) != schema:
        before = Table(parts=(in_schema(store, before, schema),))
    return batch, before, ignored


def _check_share(batch: Artifact, before: Table | None, source: Source, origin: str) -> None:
    if before and batch.rows < source.smallest_share * before.rows:
        raise DataRefused(
            f"{origin} has {batch.rows:,} rows, the last accepted snapshot had {before.rows:,}: less than "
            f"source.smallest_share = {source.smallest_share:g} of it; if so many rows are really gone, lower it."
        )


# How two tables differ.


def compare(
    store: Store, before: Table | None, after: Table, identity: tuple[str, ...], target: str, task: TaskKind
) -> Changes:
    """Tell how many rows of a table are new, changed or gone, by the columns that the one before has too."""
    if before is None:
        return Changes(added=after.rows, changed=0, gone=0)
    if before == after:
        return Changes(added=0, changed=0, gone=0)
    both = [name for name in after.names if name in before.names]
    names = [name for name in identity_columns(identity, target, after) if name in both]
    if not names:
        return Changes(added=after.rows, changed=0, gone=before.rows)
    old, new = hashed(store, before, names, both), hashed(store, after, names, both)
    known = np.isin(new.identity, old.identity)
    same = np.isin(new.pairs, old.pairs)
    classes: set[str] = set()
    if task == "classification" and target in both:
        classes = _classes(store, after, target) - _classes(store, before, target)
    return Changes(
        added=int((~known).sum()),
        changed=int((known & ~same).sum()),
        gone=int((~np.isin(old.identity, new.identity)).sum()),
        new_classes=tuple(sorted(classes)),
    )


def _classes(store: Store, table: Table, target: str) -> set[str]:
    values = (batch[target].unique().to_pylist() for batch in store.batches(table, [target]))
    return {str(value) for some in values for value in some if value is not None}

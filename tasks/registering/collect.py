"""What nothing needs any more, and its removal: old versions, snapshots, results, logs, Data Docs, noted predictions.

Needed is what is named by a version that is kept (the last n, all that were ever in production, those that wait for a
person), by a snapshot that is kept (the last n accepted and what came after, and those of kept versions), by the result
of a step that was used of late, or by any other record: corrections, looks. What was written or used within the grace
period stays in any case, as a run that goes on now may be about to name it.

Records of versions and snapshots stay for ever. A decision tells which versions lose their files, before they do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from tasks.gate import Retention
from tasks.records import Decision, SnapshotEntry, Version
from tasks.registering.decisions import Decisions, following
from tasks.registering.leases import Leases
from tasks.registering.settled import waiting
from tasks.registering.versions import FOLDER as VERSIONS
from tasks.registering.versions import Versions
from tasks.served_rows import FOLDER as SERVED
from tasks.snapshots import FOLDER as SNAPSHOTS
from tasks.snapshots import docs_folder
from tasks.store import Store, named_files, numbered

GRACE = timedelta(hours=1)
LOCK_SECONDS = 3_600
NO_REASON = {
    *(VERSIONS, SNAPSHOTS, "decisions", "deployments", "leases"),
    *("results", "networks", "runs", "checks", "docs", SERVED),
}
"""Folders whose records are no reason of their own to keep a file; those of every other folder are."""


class Unneeded(NamedTuple):
    """A file, or a folder of Data Docs, that nothing needs, unless it was written or used after a moment."""

    kind: str
    path: str
    size: int
    unused_since: float


class Waste(NamedTuple):
    """All that nothing needs, in the order of its removal, and the versions that lose files by that."""

    unneeded: tuple[Unneeded, ...]
    versions: dict[int, tuple[Unneeded, ...]]


class Kept(NamedTuple):
    """The versions and snapshots that are kept, and the versions that are not."""

    versions: list[Version]
    snapshots: list[SnapshotEntry]
    others: list[Version]


def waste(store: Store, retention: Retention, grace: timedelta = GRACE) -> Waste:
    """Find what nothing needs; nothing is changed.

    Raises
    ------
    StoreError
        A record that may name files cannot be read: then nobody knows what is needed.
    """
    now = time.time()
    unused = now - grace.total_seconds()
    of_days, of_served_days = (
        min(unused, now - timedelta(days=days).total_seconds()) for days in (retention.days, retention.served_days)
    )
    found = [
        *_old(store, "results", "results of steps", of_days),
        *_old(store, "networks", "logs of networks", of_days),
        *_old(store, SERVED, "noted predictions", of_served_days),
    ]
    kept, results = _kept(store, retention), store.files("results")
    needed = {*_named(store, kept), *(n for r in results if r.time > of_days for n in store.named_by_result(r.path))}
    for folder, kind in (("artifacts", "tables"), ("models", "files of models"), ("signatures", "signatures")):
        old = (each for each in store.files(folder) if each.path not in needed and each.time <= unused)
        found.extend(Unneeded(kind, each.path, each.size, unused) for each in old)
    found.extend(_docs(store, kept, of_days))
    return Waste(tuple(found), _losing(kept, found))


def collect(store: Store, retention: Retention, grace: timedelta = GRACE, by: str | None = None) -> Waste:
    """Remove what nothing needs, and give what was removed.

    Raises
    ------
    StoreError
        A record cannot be read, or the lock is held by another for too long, or was taken over meanwhile.
    """
    with Leases(store).held("collect what nothing needs", LOCK_SECONDS) as lease:
        found = waste(store, retention, grace)
        for number, lost in found.versions.items():
            _decide(store, number, lost, retention, by)
        removed: list[Unneeded] = []
        for each in found.unneeded:
            lease.check()
            if store.remove(each.path, each.unused_since):
                removed.append(each)
    return found._replace(unneeded=tuple(removed))


def _old(store: Store, folder: str, kind: str, unused: float) -> Iterator[Unneeded]:
    return (Unneeded(kind, each.path, each.size, unused) for each in store.files(folder) if each.time <= unused)


def _kept(store: Store, retention: Retention) -> Kept:
    known, history = Versions(store).all(signed=False), Decisions(store).all()
    needed = {*(version.number for version in known[-retention.versions :]), *(each.champion for each in history)}
    needed |= {version.number for version in known if waiting(version, history)}
    kept = [version for version in known if version.number in needed]
    entries = [store.record(numbered(SNAPSHOTS, number), SnapshotEntry) for number in store.numbers(SNAPSHOTS)]
    accepted = [entry.number for entry in entries if entry.outcome == "accepted"]
    oldest = min(accepted[-retention.snapshots :], default=0)
    trained_on = [version.snapshot.data for version in kept]
    snapshots = [each for each in entries if each.number >= oldest or each.snapshot.data in trained_on]
    return Kept(kept, snapshots, [version for version in known if version.number not in needed])


def _named(store: Store, kept: Kept) -> Iterator[str]:
    """Give the paths of all files that are needed, those that results of steps name left aside."""
    for record in (*kept.versions, *kept.snapshots):
        yield from named_files(record.model_dump(mode="json"))
    yield from map(Versions(store).signature, Versions(store).numbers())
    for folder in store.folders():
        if folder not in NO_REASON:
            yield from store.named_by_records(folder)


def _docs(store: Store, kept: Kept, unused: float) -> Iterator[Unneeded]:
    tables = [*(entry.snapshot.data for entry in kept.snapshots), *(version.snapshot.data for version in kept.versions)]
    needed = {docs_folder(store, table).name for table in tables}
    for path in sorted((store.folder / "docs").glob("*")):
        files = [*store.files(f"docs/{path.name}")]
        if path.name not in needed and all(each.time <= unused for each in files):
            yield Unneeded("Data Docs", f"docs/{path.name}", sum(each.size for each in files), unused)


def _losing(kept: Kept, found: list[Unneeded]) -> dict[int, tuple[Unneeded, ...]]:
    """Give for each version that loses files which ones."""
    by_path = {each.path: each for each in found}
    named = {each.number: dict.fromkeys(named_files(each.model_dump(mode="json"))) for each in kept.others}
    lost = {number: tuple(by_path[path] for path in paths if path in by_path) for number, paths in named.items()}
    return {number: files for number, files in lost.items() if files}


def _decide(store: Store, number: int, lost: tuple[Unneeded, ...], retention: Retention, by: str | None) -> Decision:
    reason = (
        f"{len(lost)} files of it ({sum(each.size for each in lost):,} bytes) are not needed any more: it was never in "
        f"production and is not one of the last {retention.versions} versions"
    )
    changes = {"version": number, "manifest": Versions(store).manifest(number)}
    return Decisions(store).append(lambda at, state: following(at, state, "collected", reason, by, **changes))

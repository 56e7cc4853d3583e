"""A lock in the store itself: who holds the newest numbered lease may change the registry, and nobody else.

A lease is created exclusively under the next number and ends when a record of its release is created, when its time is
over, or when its process is gone from this machine (a number that another process got meanwhile is told apart by the
time of its start). Nothing is renamed and nothing need be removed, so an object store can do it too. The number is a
fencing token: who was asleep while another took over finds that his is not the newest any more, and stops.

A release says how many decisions there were: so it is seen where the newest of them was taken away.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import sys
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tasks.errors import StoreError
from tasks.records import Record
from tasks.store import Store, numbered

R = TypeVar("R", bound=Record)

FOLDER, DECISIONS = "leases", "decisions"
KEPT = 8
"""So many of the newest leases are kept, for who looks for what happened."""


class Lease(Record):
    """Who may change the registry, to do what, until when. ``machine`` tells machines and containers apart."""

    number: int
    work: str
    by: str
    host: str
    machine: str
    process: int
    process_started: str
    command: str
    taken: datetime
    expires: datetime


class Release(Record):
    """The end of the lease of the same number, and the number of the newest decision then."""

    number: int
    decisions: int
    at: datetime


class Held:
    """A lease that this process holds."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self.lease = store, lease

    def check(self) -> None:
        """Do nothing while the lease is the newest.

        Raises
        ------
        StoreError
            It was taken over.
        """
        if max(self._store.numbers(FOLDER), default=0) != self.lease.number:
            raise StoreError(
                f"This process took too long to {self.lease.work}: its lock on {self._store.folder} was taken over, so "
                "it stopped; run it again."
            )


class Leases:
    """The leases of one problem's store."""

    def __init__(self, store: Store, timeout_seconds: float = 30.0) -> None:
        self.store = store
        self.timeout_seconds = timeout_seconds

    @contextlib.contextmanager
    def held(self, work: str, seconds: float = 60.0) -> Generator[Held]:
        """Hold the lock for at most so many seconds, after waiting for it.

        Parameters
        ----------
        work : str
            What it is held for, as in "to ...".

        Raises
        ------
        StoreError
            Somebody else holds it for longer than we wait.
        """
        lease = self._taken(work, seconds)
        try:
            yield Held(self.store, lease)
        finally:
            self._release(lease)

    def append(self, folder: str, work: str, make: Callable[[int], R], *, after: int = 0, seconds: float = 60.0) -> R:
        """Create a record under the next free number, as `Store.append`, and under the lock.

        Raises
        ------
        StoreError
            A file that it names is not in the store (any more), or the lock was taken over meanwhile.
        """
        with self.held(work, seconds) as lease:

            def checked(number: int) -> R:
                record = make(number)
                if gone := self.store.gone(record):
                    raise StoreError(
                        f"{self.store.folder / gone[0]} is gone from the store, so nothing was written that names it; "
                        "run again (salamander gc removes what nothing needs and is older than its grace period)."
                    )
                lease.check()
                return record

            return self.store.append(folder, checked, after=after)

    def decisions_seen(self) -> int:
        """Give the number of the newest decision that a release tells of; one that cannot be read tells nothing."""
        for number in reversed(self.store.numbers(FOLDER)):
            with contextlib.suppress(StoreError):
                return self.store.record(_release_name(number), Release).decisions
        return 0

    def _taken(self, work: str, seconds: float) -> Lease:
        deadline, pause = time.monotonic() + self.timeout_seconds, 0.002
        while True:
            newest = max(self.store.numbers(FOLDER), default=0)
            holder = self._holder(newest)
            if holder is None:
                lease = _lease(newest + 1, work, seconds)
                name = numbered(FOLDER, lease.number)
                # Where older leases were tidied away between the two looks, the number was free but is not the newest.
                if self.store.create(name, lease) and max(self.store.numbers(FOLDER)) == lease.number:
                    return lease
            elif time.monotonic() > deadline:
                raise StoreError(
                    f"{self.store.folder} is locked by {holder.by} since {holder.taken:%Y-%m-%d %H:%M:%S} UTC, to "
                    f"{holder.work} (process {holder.process} on {holder.host}: {holder.command}); wait for it or end "
                    f"that process, else the lock ends at {holder.expires:%H:%M:%S} UTC."
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.1)

    def _holder(self, newest: int) -> Lease | None:
        """Give the newest lease, or None where it has ended."""
        if not newest or (self.store.folder / _release_name(newest)).exists():
            return None
        try:
            lease = self.store.record(numbered(FOLDER, newest), Lease)
        except StoreError as error:
            text = f"{error} It is a lock only: where nothing else of Salamander runs on this store, remove the file."
            raise StoreError(text) from error
        return None if lease.expires < datetime.now(UTC) or _is_dead(lease) else lease

    def _release(self, lease: Lease) -> None:
        newest = max(self.store.numbers(DECISIONS), default=0)
        release = Release(number=lease.number, decisions=newest, at=datetime.now(UTC))
        try:
            self.store.create(_release_name(lease.number), release)
        except StoreError:  # a full disk: what was done is done, and the place that the lease took is free again
            (self.store.folder / numbered(FOLDER, lease.number)).unlink(missing_ok=True)
        for number in self.store.numbers(FOLDER)[:-KEPT]:
            for name in (numbered(FOLDER, number), _release_name(number)):
                (self.store.folder / name).unlink(missing_ok=True)


def user() -> str:
    """Give the name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"


def _release_name(number: int) -> str:
    return f"{FOLDER}/{number:06}.released.json"


def _lease(number: int, work: str, seconds: float) -> Lease:
    now = datetime.now(UTC)
    return Lease(
        number=number,
        work=work,
        by=user(),
        host=platform.node(),
        machine=_machine(),
        process=os.getpid(),
        process_started=_started(os.getpid()) or "",
        command=" ".join([Path(sys.argv[0]).name, *sys.argv[1:3]]),
        taken=now,
        expires=now + timedelta(seconds=seconds),
    )


def _machine() -> str:
    """Give what tells the processes of this machine, since its start, from those of others and of other containers."""
    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return platform.node()
    return f"{platform.node()} {boot.read_text().strip()} {processes.readlink()}"


def _is_dead(lease: Lease) -> bool:
    """Give whether the process of a lease is known to be gone; of those elsewhere nothing is known."""
    return lease.machine == _machine() and _started(lease.process) != lease.process_started


def _started(process: int) -> str | None:
    """Give when a process of this machine was started, in its own units ("" where that is not told), or None."""
    try:
        with contextlib.suppress(PermissionError):  # another user's process: it is there
            os.kill(process, 0)
    except ProcessLookupError:
        return None
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]

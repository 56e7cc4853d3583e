"""The history of a problem's decisions, one numbered record each, with the pointers that were in force after it.

Deciding is creating the next record, which fails if somebody else has created it first: a compare-and-swap and a
history in one. The newest counts. None may be missing: a gap is seen by its number, and where the newest was taken
away, the last release of the lock tells that there was one more.

The first versions of the store kept `Deployment` records (schema 1) under ``deployments/``. They are read as decisions,
and numbering goes on behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from tasks.errors import StoreError
from tasks.records import Decision, DecisionKind, Deployment
from tasks.registering.leases import DECISIONS, Leases, user
from tasks.store import Store, numbered

OLD = "deployments"
FIRST = Decision(number=0, kind="unfrozen", reason="Nothing was decided yet.", by="", at=datetime.fromtimestamp(0, UTC))
"""What is in force before the first decision: it is never stored."""


class Decisions:
    """The decisions of one problem."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def newest(self) -> Decision | None:
        """Give the decision in force, or None before the first."""
        return next(self.newest_first(), None)

    def number(self) -> int:
        """Give the number of the newest decision, which need not be read for that; 0 before the first."""
        return max([*self.store.numbers(OLD), *self.store.numbers(DECISIONS)], default=0)

    def all(self) -> list[Decision]:
        """Give all decisions, oldest first."""
        return [*self.newest_first()][::-1]

    def newest_first(self) -> Iterator[Decision]:
        """Give all decisions, newest first, each read when it is asked for.

        Raises
        ------
        StoreError
            One is missing or was changed.
        """
        seen = Leases(self.store).decisions_seen()  # looked at first: what is decided meanwhile is not missed then
        old, numbers = self.store.numbers(OLD), self.store.numbers(DECISIONS)
        known, last = {*old, *numbers}, max([seen, *old, *numbers], default=0)
        if missing := [number for number in range(1, last + 1) if number not in known]:
            name = numbered(OLD if missing[0] < max(old, default=0) else DECISIONS, missing[0])
            raise StoreError(
                f"{self.store.folder / name} is missing, so nobody knows what is in production; restore it from a "
                "backup."
            )
        for number in reversed(numbers):
            yield self.store.record(numbered(DECISIONS, number), Decision)
        yield from reversed(self._old(old))

    def append(self, make: Callable[[int, Decision], Decision]) -> Decision:
        """Write the decision that is made of its number and the one in force before; see `Store.append`."""
        old = max(self.store.numbers(OLD), default=0)
        return self.store.append(DECISIONS, lambda number: make(number, self.newest() or FIRST), after=old)

    def _old(self, numbers: list[int]) -> list[Decision]:
        """Read deployments as decisions. They did not tell of an anchor: it is taken to be the champion then."""
        read: list[Decision] = []
        for number in numbers:
            deployment = self.store.record(numbered(OLD, number), Deployment)
            read.append(_decided(deployment, read))
        return read


def following(
    number: int, state: Decision, kind: DecisionKind, reason: str, by: str | None, **changes: Any
) -> Decision:
    """Give a decision of now: what was in force before it, with these changes."""
    kept = state.model_dump(include={"champion", "previous", "anchor", "blocked", "frozen"})
    made = {"number": number, "kind": kind, "reason": reason, "by": by or user(), "at": datetime.now(UTC)}
    return Decision.model_validate({**kept, **made, **changes})


def _decided(deployment: Deployment, before: list[Decision]) -> Decision:
    """Give a deployment as a decision, with the pointers that follow from those before it."""
    version, left = deployment.version, deployment.previous
    previous, blocked = left, before[-1].blocked if before else ()
    if deployment.kind == "rollback":
        previous = next((decision.previous for decision in reversed(before) if decision.champion == version), None)
        if left is not None and version not in blocked:
            blocked = (*blocked, left)
    return Decision(
        schema_version=1,
        number=deployment.number,
        kind="rolled back" if deployment.kind == "rollback" else "promoted",
        version=version,
        reason=deployment.reason,
        by=deployment.by,
        at=deployment.at,
        champion=version,
        previous=previous,
        anchor=version,
        blocked=tuple(number for number in blocked if number != version),
    )

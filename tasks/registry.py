"""Which version is in production, and how that changes.

What is in force is what the newest decision says: champion, previous, anchor, what is blocked, whether all is frozen.
Changing it is creating the next decision, under a lock, and only if its condition still holds for the one just before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Literal

from tasks.decisions import Decisions
from tasks.errors import ProblemError, StoreError
from tasks.leases import Leases, user
from tasks.projection import bring_in_line, is_in_line
from tasks.records import Cause, Decision, DecisionKind, Model, Version
from tasks.store import Store
from tasks.versions import Versions, same_content

Make = Callable[[int, Decision | None], Decision]
SETTLED: tuple[Cause | None, ...] = ("worse", "equivalent", "cannot tell", "rule broken")
"""What a version is held for until there is something new: other data, another declaration, code or champion."""


class _Hindered(Exception):  # noqa: N818 - nothing went wrong
    def __init__(self, cause: Cause) -> None:
        self.cause: Cause = cause


class Registry:
    """The versions and decisions of one problem."""

    def __init__(self, store: Store, *, timeout_seconds: float = 30.0) -> None:
        self.store = store
        self._versions = Versions(store)
        self._decisions = Decisions(store)
        self._leases = Leases(store, timeout_seconds)

    # Versions: see `Versions`.

    def versions(self) -> list[Version]:
        """Give all versions, oldest first."""
        return [self.version(number) for number in self._versions.numbers()]

    def version(self, number: int) -> Version:
        """Give one version."""
        return self._versions.version(number)

    def register(self, draft: Version) -> Version:
        """Give a number to a version and create it; a version of the same content is given back as it is."""
        with self._leases.held("register a version") as lease:
            return self._versions.register(draft, lease)

    def check_files(self, version: Version) -> None:
        """Check that all files of a version's model are there and unchanged."""
        self._versions.check_files(version)

    def check_kept(self, version: Version) -> None:
        """Check that no file of a version was collected."""
        self._versions.check_kept(version)

    # What is in force.

    def decision(self) -> Decision | None:
        """Give the newest decision, which says what is in force, or None before the first."""
        return self._decisions.newest()

    def history(self) -> list[Decision]:
        """Give all decisions, oldest first."""
        return self._decisions.all()

    def champion(self) -> Version | None:
        """Give the version in production, or None before the first promotion."""
        return self._pointed("champion")

    def previous(self) -> Version | None:
        """Give the version that was in production before, or None."""
        return self._pointed("previous")

    def anchor(self) -> Version | None:
        """Give the last champion that was promoted as better, or None before the first promotion."""
        return self._pointed("anchor")

    def _pointed(self, name: Literal["champion", "previous", "anchor"]) -> Version | None:
        decision = self.decision()
        number = getattr(decision, name) if decision else None
        return self.version(number) if number else None

    def is_blocked(self, model: Model) -> bool:
        """Give whether a model's content is that of a blocked version."""
        decision = self.decision()
        return decision is not None and self._is_among(decision.blocked, model)

    def held_for(self, version: Version) -> Cause | None:
        """Give what a version is held for: by the newest decision on it, or by its verdict where there is none."""
        on_it = {"promoted", "adopted", "rolled back", "held", "rejected"}
        for decision in self._decisions.newest_first():
            if decision.version == version.number and decision.kind in on_it:
                return decision.cause if decision.kind in {"held", "rejected"} else None
        return version.verdict.cause

    def settled(self, key: str) -> Version | None:
        """Give the version that a finished run of the same key made, where judging it again could change nothing.

        That is one that is blocked, was rejected, or was in production (unless somebody unblocked it since); that is
        frozen while all is; or that was held against the present champion for what stays so. It is not settled where
        the champion could not be read or was replaced meanwhile, nobody answered, or the run was asked not to deploy.
        """
        history = self.history()
        same_key = (version for version in self._versions.readable() if version.key == key)
        return next((version for version in same_key if self._is_final(version, history)), None)

    def _is_final(self, version: Version, history: list[Decision]) -> bool:
        state = history[-1] if history else None
        champion = state.champion if state else None
        if champion == version.number or (state and self._is_among(state.blocked, version.model)):
            return True
        if any(decision.champion == version.number for decision in history):
            on_it = (each.kind for each in reversed(history) if each.version == version.number)
            return next((kind for kind in on_it if kind != "collected"), None) != "unblocked"
        cause = self.held_for(version)
        if cause == "rejected" or (cause == "frozen" and state and state.frozen):
            return True
        return cause in SETTLED and version.scores.champion_version == champion

    # Decisions.

    def promote(
        self,
        version: Version,
        judged_against: int | None,
        *,
        kind: Literal["promoted", "adopted"] = "promoted",
        reason: str | None = None,
        by: str | None = None,
        overridden: Cause | None = None,
    ) -> Decision | Cause:
        """Put a version into production, unless something hinders that.

        The anchor moves to it where it was judged to be better, is the first or adopted, or where a person overrode
        what it was held for: later ones are not to be held for the same then.

        Returns
        -------
        Decision or Cause
            The decision that put it there, also where a run of the same content was faster. A cause, and nothing is
            changed, where it is blocked, all is frozen, or the champion is not the one that it was judged against.
        """

        def make(number: int, state: Decision | None) -> Decision:
            champion, anchor = (state.champion, state.anchor) if state else (None, None)
            if champion == version.number:
                return self._put_there(version.number)
            if cause := self._hindrance(version, judged_against, state):
                raise _Hindered(cause)
            if champion is None or kind == "adopted" or overridden or version.verdict.standing == "better":
                anchor = version.number
            changes = {"champion": version.number, "previous": champion, "anchor": anchor, "cause": overridden}
            return self._next(number, state, kind, reason or version.verdict.reason, by, version, **changes)

        try:
            return self._decide(f"promote version {version.number}", make)
        except _Hindered as hindered:
            return hindered.cause

    def hold(self, version: Version, cause: Cause, reason: str, by: str | None = None) -> Decision:
        """Write down that a version is held; where just that was decided last, the decision is given back."""

        def make(number: int, state: Decision | None) -> Decision:
            asked = ("held", version.number, cause, reason)
            if state and (state.kind, state.version, state.cause, state.reason) == asked:
                return state
            return self._next(number, state, "held", reason, by, version, cause=cause)

        return self._decide(f"hold version {version.number}", make)

    def reject(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that a person does not want a version in production.

        Raises
        ------
        ProblemError
            It is there already.
        """

        def make(number: int, state: Decision | None) -> Decision:
            self._check_not_champion(version, state, "rejected")
            return self._next(number, state, "rejected", reason, by, version, cause="rejected")

        return self._decide(f"reject version {version.number}", make)

    def rollback(self, to: int | None = None, reason: str | None = None, by: str | None = None) -> Decision:
        """Put the version before the champion, or any that was champion once, back into production.

        The version that is left is blocked; but going back to a blocked one takes that block away and sets none. The
        anchor and the version before become those that stood when it was champion last.

        Raises
        ------
        ProblemError
            There is nothing to go back to, or that version was never in production.
        StoreError
            A file of that version is missing or altered, or somebody moved the pointer at the same moment.
        """
        history = self.history()
        left = history[-1].champion if history else None
        if left is None:
            raise ProblemError(f"{self.store.problem} has no version in production, so there is nothing to roll back.")
        target = self.version(self._way_back(history, left) if to is None else self._once_there(history, left, to))
        self.check_files(target)
        then = next(decision for decision in reversed(history) if decision.champion == target.number)

        def make(number: int, state: Decision | None) -> Decision:
            if state is None or state.champion != left:
                raise StoreError(
                    f"The champion of {self.store.problem} was changed by another run just now; look and try again."
                )
            blocked = state.blocked if self._is_among(state.blocked, target.model) else (*state.blocked, left)
            return self._next(
                number,
                state,
                "rolled back",
                reason or f"Rolled back from version {left}.",
                by,
                target,
                champion=target.number,
                previous=then.previous,
                anchor=then.anchor,
                blocked=self._without(blocked, target.model),
            )

        return self._decide(f"roll back to version {target.number}", make)

    def block(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that the content of a version is not to be promoted.

        Raises
        ------
        ProblemError
            It is in production, or blocked already.
        """

        def make(number: int, state: Decision | None) -> Decision:
            self._check_not_champion(version, state, "blocked")
            blocked = state.blocked if state else ()
            if self._is_among(blocked, version.model):
                raise ProblemError(f"Version {version.number} of {self.store.problem} is blocked already.")
            return self._next(number, state, "blocked", reason, by, version, blocked=(*blocked, version.number))

        return self._decide(f"block version {version.number}", make)

    def unblock(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that the content of a version may be promoted again.

        Raises
        ------
        ProblemError
            It is not blocked.
        """

        def make(number: int, state: Decision | None) -> Decision:
            blocked = state.blocked if state else ()
            left = self._without(blocked, version.model)
            if left == blocked:
                raise ProblemError(
                    f"Version {version.number} of {self.store.problem} is not blocked; blocked are: "
                    f"{', '.join(map(str, blocked)) or 'none'}."
                )
            return self._next(number, state, "unblocked", reason, by, version, blocked=left)

        return self._decide(f"unblock version {version.number}", make)

    def freeze(self, reason: str, by: str | None = None) -> Decision:
        """Write down that nothing is to be promoted until further notice."""
        return self._freeze("frozen", reason, by)

    def unfreeze(self, reason: str, by: str | None = None) -> Decision:
        """Write down that versions may be promoted again."""
        return self._freeze("unfrozen", reason, by)

    def _freeze(self, kind: Literal["frozen", "unfrozen"], reason: str, by: str | None) -> Decision:
        def make(number: int, state: Decision | None) -> Decision:
            if (state is not None and state.frozen) == (kind == "frozen"):
                raise ProblemError(f"{self.store.problem} is {kind} already.")
            return self._next(number, state, kind, reason, by, frozen=kind == "frozen")

        return self._decide(f"have it {kind}", make)

    def _decide(self, work: str, make: Make) -> Decision:
        with self._leases.held(work):
            return self._decisions.append(make)

    def _next(
        self,
        number: int,
        state: Decision | None,
        kind: DecisionKind,
        reason: str,
        by: str | None,
        version: Version | None = None,
        **changes: Any,
    ) -> Decision:
        """Give a decision: what was in force before it, with these changes."""
        kept = state.model_dump(include={"champion", "previous", "anchor", "blocked", "frozen"}) if state else {}
        if version:
            changes |= {"version": version.number, "manifest": self._versions.manifest(version.number)}
        made = {"number": number, "kind": kind, "reason": reason, "by": by or user(), "at": datetime.now(UTC)}
        return Decision.model_validate({**kept, **made, **changes})

    def _hindrance(self, version: Version, judged_against: int | None, state: Decision | None) -> Cause | None:
        if state and self._is_among(state.blocked, version.model):
            return "blocked"
        if state and state.frozen:
            return "frozen"
        return "champion changed" if (state.champion if state else None) != judged_against else None

    def _put_there(self, number: int) -> Decision:
        """Give the decision that put the champion where it is."""
        return [*takewhile(lambda decision: decision.champion == number, self._decisions.newest_first())][-1]

    def _is_among(self, numbers: tuple[int, ...], model: Model) -> bool:
        return any(same_content(self._versions.version(number, signed=False).model, model) for number in numbers)

    def _without(self, numbers: tuple[int, ...], model: Model) -> tuple[int, ...]:
        return tuple(number for number in numbers if not self._is_among((number,), model))

    def _way_back(self, history: list[Decision], left: int) -> int:
        """Give the newest version before the champion whose content is not blocked, nor the champion's."""
        bad, seen, found = (*history[-1].blocked, left), {left}, history[-1].previous
        while found and found not in seen and self._is_among(bad, self._versions.version(found, signed=False).model):
            seen.add(found)
            found = next(decision.previous for decision in reversed(history) if decision.champion == found)
        if found and found not in seen:
            return found
        if seen == {left}:
            raise ProblemError(
                f"{self.store.problem} version {left} was the first in production: there is none before."
            )
        raise ProblemError(
            f"{self.store.problem} has no version before version {left} that is not blocked; name one with --to."
        )

    def _once_there(self, history: list[Decision], left: int, to: int) -> int:
        allowed = sorted({decision.champion for decision in history if decision.champion} - {left})
        if to not in allowed:
            raise ProblemError(
                f"{self.store.problem} cannot go back to version {to}: allowed are versions that were in production "
                f"before and are not now: {', '.join(map(str, allowed)) or 'none'}."
            )
        return to

    def _check_not_champion(self, version: Version, state: Decision | None, what: str) -> None:
        if state and state.champion == version.number:
            raise ProblemError(
                f"Version {version.number} of {self.store.problem} is in production, so it cannot be {what}: "
                f"salamander rollback {self.store.problem} takes it away and blocks it."
            )

    # What TensorFlow Serving sees.

    def project(self) -> None:
        """Bring the folder that TensorFlow Serving watches in line with the champion.

        A run killed between the promotion and this is mended by the next.
        """
        if not is_in_line(self.store, self.champion()):
            with self._leases.held("bring the folder for TensorFlow Serving in line"):
                bring_in_line(self.store, self.champion())

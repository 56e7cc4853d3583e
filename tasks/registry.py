"""Which version is in production, and how that changes.

What is in force is what the newest decision says: champion, previous, anchor, what is blocked, whether all is frozen.
Changing it is creating the next decision, under a lock, and only if its condition still holds for the one just before.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any, Literal

from tasks.errors import ProblemError, StoreError
from tasks.records import Cause, Decision, DecisionKind, Model, Version
from tasks.registering.decisions import FIRST, Decisions, following
from tasks.registering.leases import Leases
from tasks.registering.projection import bring_in_line, is_in_line
from tasks.registering.settled import held_for, is_settled, waiting
from tasks.registering.versions import Versions, same_content
from tasks.registering.way_back import champion_of, version_before, version_named, when_champion
from tasks.store import Store

Make = Callable[[int, Decision], Decision]


class _Hindered(Exception):  # noqa: N818 - nothing went wrong
    def __init__(self, cause: Cause) -> None:
        self.cause: Cause = cause


class Registry:
    """The versions and decisions of one problem.

    Parameters
    ----------
    timeout_seconds : float
        How long a change waits for the lock.
    """

    def __init__(self, store: Store, *, timeout_seconds: float = 30.0) -> None:
        self.store = store
        self._versions = Versions(store)
        self._decisions = Decisions(store)
        self._leases = Leases(store, timeout_seconds)

    # Versions: see `Versions`.

    def versions(self) -> list[Version]:
        """Give all versions, oldest first."""
        return self._versions.all()

    def readable(self) -> list[Version]:
        """Give all versions but those that are not to be trusted, newest first."""
        return [*self._versions.readable()]

    def refused(self) -> list[str]:
        """Give why each version that is not to be trusted is not, newest first."""
        return [*self._versions.refused()]

    def waiting(self) -> list[Version]:
        """Give the versions that wait for a person, oldest first."""
        history = self.history()
        asked = sorted({each.version for each in history if each.version and each.cause == "awaiting approval"})
        return [version for version in map(self.version, asked) if waiting(version, history)]

    def version(self, number: int) -> Version:
        """Give one version."""
        return self._versions.version(number)

    def register(self, draft: Version) -> Version:
        """Give a number to a version and create it; a version of the same content is given back as it is."""
        return self._versions.register(draft, self._leases)

    def check_files(self, version: Version) -> None:
        """Check that all files that a version is used with are there and unchanged."""
        self._versions.check_files(version)

    def check_kept(self, version: Version) -> None:
        """Check that no file of a version was collected."""
        self._versions.check_kept(version)

    # What is in force.

    def decision(self) -> Decision | None:
        """Give the newest decision, which says what is in force, or None before the first."""
        return self._decisions.newest()

    def newest(self) -> int:
        """Give the number of the newest decision without reading it: as long as it is the same, nothing was moved."""
        return self._decisions.number()

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
        return decision is not None and self._versions.hold(decision.blocked, model)

    def held_for(self, version: Version) -> Cause | None:
        """Give what a version is held for, or None; see `tasks.registering.settled`."""
        return held_for(version, self.history())

    def settled(self, key: str) -> Version | None:
        """Give the version that a finished run of the same key made, where judging it again could change nothing."""
        history = self.history()
        same_key = (version for version in self._versions.readable(key) if version.key == key)
        return next((v for v in same_key if is_settled(v, history, blocked=self.is_blocked(v.model))), None)

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

        def make(number: int, state: Decision) -> Decision:
            if state.champion == version.number:
                return self._put_there(version.number)
            if cause := self._hindrance(version, judged_against, state):
                raise _Hindered(cause)
            new_anchor = state.champion is None or kind == "adopted" or overridden
            pointers = {
                "champion": version.number,
                "previous": state.champion,
                "anchor": version.number if new_anchor or version.verdict.standing == "better" else state.anchor,
            }
            why = reason or version.verdict.reason
            return self._on(version, number, state, kind, why, by, cause=overridden, **pointers)

        try:
            return self._decide(f"promote version {version.number}", make)
        except _Hindered as hindered:
            return hindered.cause

    def hold(self, version: Version, cause: Cause, reason: str, by: str | None = None) -> Decision:
        """Write down that a version is held; where just that was decided last, the decision is given back."""

        def make(number: int, state: Decision) -> Decision:
            asked = ("held", version.number, cause, reason)
            if (state.kind, state.version, state.cause, state.reason) == asked:
                return state
            return self._on(version, number, state, "held", reason, by, cause=cause)

        return self._decide(f"hold version {version.number}", make)

    def reject(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that a person does not want a version in production.

        Raises
        ------
        ProblemError
            It is there already.
        """

        def make(number: int, state: Decision) -> Decision:
            self._check_not_champion(version, state, "rejected")
            return self._on(version, number, state, "rejected", reason, by, cause="rejected")

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
        left = champion_of(self.store.problem, history)
        named = None if to is None else version_named(self.store.problem, history, to)
        target = self.version(named or self._before(history, left))
        self.check_files(target)
        then = when_champion(history, target.number)

        def make(number: int, state: Decision) -> Decision:
            if state.champion != left:
                raise StoreError(
                    f"The champion of {self.store.problem} was changed by another run just now; look and try again."
                )
            blocked = state.blocked if self._versions.hold(state.blocked, target.model) else (*state.blocked, left)
            pointers = {"champion": target.number, "previous": then.previous, "anchor": then.anchor}
            why = reason or f"Rolled back from version {left}."
            left_over = self._versions.without(blocked, target.model)
            return self._on(target, number, state, "rolled back", why, by, blocked=left_over, **pointers)

        return self._decide(f"roll back to version {target.number}", make)

    def block(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that the content of a version is not to be promoted.

        Raises
        ------
        ProblemError
            It is in production, or blocked already.
        """

        def make(number: int, state: Decision) -> Decision:
            self._check_not_champion(version, state, "blocked")
            if self._versions.hold(state.blocked, version.model):
                raise ProblemError(f"Version {version.number} of {self.store.problem} is blocked already.")
            return self._on(version, number, state, "blocked", reason, by, blocked=(*state.blocked, version.number))

        return self._decide(f"block version {version.number}", make)

    def unblock(self, version: Version, reason: str, by: str | None = None) -> Decision:
        """Write down that the content of a version may be promoted again.

        Raises
        ------
        ProblemError
            It is not blocked.
        """

        def make(number: int, state: Decision) -> Decision:
            left_over = self._versions.without(state.blocked, version.model)
            if left_over == state.blocked:
                raise ProblemError(
                    f"Version {version.number} of {self.store.problem} is not blocked; blocked are: "
                    f"{', '.join(map(str, state.blocked)) or 'none'}."
                )
            return self._on(version, number, state, "unblocked", reason, by, blocked=left_over)

        return self._decide(f"unblock version {version.number}", make)

    def freeze(self, reason: str, by: str | None = None) -> Decision:
        """Write down that nothing is to be promoted until further notice."""
        return self._freeze("frozen", reason, by)

    def unfreeze(self, reason: str, by: str | None = None) -> Decision:
        """Write down that versions may be promoted again."""
        return self._freeze("unfrozen", reason, by)

    def _freeze(self, kind: Literal["frozen", "unfrozen"], reason: str, by: str | None) -> Decision:
        def make(number: int, state: Decision) -> Decision:
            if state.frozen == (kind == "frozen"):
                raise ProblemError(f"{self.store.problem} is {kind} already.")
            return following(number, state, kind, reason, by, frozen=kind == "frozen")

        return self._decide(f"have it {kind}", make)

    def project(self) -> None:
        """Bring the folder that TensorFlow Serving watches in line with the champion.

        A run killed between the promotion and this is mended by the next.
        """
        if not is_in_line(self.store, self.champion()):
            with self._leases.held("bring the folder for TensorFlow Serving in line"):
                bring_in_line(self.store, self.champion())

    def _decide(self, work: str, make: Make) -> Decision:
        with self._leases.held(work):
            return self._decisions.append(make)

    def _on(
        self,
        version: Version,
        number: int,
        state: Decision,
        kind: DecisionKind,
        reason: str,
        by: str | None,
        **changes: Any,
    ) -> Decision:
        """Give a decision on a version, which it names by the sha256 of the version's record."""
        manifest = self._versions.manifest(version.number)
        return following(number, state, kind, reason, by, version=version.number, manifest=manifest, **changes)

    def hindrance(self, version: Version, judged_against: int | None) -> Cause | None:
        """Give what would hinder the promotion of a version now, or None."""
        return self._hindrance(version, judged_against, self.decision() or FIRST)

    def _hindrance(self, version: Version, judged_against: int | None, state: Decision) -> Cause | None:
        if self._versions.hold(state.blocked, version.model):
            return "blocked"
        if state.frozen:
            return "frozen"
        return "champion changed" if state.champion != judged_against else None

    def _put_there(self, number: int) -> Decision:
        """Give the decision that put the champion where it is."""
        return [*takewhile(lambda decision: decision.champion == number, self._decisions.newest_first())][-1]

    def _before(self, history: list[Decision], left: int) -> int:
        bad = self._versions.models({*history[-1].blocked, left}).values()

        def is_bad(number: int) -> bool:
            model = self._versions.models((number,))[number]
            return any(same_content(model, other) for other in bad)

        return version_before(self.store.problem, history, is_bad)

    def _check_not_champion(self, version: Version, state: Decision, what: str) -> None:
        if state.champion == version.number:
            raise ProblemError(
                f"Version {version.number} of {self.store.problem} is in production, so it cannot be {what}: "
                f"salamander rollback {self.store.problem} takes it away and blocks it."
            )

"""Where a rollback goes: to the version that was in production before, or to one that was there once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tasks.errors import ProblemError
from tasks.records import Decision


def version_before(problem: str, history: Sequence[Decision], is_bad: Callable[[int], bool]) -> int:
    """Give the newest version before the champion that is not bad: blocked, or of the champion's own content.

    Raises
    ------
    ProblemError
        There is none.
    """
    left, found = champion_of(problem, history), history[-1].previous
    seen = {left}
    while found and found not in seen and is_bad(found):
        seen.add(found)
        found = when_champion(history, found).previous
    if found and found not in seen:
        return found
    if seen == {left}:
        raise ProblemError(f"{problem} version {left} was the first in production: there is none before.")
    raise ProblemError(f"{problem} has no version before version {left} that is not blocked; name one with --to.")


def version_named(problem: str, history: Sequence[Decision], to: int) -> int:
    """Give a version that was in production once and is not now.

    Raises
    ------
    ProblemError
        That one is none of them.
    """
    allowed = sorted({decision.champion for decision in history if decision.champion} - {history[-1].champion})
    if to not in allowed:
        raise ProblemError(
            f"{problem} cannot go back to version {to}: allowed are versions that were in production before and are "
            f"not now: {', '.join(map(str, allowed)) or 'none'}."
        )
    return to


def champion_of(problem: str, history: Sequence[Decision]) -> int:
    """Give the number of the version that is in production.

    Raises
    ------
    ProblemError
        There is none.
    """
    champion = history[-1].champion if history else None
    if champion is None:
        raise ProblemError(f"{problem} has no version in production, so there is nothing to roll back.")
    return champion


def when_champion(history: Sequence[Decision], number: int) -> Decision:
    """Give the last decision after which a version was in production."""
    return next(decision for decision in reversed(history) if decision.champion == number)

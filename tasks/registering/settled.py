"""Is there nothing to decide about a version any more? And what is it held for? Both follow from the decisions on it.

What a version is held for is settled as long as nothing changed that could change it. The statistics are settled while
the champion stays; a person's no stays; a block and a freeze are settled until they are taken back. The next run judges
anew where the champion could not be read or was replaced meanwhile, nobody answered in time, or the run was not to
deploy.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.records import Cause, Decision, Version

WHILE_THE_CHAMPION_STAYS: tuple[Cause | None, ...] = ("worse", "equivalent", "cannot tell", "rule broken")
ON_A_VERSION = {"promoted", "adopted", "rolled back", "held", "rejected"}


def held_for(version: Version, history: Sequence[Decision]) -> Cause | None:
    """Give what a version is held for: by the newest decision on it, or by its verdict where there is none yet."""
    on_it = (each for each in reversed(history) if each.version == version.number and each.kind in ON_A_VERSION)
    decision = next(on_it, None)
    if decision is None:
        return version.verdict.cause
    return decision.cause if decision.kind in {"held", "rejected"} else None


def waiting(version: Version, history: Sequence[Decision]) -> bool:
    """Give whether a version waits for a person: held for that, and the champion is the one it was judged against."""
    champion = history[-1].champion if history else None
    return held_for(version, history) == "awaiting approval" and version.scores.champion_version == champion


def is_settled(version: Version, history: Sequence[Decision], *, blocked: bool) -> bool:
    """Give whether judging a version again could change nothing.

    Parameters
    ----------
    blocked : bool
        Whether its content is blocked now.
    """
    champion = history[-1].champion if history else None
    if blocked or champion == version.number:
        return True
    if any(decision.champion == version.number for decision in history):  # it was replaced, or unblocked after that
        on_it = (each.kind for each in reversed(history) if each.version == version.number)
        return next(kind for kind in on_it if kind != "collected") != "unblocked"
    cause = held_for(version, history)
    if cause == "frozen":
        return history[-1].frozen
    return cause == "rejected" or (cause in WHILE_THE_CHAMPION_STAYS and version.scores.champion_version == champion)

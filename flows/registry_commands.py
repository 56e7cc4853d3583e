"""The commands by which a person decides: what is in production, what may get there, and what is kept.

Each writes who, when and why into the history of decisions. `rollback` must be quick, so it imports only what it needs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flows.command_line import DEFAULTS, Options, print_json, print_line, registry_of, say, screen

if TYPE_CHECKING:
    from tasks.records import Cause, Decision, Version
    from tasks.registry import Registry

WITHOUT_OVERRIDE: set[Cause | None] = {
    None,
    "awaiting approval",
    "blocked",
    "champion changed",
    "champion unreadable",
    "frozen",
    "not deployed",
}
"""What a version may be held for that no statistics and no person spoke against: a person may promote it then."""


def rollback(problem: str, *, to: int | None = None, because: str | None = None, options: Options = DEFAULTS) -> int:
    """Put the version before, or another that was in production once, back into production; block the one that is left.

    Parameters
    ----------
    to
        The version's number (default: the one that the present one replaced). Going back to a blocked one unblocks it.
    because
        Why, for the history.
    """
    registry = registry_of(problem, options)
    moved = registry.rollback(to, because)
    registry.project()
    left = next(decision.champion for decision in registry.history() if decision.number == moved.number - 1)
    text = f"Version {moved.version} of {problem} is in production again, in place of version {left}."
    return _decided(moved, f"{text} That one is blocked." if left in moved.blocked else text, options)


def promote(
    problem: str,
    version: int,
    *,
    because: str,
    override: Annotated[bool, Parameter(negative=())] = False,
    options: Options = DEFAULTS,
) -> int:
    """Put a version into production, if that is still the one it was judged against and a fresh process can load it.

    Parameters
    ----------
    because
        Why, for the history.
    override
        Promote it though the gate or a person held it.
    """
    from tasks.errors import ProblemError
    from tasks.fresh_process import FreshProcess

    registry = registry_of(problem, options)
    found = registry.version(version)
    overridden = _overridden(registry, found, override)
    with FreshProcess() as fresh:
        fresh.rehearse(found, registry.store)
    done = registry.promote(found, found.scores.champion_version, reason=because, overridden=overridden)
    if isinstance(done, str):
        raise ProblemError(_why_not(registry, found, done))
    registry.project()
    return _decided(done, f"Version {version} of {problem} is in production.", options)


def _overridden(registry: Registry, version: Version, override: bool) -> Cause | None:
    """Give the cause that a promotion overrides, or None, after checking that nothing hinders it."""
    from tasks.errors import ProblemError

    number, problem, state = version.number, registry.store.problem, registry.decision()
    if state and state.champion == number:
        raise ProblemError(f"Version {number} of {problem} is in production already.")
    if hindrance := registry.hindrance(version, version.scores.champion_version):
        raise ProblemError(_why_not(registry, version, hindrance))
    registry.check_kept(version)
    held = registry.held_for(version)
    cause = version.verdict.cause if held in WITHOUT_OVERRIDE else held
    if cause in WITHOUT_OVERRIDE:
        return None
    if not override:
        raise ProblemError(
            f"Version {number} of {problem} is held: {cause} ({version.verdict.reason}) Say --override to promote it "
            "nevertheless."
        )
    return cause


def _why_not(registry: Registry, version: Version, cause: Cause) -> str:
    number, problem, state = version.number, registry.store.problem, registry.decision()
    if cause == "blocked":
        return (
            f"The content of version {number} of {problem} is blocked (salamander history {problem} says why); to "
            f"promote it, salamander unblock {problem} {number} first."
        )
    if cause == "frozen":
        return f"{problem} is frozen, so nothing is promoted; to promote, salamander unfreeze {problem} first."
    judged, champion = version.scores.champion_version, state.champion if state else None
    return (
        f"Version {number} of {problem} was judged against {f'version {judged}' if judged else 'no version'}, but "
        f"{f'version {champion}' if champion else 'none'} is in production now; salamander train {problem} judges anew."
    )


def reject(problem: str, version: int, *, because: str, options: Options = DEFAULTS) -> int:
    """Decide that a version does not go into production, so that no run asks for it again.

    Parameters
    ----------
    because
        Why, for the history.
    """
    registry = registry_of(problem, options)
    done = registry.reject(registry.version(version), because)
    return _decided(done, f"Version {version} of {problem} is rejected.", options)


def block(problem: str, version: int, *, because: str, options: Options = DEFAULTS) -> int:
    """Forbid that the content of a version is promoted, whatever number it comes back under.

    Parameters
    ----------
    because
        Why, for the history.
    """
    registry = registry_of(problem, options)
    done = registry.block(registry.version(version), because)
    return _decided(done, f"The content of version {version} of {problem} is blocked.", options)


def unblock(problem: str, version: int, *, because: str, options: Options = DEFAULTS) -> int:
    """Allow again that the content of a version is promoted; the next run judges it anew.

    Parameters
    ----------
    because
        Why, for the history.
    """
    registry = registry_of(problem, options)
    done = registry.unblock(registry.version(version), because)
    return _decided(done, f"The content of version {version} of {problem} is not blocked any more.", options)


def freeze(problem: str, *, because: str, options: Options = DEFAULTS) -> int:
    """Promote nothing until further notice; runs go on, and rollback works.

    Parameters
    ----------
    because
        Why, for the history.
    """
    done = registry_of(problem, options).freeze(because)
    return _decided(done, f"{problem} is frozen: runs go on, nothing is promoted.", options)


def unfreeze(problem: str, *, because: str, options: Options = DEFAULTS) -> int:
    """Promote again what deserves it; what was held meanwhile is judged anew by the next run.

    Parameters
    ----------
    because
        Why, for the history.
    """
    done = registry_of(problem, options).unfreeze(because)
    return _decided(done, f"{problem} is not frozen any more.", options)


def history(problem: str, *, options: Options = DEFAULTS) -> int:
    """List every decision, newest first: when, who, what, on which version, and why."""
    from rich.table import Table

    from flows.terminal import add_plain
    from flows.views import decision_view, minute

    decisions = [decision_view(decision) for decision in reversed(registry_of(problem, options).history())]
    if options.json:
        return print_json({"problem": problem, "decisions": decisions})
    table = Table("number", "when", "who", "what", "version", "cause", "why")
    for each in decisions:
        version, cause = str(each["version"] or ""), each["cause"] or ""
        add_plain(
            table, str(each["number"]), minute(each["at"]), each["by"], each["kind"], version, cause, each["reason"]
        )
    screen().print(table if decisions else f"Nothing was decided for {problem} yet: salamander train {problem}")
    return 0


def gc(
    problem: str,
    *,
    remove: Annotated[bool, Parameter(negative=())] = False,
    older_than: timedelta = timedelta(hours=1),
    options: Options = DEFAULTS,
) -> int:
    """Show the files that no version, snapshot or step needs any more, as [retention] declares; or remove them.

    Parameters
    ----------
    remove
        Remove them.
    older_than
        Leave alone what was written or used within this time, such as 30m, 2h or 1d: a run may be about to need it.
    """
    from rich.table import Table

    from flows.terminal import add_plain
    from flows.views import waste_view
    from tasks.problem import load_problem
    from tasks.registering.collect import collect, waste

    retention, store = load_problem(problem, options.project).retention, registry_of(problem, options).store
    found = waste_view(problem, (collect if remove else waste)(store, retention, older_than), removed=remove)
    if options.json:
        return print_json(found)
    table = Table("removed" if remove else "not needed", "files", "bytes")
    for kind, each in found["kinds"].items():
        add_plain(table, kind, f"{each['files']:,}", f"{each['bytes']:,}")
    screen().print(table if found["files"] else f"{problem} has no file that is not needed.")
    if found["versions"]:
        lost = ", ".join(map(str, found["versions"]))
        print_line(f"Versions that {'lost' if remove else 'would lose'} files: {lost}. Their records stay.")
    if found["files"] and not remove:
        print_line(f"Nothing was removed: salamander gc {problem} --remove does that.")
    return 0


COMMANDS = (rollback, promote, reject, block, unblock, freeze, unfreeze, history, gc)


def _decided(decision: Decision, text: str, options: Options) -> int:
    from flows.views import decision_view

    return say(decision_view(decision), text, options)

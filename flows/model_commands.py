"""The commands that tell how a model was found: all that was tried, and whether it can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.command_line import DEFAULTS, Options, print_json, registry_of, run_command, screen
from tasks.errors import ProblemError

if TYPE_CHECKING:
    from tasks.records import Version
    from tasks.registry import Registry


def leaderboard(
    problem: str, version: int | None = None, *, declare: int | None = None, options: Options = DEFAULTS
) -> int:
    """Show every trial that a version was chosen from: scores, seconds, milliseconds, megabytes, parameters.

    Parameters
    ----------
    version
        The version's number (default: the newest one that was trained here).
    declare
        Print the trial at this place as a candidate for problem.toml, with which it can be made again.
    """
    from flows.trials import declaration, leaderboard_view, trials_table

    chosen = _trained(registry_of(problem, options), version)
    trials = chosen.model.leaderboard
    if declare is not None:
        if not 1 <= declare <= len(trials):
            raise ProblemError(f"--declare {declare} is no place on the leaderboard; it goes from 1 to {len(trials)}.")
        print(declaration(trials[declare - 1]))  # noqa: T201
        return 0
    if options.json:
        return print_json({"problem": problem, "version": chosen.number, "trials": leaderboard_view(trials)})
    screen().print(trials_table(f"{problem} version {chosen.number}", trials))
    return 0


def _trained(registry: Registry, number: int | None) -> Version:
    """Give a version that was chosen from trials: one of a number, or the newest."""
    problem = registry.store.problem
    if number is not None:
        version = registry.version(number)
        if not version.model.leaderboard:
            raise ProblemError(f"Version {number} of {problem} was adopted, not chosen from trials.")
        return version
    newest = next((version for version in registry.readable() if version.model.leaderboard), None)
    if newest is None:
        raise ProblemError(f"{problem} has no version that was trained here yet: salamander train {problem}.")
    return newest


def reproduce(problem: str, version: int, *, options: Options = DEFAULTS) -> int:
    """Make a version again from its snapshot, declaration and seed, and tell whether it predicts the same.

    Parameters
    ----------
    version
        The version's number.
    """
    return run_command("reproduction", problem, options, version=version)


COMMANDS: tuple[Any, ...] = (leaderboard, reproduce)

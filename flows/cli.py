"""The command line: `salamander COMMAND`. Nothing heavy is imported before a command needs it.

Exit codes: 0 finished (promoted, held or nothing new), 1 failed, 2 the problem or the command line is wrong, 3 the data
was refused. With ``--json`` exactly one object is printed on stdout, and the steps go to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.records import Version
    from tasks.registry import Registry


def _version() -> str:
    from importlib.metadata import version

    return version("salamander")


app = App(
    name="salamander",
    help="Keeps machine-learning models alive: fetch, validate, retrain, judge, deploy only what deserves it.",
    help_epilogue="Exit codes: 0 finished (promoted, held or nothing new), 1 failed, 2 the problem or the command line "
    "is wrong, 3 the data was refused.",
    version=_version,
    version_flags=["--version"],
)


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """What every command takes.

    Parameters
    ----------
    json
        Print one JSON object on stdout.
    store
        Where artifacts and versions are kept (default: data/store of the project).
    project
        The folder in which data/ and expectations/ stand.
    """

    json: Annotated[bool, Parameter(negative=())] = False
    store: str | None = None
    project: Path = Path()

    @property
    def store_url(self) -> str:
        """The address of the store."""
        return self.store or str(self.project / "data" / "store")


DEFAULTS = Options()

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""What this program sets, unless the user did, for itself and for all that it starts."""


@app.command
def train(problem: str, *, deploy: bool = True, options: Options = DEFAULTS) -> int:
    """Retrain a problem's model, judge it, and deploy it if it deserves it.

    Parameters
    ----------
    problem
        The problem's name: a folder below data/.
    deploy
        Put the model into production if it passes the gate.
    """
    from flows.runs import run_training

    run, version = run_training(problem, options, promote=deploy, console=_console(stderr=options.json))
    if options.json:
        _print_json(_run_view(run.model_dump(mode="json"), version))
    return run.exit_code


@app.command
def problems(*, options: Options = DEFAULTS) -> int:
    """List the problems that are declared in the project."""
    from rich.table import Table

    from tasks.problem import load_problem, problem_names

    declared = [load_problem(name, options.project) for name in problem_names(options.project)]
    if options.json:
        rows = [{"problem": p.name, "task": p.task, "target": p.target, "description": p.description} for p in declared]
        return _print_json({"problems": rows})
    table = Table("problem", "task", "target", "schedule", "description")
    for p in declared:
        schedule = f"{p.schedule.cron} {p.schedule.timezone}" if p.schedule else "none"
        table.add_row(p.name, p.task, p.target, schedule, p.description)
    _console().print(table if declared else f"No problem is declared in {options.project.absolute() / 'data'}.")
    return 0


@app.command
def status(problem: str | None = None, *, options: Options = DEFAULTS) -> int:
    """Show what is in production, for one problem or for all."""
    from rich.table import Table

    from tasks.problem import problem_names

    names = [problem] if problem else problem_names(options.project)
    rows = [_status(_registry(name, options)) for name in names]
    if options.json:
        return _print_json(rows[0] if problem else {"problems": rows})
    table = Table("problem", "in production", "test metric", "since", "versions", "last run")
    for row in rows:
        champion = f"version {row['champion']} ({row['candidate']})" if row["champion"] else "nothing yet"
        last = f"{row['last_run']['outcome']}, {_minute(row['last_run']['started'])}" if row["last_run"] else "none"
        table.add_row(row["problem"], champion, row["measured"], _minute(row["since"]), str(row["versions"]), last)
    _console().print(table)
    return 0


@app.command
def versions(problem: str, *, options: Options = DEFAULTS) -> int:
    """List a problem's versions, newest first."""
    from rich.table import Table

    registry = _registry(problem, options)
    deployment, found = registry.deployment(), registry.versions()[::-1]
    champion = deployment.version if deployment else None
    if options.json:
        return _print_json({"problem": problem, "champion": champion, "versions": [_brief(v) for v in found]})
    table = Table("version", "candidate", "test metric", "verdict", "created")
    for version in found:
        mark = " ← production" if version.number == champion else ""
        verdict = "promote" if version.verdict.promote else f"held: {version.verdict.cause}"
        row = _brief(version)
        table.add_row(f"{version.number}{mark}", row["candidate"], row["measured"], verdict, _minute(row["created"]))
    _console().print(table if found else f"{problem} has no versions yet: salamander train {problem}")
    return 0


@app.command
def show(problem: str, version: int, *, options: Options = DEFAULTS) -> int:
    """Show everything that a version's decision rested on."""
    from flows.terminal import leaderboard_table, rules_table

    found = _registry(problem, options).version(version)
    if options.json:
        return _print_json(found.model_dump(mode="json"))
    console = _console()
    console.print(f"[bold]{problem} version {version}[/] of {_minute(found.created.isoformat())}", highlight=False)
    console.print(leaderboard_table(found.model.leaderboard))
    console.print(rules_table(found))
    console.print(found.verdict.reason, highlight=False, soft_wrap=True)
    console.print(f"Trained on {found.model.trained_on.rows:,} rows from {found.snapshot.origin}.", soft_wrap=True)
    parameters = found.model.candidate.parameters
    console.print(f"{found.model.candidate.estimator} with {json.dumps(parameters, default=list)}", soft_wrap=True)
    for name, file in found.model.files.items():
        console.print(f"  {file.sha256[:12]}  {file.size:>12,} bytes  {name}", highlight=False)
    return 0


@app.command
def rollback(problem: str, *, to: int | None = None, options: Options = DEFAULTS) -> int:
    """Put the version before, or another that was in production once, back into production.

    Parameters
    ----------
    to
        The version's number (default: the one that the present one replaced).
    """
    registry = _registry(problem, options)
    moved = registry.rollback(to)
    registry.project()
    if options.json:
        return _print_json(moved.model_dump(mode="json"))
    _console().print(
        f"Version {moved.version} of {problem} is in production again, in place of version {moved.previous}."
    )
    return 0


@app.command
def up(*, options: Options = DEFAULTS) -> int:
    """Start a local Prefect server and a worker, and deploy every problem's flow; say where the UI is."""
    from flows.deployments import bring_up

    found = bring_up(options.project, options.store)
    if options.json:
        return _print_json(found)
    console = _console()
    console.print(f"Prefect UI: {found['ui']}", highlight=False)
    console.print(f"Deployed: {', '.join(found['deployments'])}", highlight=False)
    console.print(f"To use it from Prefect's own commands: export PREFECT_API_URL={found['api']}", soft_wrap=True)
    console.print("Start a run: prefect deployment run 'training/PROBLEM'. Stop with: salamander down")
    return 0


@app.command
def down(*, options: Options = DEFAULTS) -> int:
    """Stop the local Prefect server and the worker, where this program started them."""
    from flows.local_server import stop

    stopped = [name for name in ("worker", "server") if stop(name)]
    if options.json:
        return _print_json({"stopped": stopped})
    _console().print(
        f"Stopped: {', '.join(stopped)}." if stopped else "Nothing to stop: nothing was started from here."
    )
    return 0


def main() -> None:
    """Run the command line and end with its exit code; a user's mistake is a sentence, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    from tasks.errors import SalamanderError

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return app(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0
    except CycloptsError as error:
        return _mistake(f"{error} See salamander --help.".replace("\n", " "), arguments, 2)
    except SalamanderError as error:
        return _mistake(str(error), arguments, error.exit_code)
    except OSError as error:
        return _mistake(f"{error.strerror or error}: {error.filename or 'no file named'}.", arguments, 1)
    except Exception as error:
        if os.environ.get("SALAMANDER_DEBUG"):
            raise
        first = (str(error).strip().splitlines() or ["no message"])[0]
        hint = "SALAMANDER_DEBUG=1 shows where; salamander status shows what is in production."
        return _mistake(f"Salamander itself failed: {type(error).__name__}: {first} {hint}", arguments, 1)
    except KeyboardInterrupt:
        return _mistake("Interrupted. Finished steps are kept; the same command goes on from there.", arguments, 130)


def _mistake(sentence: str, arguments: list[str], exit_code: int) -> int:
    if "--json" in arguments:
        _print_json({"outcome": "failed", "sentence": sentence, "exit_code": exit_code})
    else:
        _console(stderr=True).print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    return exit_code


def _registry(problem: str, options: Options) -> Registry:
    from tasks.problem import load_problem
    from tasks.registry import Registry
    from tasks.store import Store

    store = Store.at(options.store_url, problem)
    if not store.folder.is_dir():  # what is in production can be seen and moved even where the declaration is broken
        load_problem(problem, options.project)
    return Registry(store)


def _status(registry: Registry) -> dict[str, Any]:
    from tasks.records import RunRecord

    deployment, champion = registry.deployment(), registry.champion()
    runs = registry.store.names("runs")
    last = registry.store.record(runs[-1], RunRecord).model_dump(mode="json") if runs else None
    return {
        "problem": registry.store.problem,
        "champion": champion.number if champion else None,
        "candidate": champion.model.candidate.name if champion else None,
        "measured": _measured(champion) if champion else "",
        "since": deployment.at.isoformat() if deployment else None,
        "versions": len(registry.store.numbers("versions")),
        "last_run": last,
    }


def _brief(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "candidate": version.model.candidate.name,
        "metric": version.scores.metric,
        "test": version.scores.challenger.model_dump(),
        "measured": _measured(version),
        "promote": version.verdict.promote,
        "cause": version.verdict.cause,
        "created": version.created.isoformat(),
    }


def _run_view(run: dict[str, Any], version: Version | None) -> dict[str, Any]:
    return run | {"judged": _brief(version) | {"reason": version.verdict.reason} if version else None}


def _measured(version: Version) -> str:
    from tasks.metrics import METRICS, figure

    scores = version.scores
    ours = scores.challenger
    return f"{METRICS[scores.metric].label} {figure(ours.value)} [{figure(ours.low)}, {figure(ours.high)}]"


def _minute(moment: str | None) -> str:
    from datetime import datetime

    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    wide = None if (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ else 120
    return Console(stderr=stderr, width=wide)


def _print_json(value: dict[str, Any]) -> int:
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201
    return 0

"""The command line: `salamander COMMAND`. Nothing heavy is imported before a command needs it.

Exit codes: 0 finished (promoted, held or nothing new), 1 failed, 2 the problem or the command line is wrong, 3 the data
was refused. With ``--json`` exactly one object is printed on stdout, and the steps go to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from flows import model_commands, registry_commands, scoring_commands, serve_commands
from flows.command_line import (
    DEFAULTS,
    Options,
    own_output,
    print_json,
    print_line,
    registry_of,
    run_command,
    say,
    screen,
)


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


REFUSED = 3

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""What this program sets, unless the user did, for itself and for all that it starts."""


@app.command
def train(
    problem: str,
    *,
    deploy: bool = True,
    snapshot: int | None = None,
    accept_columns: Annotated[bool, Parameter(negative=())] = False,
    options: Options = DEFAULTS,
) -> int:
    """Retrain a problem's model, judge it, and deploy it if it deserves it.

    Parameters
    ----------
    problem
        The problem's name: a folder below data/.
    deploy
        Put the model into production if it passes the gate.
    snapshot
        Train on this accepted snapshot again, instead of fetching (salamander data lists them).
    accept_columns
        Take columns and types that differ from those of the last accepted snapshot.
    """
    return run_command("training", problem, options, promote=deploy, snapshot=snapshot, accept_columns=accept_columns)


@app.command
def adopt(
    problem: str,
    model: Path,
    *,
    trained_on: Path | None = None,
    unseen: Annotated[bool, Parameter(negative=())] = False,
    trust_pickle: Annotated[bool, Parameter(negative=())] = False,
    options: Options = DEFAULTS,
) -> int:
    """Take a model that is in production already as the first version, so that the first retraining is a comparison.

    Where a version is in production here, the model is judged like any challenger.

    Parameters
    ----------
    model
        A skops or Keras file of a fitted model that reads columns of the problem (or a pickle, see --trust-pickle).
    trained_on
        The rows that it was trained on, in any format that the problem's source may have; they never count.
    unseen
        Promise that it was trained on no row of the problem's data.
    trust_pickle
        Read a .joblib or .pkl file, which runs whatever program it holds; it is kept without a pickle.
    """
    from tasks.errors import ProblemError

    if trained_on and unseen:
        raise ProblemError("--trained-on and --unseen exclude each other: it saw rows of the data, or it saw none.")
    rows = str(trained_on.resolve()) if trained_on else None
    asked = {"trained_on": rows, "unseen": unseen, "trust_pickle": trust_pickle}
    return run_command("adoption", problem, options, model=str(model.resolve()), **asked)


@app.command
def validate(
    problem: str,
    file: Path | None = None,
    *,
    accept_columns: Annotated[bool, Parameter(negative=())] = False,
    options: Options = DEFAULTS,
) -> int:
    """Check a problem's data, or a file in its place, without training.

    Parameters
    ----------
    file
        A file to check in place of what the source gives.
    accept_columns
        Take columns and types that differ from those of the last accepted snapshot.
    """
    name = str(file.absolute()) if file else None
    return run_command("validation", problem, options, file=name, accept_columns=accept_columns)


@app.command
def evaluate(problem: str, version: int, *, snapshot: int | None = None, options: Options = DEFAULTS) -> int:
    """Score a version on the test rows of any accepted snapshot, leaving out rows that it was trained on.

    Parameters
    ----------
    snapshot
        The snapshot's number (default: the newest; salamander data lists them).
    """
    return run_command("evaluation", problem, options, version=version, snapshot=snapshot)


@app.command
def new(
    name: str,
    *,
    data: str,
    target: str,
    task: Literal["classification", "regression"] | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Look at data and draft a problem from it: problem.toml, a datasheet and a suite of expectations, ready to train.

    Parameters
    ----------
    name
        The new problem's name: lower-case letters, digits, - and _.
    data
        A file, an http address, or a data set of scikit-learn, such as sklearn:iris.
    target
        The column that is to be predicted.
    task
        What is asked of the target, where the guess would be wrong.
    """
    from flows.drafts import draft_view, new_problem, show_draft

    draft, files = new_problem(name, data, target, task, options.project)
    if options.json:
        return print_json(draft_view(draft, files))
    show_draft(screen(), draft, files)
    return 0


@app.command
def problems(*, options: Options = DEFAULTS) -> int:
    """List the problems that are declared in the project."""
    from rich.table import Table

    from flows.terminal import add_plain
    from tasks.problem import load_problem, problem_names

    declared = [load_problem(name, options.project) for name in problem_names(options.project)]
    if options.json:
        rows = [{"problem": p.name, "task": p.task, "target": p.target, "description": p.description} for p in declared]
        return print_json({"problems": rows})
    table = Table("problem", "task", "target", "schedule", "description")
    for p in declared:
        schedule = f"{p.schedule.cron} {p.schedule.timezone}" if p.schedule else "none"
        add_plain(table, p.name, p.task, p.target, schedule, p.description)
    screen().print(table if declared else f"No problem is declared in {options.project.absolute() / 'data'}.")
    return 0


@app.command
def status(problem: str | None = None, *, options: Options = DEFAULTS) -> int:
    """Show what is in production, for one problem or for all."""
    from rich.table import Table

    from flows.terminal import add_plain
    from flows.views import minute, notes, status_view
    from tasks.problem import problem_names

    names = [problem] if problem else problem_names(options.project)
    rows = [status_view(registry_of(name, options)) for name in names]
    if options.json:
        return print_json(rows[0] if problem else {"problems": rows})
    table = Table("problem", "in production", "test metric", "since", "versions", "last run")
    for row in rows:
        champion = f"version {row['champion']} ({row['candidate']})" if row["champion"] else "nothing yet"
        last = f"{row['last_run']['outcome']}, {minute(row['last_run']['started'])}" if row["last_run"] else "none"
        add_plain(table, row["problem"], champion, row["measured"], minute(row["since"]), str(row["versions"]), last)
    screen().print(table)
    for sentence in (sentence for row in rows for sentence in notes(row)):
        print_line(sentence)
    return 0


@app.command
def versions(problem: str, *, options: Options = DEFAULTS) -> int:
    """List a problem's versions, newest first."""
    from rich.table import Table

    from flows.terminal import add_plain
    from flows.views import brief, minute

    registry = registry_of(problem, options)
    decision, found = registry.decision(), registry.readable()
    champion, refused = decision.champion if decision else None, registry.refused()
    if options.json:
        rows = [brief(version) for version in found]
        return print_json({"problem": problem, "champion": champion, "versions": rows, "refused": refused})
    table = Table("version", "candidate", "test metric", "verdict", "created")
    for version in found:
        mark = " ← production" if version.number == champion else ""
        verdict = "promote" if version.verdict.promote else f"held: {version.verdict.cause}"
        row = brief(version)
        add_plain(table, f"{version.number}{mark}", row["candidate"], row["measured"], verdict, minute(row["created"]))
    screen().print(table if found or refused else f"{problem} has no versions yet: salamander train {problem}")
    for sentence in refused:
        print_line(sentence, style="red")
    return 0


@app.command
def data(problem: str, *, options: Options = DEFAULTS) -> int:
    """List a problem's snapshots, newest first: rows, changes, when, and which versions were trained on them."""
    from rich.table import Table

    from flows.terminal import add_plain
    from flows.views import minute, snapshots_view

    registry = registry_of(problem, options)
    rows = snapshots_view(registry)
    if options.json:
        return print_json({"problem": problem, "snapshots": rows})
    table = Table("snapshot", "fetched", "rows", "added", "changed", "gone", "quarantine", "versions", "origin")
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("rows", "added", "changed", "gone", "quarantine")]
        versions = ", ".join(map(str, row["versions"])) or "none"
        accepted = row["outcome"] == "accepted"
        style = None if accepted else "red"
        add_plain(table, str(row["snapshot"]), minute(row["at"]), *counts, versions, row["origin"], style=style)
    screen().print(table if rows else f"{problem} has no data yet: salamander validate {problem}")
    for row in rows:
        if row["outcome"] == "refused":
            refused = f"Snapshot {row['snapshot']} was refused: {row['sentence']}"
            print_line(refused)
    return 0


@app.command
def quarantine(
    problem: str, *, out: Path | None = None, release: Path | None = None, options: Options = DEFAULTS
) -> int:
    """Show the rows that were set aside, with their position and every reason.

    Parameters
    ----------
    out
        Write them to this CSV or Parquet file, to be corrected.
    release
        Take the corrected rows of such a file: they stand in for the bad ones from the next run on.
    """
    from flows.terminal import quarantine_table
    from tasks.corrections import release as keep_corrections
    from tasks.errors import ProblemError
    from tasks.quarantine import export, quarantined
    from tasks.snapshots import Snapshots
    from tasks.suites import find_suite

    store = registry_of(problem, options).store
    aside = Snapshots(store).quarantine()
    if aside is None and (release or out):
        raise ProblemError(f"No row of {problem} is in quarantine, so there is nothing to release or to write out.")
    if aside is None:
        return say({"rows": []}, f"No row of {problem} is in quarantine.", options)
    if release:
        with own_output(options):
            kept = keep_corrections(store, release, aside, find_suite(problem, options.project))
        text = f"{kept.rows.rows:,} corrected rows stand in for bad ones from the next run on."
        return say(kept.model_dump(mode="json"), text, options)
    if out:
        export(store, aside, out)
        text = f"{aside.rows:,} rows are in {out}. Correct them and give them back with --release {out}."
        return say({"rows": aside.rows, "out": str(out)}, text, options)
    frame = quarantined(store, aside)
    if options.json:
        return print_json({"rows": json.loads(frame.to_json(orient="records", date_format="iso"))})
    screen().print(quarantine_table(frame))
    return 0


@app.command
def show(problem: str, version: int, *, options: Options = DEFAULTS) -> int:
    """Show everything that a version's decision rested on."""
    from flows.coverages import coverages_table
    from flows.terminal import leaderboard_table, show_verdict
    from flows.views import minute

    found = registry_of(problem, options).version(version)
    if options.json:
        return print_json(found.model_dump(mode="json"))
    console = screen()
    console.print(f"[bold]{problem} version {version}[/] of {minute(found.created.isoformat())}", highlight=False)
    if found.model.leaderboard:
        console.print(leaderboard_table(found.model.leaderboard))
    show_verdict(console, found)
    if found.intervals:
        console.print(coverages_table(found.intervals))
    parameters = json.dumps(found.model.candidate.parameters, default=list)
    for line in (
        f"Trained on {found.model.trained_on.rows:,} rows"
        + (
            f" from {found.snapshot.origin}."
            if found.model.leaderboard
            else ", as far as is known: it came from outside."
        ),
        f"{found.model.candidate.estimator} with {parameters}",
        *(f"  {file.sha256[:12]}  {file.size:>12,} bytes  {name}" for name, file in found.model.files.items()),
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


@app.command
def explain(problem: str, version: int, *, options: Options = DEFAULTS) -> int:
    """Compute a version's verdict again from what is stored alone, and show every figure of it."""
    from flows.explanations import explained
    from flows.terminal import show_verdict

    found, verdict = explained(registry_of(problem, options), version)
    if options.json:
        return print_json({"problem": problem, "version": version, "verdict": verdict.model_dump(mode="json")})
    show_verdict(screen(), found)
    screen().print("Computed again from the stored predictions: every figure is the same.", style="green")
    return 0


MODULES = (model_commands, registry_commands, scoring_commands, serve_commands)

for command in (command for module in MODULES for command in module.COMMANDS):
    app.command(command)


@app.command
def up(*, options: Options = DEFAULTS) -> int:
    """Start a local Prefect server and a worker, and deploy every problem's flow; say where the UI is."""
    from flows.deployments import bring_up

    found = bring_up(options.project, options.store)
    if options.json:
        return print_json(found)
    console = screen()
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
        return print_json({"stopped": stopped})
    screen().print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing to stop: nothing was started from here.")
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
        print_json(
            {"outcome": "refused" if exit_code == REFUSED else "failed", "sentence": sentence, "exit_code": exit_code}
        )
    else:
        print_line(sentence, style="red", stderr=True)
    return exit_code

"""Running a flow from the command line: on a server, with its steps shown, and not over before all is recorded."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.local_server import ui_url, use_server
from flows.terminal import Steps, show_run
from tasks.records import RunRecord, Version
from tasks.registry import Registry
from tasks.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from flows.command_line import Options


def run_flow(
    name: str, problem: str, options: Options, console: Console, **parameters: Any
) -> tuple[RunRecord, Version | None]:
    """Run a flow of `flows/` here, show it, and give its record and the version that it made or found.

    Raises
    ------
    ProblemError
        The problem is not declared rightly; nothing is started for that.
    """
    from tasks.problem import load_problem
    from tasks.suites import find_suite

    load_problem(problem, options.project)
    find_suite(problem, options.project)
    with console.status("Looking for the Prefect server ..."):
        url = use_server()
        from prefect import tags

        from flows.recorded import wait_until_recorded

        flow = getattr(importlib.import_module(f"flows.{name}"), name)
    place = {"project": str(options.project), "store": options.store_url}
    with Steps(console).shown() as steps, tags(problem):
        state = flow(problem, **place, **parameters, return_state=True)
    identifier = str(state.state_details.flow_run_id)
    store = Store.at(options.store_url, problem)
    run = _record(store, identifier) or RunRecord.model_validate(_unkept(store, identifier, state.message))
    version = Registry(store).version(run.version) if run.version else None
    show_run(console, run, version, of_file=parameters.get("file") is not None)
    if missing := wait_until_recorded(steps.seen):
        console.print(f"The Prefect server has not recorded {missing} of {len(steps.seen)} steps.", style="yellow")
    console.print(f"Prefect UI: {ui_url(url)}/runs/flow-run/{identifier}", style="dim", soft_wrap=True, highlight=False)
    return run, version


def _record(store: Store, identifier: str) -> RunRecord | None:
    names = (name for folder in ("runs", "checks") for name in reversed(store.names(folder)))
    name = next((name for name in names if name.endswith(f"-{identifier}.json")), None)
    return store.record(name, RunRecord) if name else None


def _unkept(store: Store, identifier: str, message: str | None) -> dict[str, Any]:
    """Give the fields of the record of a run that could not keep it: a crash, or a store that cannot be written."""
    decision = Registry(store).decision()
    return {
        "problem": store.problem,
        "champion": decision.champion if decision else None,
        "outcome": "failed",
        "sentence": message or "The run ended without a record.",
        "exit_code": 1,
        "run": identifier,
        "started": datetime.now(UTC),
        "seconds": 0.0,
    }

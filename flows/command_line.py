"""What every command takes, and how it answers: tables and sentences for a person, or one JSON object."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.registry import Registry


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


def say(answer: dict[str, Any], text: str, options: Options) -> int:
    """Print an answer: a sentence for a person, or the JSON object; give the exit code."""
    if options.json:
        return print_json(answer)
    print_line(text)
    return 0


def print_line(text: str, *, style: str | None = None, stderr: bool = False) -> None:
    """Print a line as it is, on however many lines of the terminal; without a style, that takes no library."""
    if style:
        screen(stderr=stderr).print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    else:
        print(text, file=sys.stderr if stderr else sys.stdout)


def own_output(options: Options) -> contextlib.AbstractContextManager[Any]:
    """Keep stdout for the one JSON object: what a suite or a function of the user's prints goes to stderr."""
    return contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext()


def run_command(flow: str, problem: str, options: Options, **parameters: Any) -> int:
    """Run a flow, show it, and give the exit code that its end has."""
    from flows.runs import run_flow
    from flows.views import run_view

    with own_output(options):
        run, version = run_flow(flow, problem, options, screen(stderr=options.json), **parameters)
    if options.json:
        print_json(run_view(run.model_dump(mode="json"), version))
    return run.exit_code


def registry_of(problem: str, options: Options) -> Registry:
    """Give the registry of a problem, which must have something in the store or be declared."""
    from tasks.problem import load_problem
    from tasks.registry import Registry
    from tasks.store import Store

    store = Store.at(options.store_url, problem)
    if not store.folder.is_dir():  # what is in production can be seen and moved even where the declaration is broken
        load_problem(problem, options.project)
    return Registry(store)


def screen(*, stderr: bool = False) -> Console:
    """Give what tables are printed on: as wide as the terminal, 120 columns where there is none."""
    from rich.console import Console

    wide = None if (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ else 120
    return Console(stderr=stderr, width=wide)


def print_json(value: dict[str, Any]) -> int:
    """Print the one JSON object; give the exit code."""
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201
    return 0

"""What the benchmarks share: a Prefect server of their own, `salamander` as a command, derived projects, tables.

Every figure is taken from outside, through the command line that users have, so that nothing in here can flatter it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Environment = dict[str, str]


def arguments_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Give a parser that knows ``--json`` and describes a script by its own docstring."""
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


@contextmanager
def scratch() -> Generator[Path]:
    """Give an empty folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="salamander-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def own_server() -> Generator[Environment]:
    """Give an environment with a Prefect home and port of its own; stop at the end the server that was started there.

    The first `salamander train` in this environment starts the server and leaves it up for the others.
    """
    with scratch() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_PORT": str(free_port()), "COLUMNS": "120"}
        try:
            yield environment
        finally:
            salamander(environment, "down")


def free_port() -> int:
    """Give a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command: list[str], environment: Environment) -> str:
    """Give what a command prints on stdout.

    Raises
    ------
    SystemExit
        It failed; shows the end of all that it said.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr + done.stdout).splitlines()[-30:])
        raise SystemExit(f"{said}\nThis command ended with code {done.returncode}: {' '.join(command)}")
    return done.stdout


def salamander(environment: Environment, *arguments: str) -> dict[str, Any]:
    """Give the JSON object that a salamander command prints."""
    command = str(Path(sys.executable).with_name("salamander"))
    return json.loads(run([command, *arguments, "--json"], environment).splitlines()[-1])


def train(environment: Environment, problem: str, project: Path, store: Path) -> tuple[dict[str, Any], float]:
    """Give the record of a training run and the seconds that its command took, all of it."""
    begun = time.perf_counter()
    record = salamander(environment, "train", problem, "--project", str(project), "--store", str(store))
    return record, time.perf_counter() - begun


def promoted(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give the version that a run promoted, as the run judged it.

    Raises
    ------
    SystemExit
        The run promoted nothing: then there is nothing to measure.
    """
    if record["outcome"] != "promoted":
        raise SystemExit(f"{record['problem']} was to be promoted but was {record['outcome']}: {record['sentence']}")
    return record["judged"]


def declared(problem: str) -> dict[str, Any]:
    """Give a problem of this repository as it is declared."""
    return tomllib.loads((ROOT / "data" / problem / "problem.toml").read_text(encoding="utf-8"))


def declare(project: Path, name: str, content: Mapping[str, Any], suite: str) -> None:
    """Write a problem into a project, with a copy of this repository's suite of expectations."""
    (project / "data" / name).mkdir(parents=True)
    (project / "expectations").mkdir(exist_ok=True)
    lines = [f"{key} = {_toml(value)}\n" for key, value in content.items()]
    (project / "data" / name / "problem.toml").write_text("".join(lines), encoding="utf-8")
    shutil.copyfile(ROOT / "expectations" / f"{suite}.py", project / "expectations" / f"{name}.py")


def _toml(value: object) -> str:
    """Give a value in TOML, which writes strings, numbers and arrays as JSON does, and tables with equals signs."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def progress(sentence: str) -> None:
    """Say on stderr how far a long measurement has come."""
    print(sentence, file=sys.stderr, flush=True)


def mark(met: bool) -> str:
    """Give the cell that says whether a target is met."""
    return "[green]✓[/]" if met else "[red]✗[/]"


def show(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table: the first column on the left, figures on the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)

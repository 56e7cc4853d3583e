"""A new problem: look at the data, write the three files, and load them again at once, as a run would.

What a person sees is short: the columns with a reason beside each part, what was guessed, what to look at before the
first run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tasks.candidates import TaskKind
from tasks.drafting.draft import Draft, draft, paths, withdraw, write
from tasks.drafting.draft_suite import suite_text
from tasks.drafting.draft_texts import datasheet_text, flat, problem_text
from tasks.drafting.samples import take
from tasks.errors import SalamanderError
from tasks.problem import load_problem

if TYPE_CHECKING:
    from tasks.drafting.guesses import Guess

MOST_LINES = 24
COLOURS = {"target": "bold green", "identity": "cyan", "dropped": "dim"}


def new_problem(name: str, data: str, target: str, task: TaskKind | None, project: Path) -> tuple[Draft, list[str]]:
    """Draft a problem and write its files; give the draft and the files' paths.

    Raises
    ------
    ProblemError
        The name, the data or the target is not one, or a file of the problem exists.
    DataRefused
        The data cannot be read, or is too small.
    """
    places = paths(name, project)
    found = draft(name, take(data, project), target, task)
    write((problem_text(found), datasheet_text(found), suite_text(found)), places)
    try:
        _load(name, project)
    except Exception as error:
        withdraw(places)
        raise SalamanderError(
            f"The draft of {name} could not be loaded again, a mistake of this program; nothing was kept. {error}"
        ) from error
    return found, [str(place) for place in places]


def _load(name: str, project: Path) -> None:
    from tasks.suites import find_suite, load_expectations

    load_problem(name, project)
    load_expectations(find_suite(name, project))


def draft_view(found: Draft, files: Sequence[str]) -> dict[str, Any]:
    """Give a draft as one JSON object."""
    return {
        "problem": found.name,
        "origin": found.sample.origin,
        "source": found.sample.source,
        "sha256": found.sample.sha256,
        "rows": len(found.sample.frame),
        "all_rows": found.sample.whole,
        "task": {"guess": found.task, "why": found.task_why},
        "identity": {"guess": list(found.identity), "why": found.identity_why},
        "strata": {"guess": found.strata.column, "bins": list(found.strata.bins), "why": found.strata.why},
        "columns": [{"column": each.column, "role": each.part, "why": each.why} for each in found.parts],
        "candidates": [candidate.name for candidate in found.candidates],
        "warnings": [
            {"kind": each.kind, "column": each.column, "rows": each.rows, "sentence": f"{each.sentence}."}
            for each in found.pitfalls
        ],
        "proposals": list(found.proposals),
        "files": list(files),
    }


def show_draft(console: Console, found: Draft, files: Sequence[str]) -> None:
    """Print the columns, the guesses, what to look at, and what to do next."""
    rows = len(found.sample.frame)
    first = "" if found.sample.whole else "the first "
    size = f"{first}{rows:,} rows and {len(found.parts)} columns of {flat(found.sample.origin)}"
    console.print(Text.assemble((found.name, "bold"), f": {size}"), soft_wrap=True)
    console.print(columns_table(found.parts))
    _sentences(console, "Guessed", "•", "cyan", _guesses(found))
    _sentences(
        console, "Look at this before you trust it", "!", "yellow", [f"{each.sentence}." for each in found.pitfalls]
    )
    proposals = [] if found.series else [f"{each}." for each in found.proposals]
    _sentences(console, "Only you can know", "?", "magenta", proposals)
    console.print(Text(f"Written: {', '.join(files)}", "green"), soft_wrap=True)
    console.print(Text(f"Next: read them, then salamander train {found.name}", "dim"), soft_wrap=True)


def columns_table(parts: Sequence[Guess]) -> Table:
    """Give the part of each column with its reason; plain numbers share a line where there are too many columns."""
    table = Table()
    table.add_column("column", overflow="fold", max_width=40)
    table.add_column("role")
    table.add_column("why", overflow="fold")
    shown = list(parts)
    joined: list[Guess] = []
    if len(shown) > MOST_LINES:
        joined = [guess for guess in parts if guess.part == "numeric"]
        shown = [guess for guess in parts if guess.part != "numeric"]
    for guess in shown[:MOST_LINES]:
        style = COLOURS.get(guess.part, "")
        table.add_row(Text(flat(guess.column), style), Text(guess.part, style), Text(flat(guess.why), style))
    if joined:
        names = f"{flat(joined[0].column)} ... {flat(joined[-1].column)}"
        table.add_row(Text(names), "numeric", f"{len(joined)} columns of numbers; the datasheet lists them")
    if (more := len(shown) - MOST_LINES) > 0:
        table.add_row(Text("..."), "", f"{more} more; the datasheet lists them")
    return table


def _guesses(found: Draft) -> list[str]:
    said = [f"{found.task}: {found.task_why}.", f"identity: {found.identity_why}.", f"strata: {found.strata.why}."]
    if dialect := found.sample.source.get("dialect"):
        said.append("dialect: " + ", ".join(f"{key} = {value!r}" for key, value in dialect.items()) + ".")
    names = ", ".join(candidate.name for candidate in found.candidates)
    return [*said, f"candidates: {names}; the gate has no floor yet."]


def _sentences(console: Console, title: str, mark: str, style: str, sentences: Sequence[str]) -> None:
    if not sentences:
        return
    console.print(Text(title, "bold"))
    for sentence in sentences:
        table = Table.grid(padding=(0, 1))
        table.add_row(Text(mark, style), Text(flat(sentence)))
        console.print(Padding(table, (0, 0, 0, 1)))

"""What a person sees in the terminal: the steps as they run, then the result in tables and sentences."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from tasks.records import Finding, RunRecord, SliceComparison, Trial, Version

COLOURS = {
    "promoted": "green",
    "accepted": "green",
    "evaluated": "green",
    "reproduced": "green",
    "predicted": "green",
    "held": "yellow",
    "nothing new": "cyan",
    "refused": "red",
    "failed": "red",
}

MOST_ROWS = 20


class Steps(logging.Handler):
    """Follows the log of a run's steps: a live display on a terminal, plain lines elsewhere.

    It also knows the identifiers of every task run that it has seen, so that a command can wait until the server has
    recorded them all.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.seen: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._progress = _progress(console) if console.is_terminal else None
        self._lines: dict[str, TaskID] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Show one log record of a step."""
        identifier, step = getattr(record, "task_run_id", None), getattr(record, "task_run_name", None)
        if identifier is None or step is None:
            return
        try:
            self._show(str(identifier), str(step), record)
        except Exception:
            self.handleError(record)

    def _show(self, identifier: str, step: str, record: logging.LogRecord) -> None:
        message = record.getMessage().splitlines()[0]
        self.seen[identifier] = step
        self._begun.setdefault(identifier, time.monotonic())
        if self._progress and identifier not in self._lines:
            self._lines[identifier] = self._progress.add_task(escape(step), total=1, message="", mark="", rows=None)
        if message.startswith("Finished in state"):
            self._finish(identifier, step, message)
        elif not message.startswith("Task run failed with"):
            self._said[identifier] = message
            if self._progress:
                rows = (getattr(record, "done", None), getattr(record, "total", None))
                self._progress.update(self._lines[identifier], message=message, rows=rows if all(rows) else None)

    def _finish(self, identifier: str, step: str, message: str) -> None:
        failed = "Failed" in message or "Crashed" in message
        said = "kept from an earlier run" if "Cached" in message else self._said.get(identifier, "")
        if self._progress:
            mark = "[red]✗[/]" if failed else "[green]✓[/]"
            self._progress.update(self._lines[identifier], message=said, mark=mark, rows=None, completed=1)
        else:
            seconds = time.monotonic() - self._begun[identifier]
            self.console.print(
                f"{'✗' if failed else '✓'} {step:<26} {said} ({seconds:.1f} s)", markup=False, soft_wrap=True
            )

    @contextmanager
    def shown(self) -> Generator[Steps]:
        """Follow Prefect's logs while a flow runs, in place of what Prefect prints on the console by itself."""
        loggers = [logging.getLogger(name) for name in ("prefect.task_runs", "prefect.flow_runs")]
        levels = {handler: handler.level for handler in logging.getLogger().handlers}
        for handler in levels:
            handler.setLevel(logging.CRITICAL + 1)
        for logger in loggers:
            logger.addHandler(self)
        try:
            if self._progress:
                with self._progress:
                    yield self
            else:
                yield self
        finally:
            for logger in loggers:
                logger.removeHandler(self)
            for handler, level in levels.items():
                handler.setLevel(level)


class _Mark(SpinnerColumn):
    def render(self, task: Task) -> Text:
        return Text.from_markup(task.fields["mark"]) if task.finished else super().render(task)  # pyright: ignore[reportReturnType]


class _Bar(ProgressColumn):
    """How far a step is that tells of how many rows; nothing for others."""

    def render(self, task: Task) -> ProgressBar | Text:
        if task.fields["rows"] is None:
            return Text()
        done, total = task.fields["rows"]
        return ProgressBar(total=total, completed=done, width=24)


def _progress(console: Console) -> Progress:
    columns: list[ProgressColumn] = [
        _Mark(table_column=Column(width=1)),
        TextColumn("[bold]{task.description}", table_column=Column(width=26, no_wrap=True)),
        _Bar(),
        TextColumn("{task.fields[message]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        TimeElapsedColumn(table_column=Column(width=7)),
    ]
    return Progress(*columns, console=console, expand=True)


def add_plain(table: Table, *cells: str | Text, style: str | None = None) -> None:
    """Add a row whose texts are shown as they are: square brackets in data are no markup of this program's."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def show_run(console: Console, run: RunRecord, version: Version | None, *, of_file: bool = False) -> None:
    """Print how a run ended: findings, leaderboard, the metric with its interval, the verdict and what to try next.

    ``of_file`` says that the run read a file, which is no part of the data's history.
    """
    if run.findings:
        console.print(findings_table(run.findings))
    if version and run.outcome in {"promoted", "held"}:
        if version.model.leaderboard:
            console.print(leaderboard_table(version.model.leaderboard))
        show_verdict(console, version)
    cause = f" ({run.cause})" if run.cause else ""
    line = Text.assemble((f"{run.outcome.capitalize()}{cause}. ", f"bold {COLOURS[run.outcome]}"), run.sentence)
    console.print(line, soft_wrap=True)
    if run.outcome in {"refused", "failed"}:
        kept = f"Version {run.champion} is in production" if run.champion else "Nothing is in production yet"
        console.print(f"{kept}; this run has not changed that.")
    if run.docs:
        console.print(Text(f"Data Docs: {run.docs}", "dim"), soft_wrap=True)
    checked = of_file and run.outcome in {"accepted", "refused"}
    console.print(Text("Next: " + (_after_a_file(run) if checked else _next(run)), style="dim"), soft_wrap=True)


def leaderboard_table(leaderboard: Sequence[Trial]) -> Table:
    """Give the best trial of each candidate, best first, with the mean and the standard deviation of its folds."""
    from flows.trials import best_of_each, score
    from tasks.metrics import METRICS

    found = best_of_each(leaderboard)
    table = Table(title="Candidates, by cross-validation on the training rows", title_justify="left")
    table.add_column("")
    table.add_column("candidate")
    table.add_column("estimator")
    if searched := len(found) < len(leaderboard):
        table.add_column("trials", justify="right")
    table.add_column(METRICS[leaderboard[0].metric].label + " (mean ± s.d.)", justify="right")
    for rank, (_, trial, trials) in enumerate(found, start=1):
        style = "bold green" if rank == 1 else "red" if trial.problem else None
        count = (str(trials),) if searched else ()
        add_plain(table, str(rank), trial.candidate.name, trial.candidate.estimator, *count, score(trial), style=style)
    return table


def show_verdict(console: Console, version: Version) -> None:
    """Print a verdict: the rules, the slices, what to look into, the metric with its interval, what the model costs."""
    from flows.verdicts import findings, measured

    verdict = version.verdict
    console.print(rules_table(version))
    if verdict.slices:
        console.print(slices_table(verdict.slices))
    for title, lines in findings(verdict).items():
        console.print(Text(f"{title}:", "bold"))
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(_measured(version), soft_wrap=True, highlight=False)
    if version.measurements:
        console.print(measured(version.measurements), soft_wrap=True, highlight=False)


def slices_table(slices: Sequence[SliceComparison]) -> Table:
    """Give how challenger and champion do in each slice."""
    from flows.verdicts import SLICE_COLUMNS, slice_cells

    table = Table(*SLICE_COLUMNS, title="Slices of the test rows", title_justify="left")
    for part in slices:
        add_plain(table, *slice_cells(part), style="red" if part.harmed else "dim" if part.blind else None)
    return table


def rules_table(version: Version) -> Table:
    """Give the rules of the gate with their figures."""
    table = Table(title="The gate", title_justify="left")
    for column in ("", "rule", "observed", "required"):
        table.add_column(column)
    for rule in version.verdict.rules:
        mark = Text("✓", "green") if rule.passed else Text("✗", "red")
        add_plain(table, mark, rule.name, rule.observed, rule.required)
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    """Give the expectations that the data did not meet, with counts and examples."""
    table = Table(title="What the data did not meet", title_justify="left", show_lines=True)
    for column in ("severity", "expectation", "observed", "examples", "expected because"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        style = "red" if finding.severity == "critical" else "yellow"
        severity = Text(finding.severity, style)
        add_plain(table, severity, finding.expectation, finding.observed, "\n".join(finding.examples), finding.reason)
    return table


def quarantine_table(rows: pd.DataFrame) -> Table:
    """Give the first rows in quarantine: position, reasons and values."""
    names = [name for name in rows.columns if not name.startswith("salamander_")]
    shown = rows.head(MOST_ROWS)
    table = Table(title=f"{len(rows):,} rows in quarantine", title_justify="left", show_lines=True)
    for column in ("row", "why", "values"):
        table.add_column(column, overflow="fold")
    for row in shown.to_dict(orient="records"):
        values = ", ".join(f"{name}={row[name]}" for name in names)
        add_plain(table, str(row["salamander_position"]), "\n".join(row["salamander_reasons"]), values)
    if len(rows) > MOST_ROWS:
        table.caption = f"... and {len(rows) - MOST_ROWS:,} more: --out FILE writes them all"
    return table


def _measured(version: Version) -> str:
    from tasks.metrics import METRICS, figure

    scores = version.scores
    ours = scores.challenger
    return (
        f"Test {METRICS[scores.metric].label}: [bold]{figure(ours.value)}[/]  "
        f"({scores.confidence:.0%} interval {figure(ours.low)} to {figure(ours.high)}, {scores.rows:,} unseen rows)"
    )


def _after_a_file(run: RunRecord) -> str:
    if run.outcome == "refused":
        return "mend the file and check it again; the data and what is deployed are as they were."
    return f"salamander train {run.problem} trains on what the source gives; this file was only checked."


def _next(run: RunRecord) -> str:
    problem = run.problem
    folder = f"data/{problem}/problem.toml"
    return {
        "promoted": f"salamander show {problem} {run.version} for the whole record; add candidates in {folder}.",
        "held": f"salamander explain {problem} {run.version} for every figure; try other candidates in {folder}.",
        "nothing new": f"change {folder} or wait for new data; salamander versions {problem} lists what there is.",
        "accepted": f"salamander train {problem}; salamander data {problem} lists all that came.",
        "evaluated": f"salamander data {problem} lists the snapshots, salamander versions {problem} the versions.",
        "reproduced": f"salamander leaderboard {problem} {run.version} shows what else was tried.",
        "predicted": f"salamander show {problem} {run.version} for what these predictions rest on.",
        "refused": f"mend the rows above at the source, or the suite in expectations/{problem}.py, then run again."
        if run.findings
        else f"mend the data at its source, or the declaration in {folder}, then run again.",
        "failed": "mend what the sentence says and run the same command again: finished steps are not repeated.",
    }[run.outcome]

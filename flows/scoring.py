"""Scoring: batch predictions for rows of any source, with the version in production or another.

Without a place to read from it does what the problem declares in ``[scoring]``: so it runs by itself, on a schedule.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, ended, predicted
from tasks.checks import Breach
from tasks.columns import source_columns
from tasks.errors import ProblemError
from tasks.fetch import fetch
from tasks.look_back import look_back, read_by
from tasks.outputs import check_target, write_to
from tasks.predict import predict
from tasks.problem import Problem
from tasks.readable import readable
from tasks.records import Table, Validated, Version
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.sources import Source, dialect_of, in_place_of, without_types
from tasks.store import Store
from tasks.suites import Suite


@flow(name="scoring", flow_run_name="{problem}", persist_result=False)
def scoring(
    problem: str,
    file: str | None = None,
    out: str | None = None,
    project: str = ".",
    store: str | None = None,
    version: int | None = None,
    interval: float | None = None,
    strict: bool | None = None,
) -> State[Any]:
    """Predict for every row of a source, in its order, that can be read and meets the expectations of rows to predict.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    file : str, optional
        The rows: a path, glob, folder or address, in any format that the problem's source may have; by default what
        ``[scoring]`` declares.
    out : str, optional
        The CSV or Parquet file to write, or its address; by default what ``[scoring]`` declares.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    version : int, optional
        Another version than the one in production.
    interval : float, optional
        The level of the intervals, or sets of labels, beside the predictions; by default what ``[scoring]`` declares.
    strict : bool, optional
        Whether a row that gets no prediction refuses all; by default what ``[scoring]`` declares.
    """

    def work(declared: Problem, suite: Suite, place: Store) -> End:
        source, target = _from_where(declared, file), _to_where(declared, out, Path(project))
        check_target(target)
        used, asked = in_use(Registry(place), version), declared.scoring
        level = interval if interval is not None or not asked else asked.interval
        all_or_none = strict if strict is not None or not asked else asked.strict
        rows, unreadable = _rows(declared, source, used, place, project)
        scored = predict(used, rows, declared.identity, suite, place, unreadable, level=level, strict=bool(all_or_none))
        write_to(place, scored.predictions, target)
        return predicted(used, scored, target)

    return ended(work, problem, project, store)


def _from_where(problem: Problem, file: str | None) -> Source:
    """Give the source of the rows."""
    if file is not None:
        return in_place_of(problem.source, file)
    if problem.scoring is None:
        raise ProblemError(
            f"{problem.name} declares no [scoring] with a source; name the rows: salamander predict {problem.name} "
            "INPUT --out FILE."
        )
    return problem.scoring.source


def _to_where(problem: Problem, out: str | None, project: Path) -> str:
    """Give where predictions are written; a declared path is one of the project, with the time of the run in it."""
    if out is not None:
        return out
    if problem.scoring is None:
        raise ProblemError(f"{problem.name} declares no [scoring] with an out; name the file with --out.")
    named = datetime.now(UTC).strftime(problem.scoring.out)
    if "://" in named:
        return named
    path = project / named
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # it may be of a month that has just begun
    except OSError as error:
        raise ProblemError(f"scoring.out: {path} cannot be written: {error.strerror or error}.") from error
    return str(path)


def _rows(
    problem: Problem, source: Source, version: Version, store: Store, project: str
) -> tuple[Table, tuple[Breach, ...]]:
    """Give the rows to predict with the types of training and the columns of history, and what could not be read."""
    base, history = version.snapshot.model_copy(update={"watermark": None}), problem.history
    arrived = fetch(without_types(source), store, base, accept_columns=True, project=project).data
    used = {*source_columns(version.model.columns), *(read_by(history) if history else ())}
    leave = {*problem.identity, problem.target} - used
    rows, unreadable = readable(store, arrived, version.snapshot.data, dialect_of(source), leave)
    if history:
        last = Snapshots(store).accepted()
        before = last.rows.data if last else None
        rows = look_back(Validated(data=rows, expectations=0), history, store, before).data
    return rows, unreadable


def in_use(registry: Registry, number: int | None) -> Version:
    """Give the version in production, or the one of that number.

    Raises
    ------
    ProblemError
        There is no such version, or nothing is in production.
    StoreError
        Its files were collected.
    """
    found = registry.champion() if number is None else registry.version(number)
    if found is None:
        raise ProblemError(
            f"{registry.store.problem} has no version in production: salamander train {registry.store.problem}"
        )
    registry.check_kept(found)
    return found

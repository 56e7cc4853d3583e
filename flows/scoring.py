"""Scoring: batch predictions for a file of rows, with the version in production or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, ended, predicted
from tasks.errors import ProblemError
from tasks.fetch import fetch
from tasks.look_back import look_back
from tasks.predict import predict
from tasks.problem import Problem
from tasks.records import Validated, Version
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.sources import in_place_of
from tasks.store import Store, check_output
from tasks.suites import Suite


@flow(name="scoring", flow_run_name="{problem}", persist_result=False)
def scoring(
    problem: str, file: str, out: str, project: str = ".", store: str | None = None, version: int | None = None
) -> State[Any]:
    """Predict for every row of a file, in its order, that meets the expectations of rows to predict.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    file : str
        The rows, in any format that the problem's source may have.
    out : str
        The CSV or Parquet file to write.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    version : int, optional
        Another version than the one in production.
    """

    def work(declared: Problem, suite: Suite, place: Store) -> End:
        check_output(Path(out))
        used = in_use(Registry(place), version)
        rows = fetch(in_place_of(declared.source, file), place, used.snapshot).data
        if declared.history:
            last = Snapshots(place).accepted()
            before = last.rows.data if last else None
            rows = look_back(Validated(data=rows, expectations=0), declared.history, place, before).data
        scored = predict(used, rows, declared.identity, suite, place)
        place.write_out(scored.predictions, Path(out))
        return predicted(used, scored, out)

    return ended(work, problem, project, store)


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

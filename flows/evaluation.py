"""Evaluation: a version's scores on the test rows of any snapshot, those that it was trained on left out."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, ended, evaluated
from flows.steps import divided, resumable
from tasks.evaluate import evaluate
from tasks.problem import Problem
from tasks.records import Contestants
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.store import Store
from tasks.suites import Suite


@flow(name="evaluation", flow_run_name="{problem}", persist_result=False)
def evaluation(
    problem: str, version: int, project: str = ".", store: str | None = None, snapshot: int | None = None
) -> State[Any]:
    """Score a version on the test rows of a snapshot.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    version : int
        The number of the version.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    snapshot : int, optional
        The number of an accepted snapshot; by default the newest.
    """

    def work(declared: Problem, _suite: Suite, place: Store) -> End:
        registry = Registry(place)
        judged = registry.version(version)
        registry.check_kept(judged)
        entry = Snapshots(place).entry(snapshot) if snapshot is not None else Snapshots(place).newest()
        sides = divided(declared, entry.rows, place)
        scores = resumable(place, evaluate)(
            Contestants(challenger=judged.model),
            sides,
            (),
            declared.judged_by,
            declared.gate.confidence,
            declared.seed,
            place,
        )
        return evaluated(judged, entry.number, scores)

    return ended(work, problem, project, store)

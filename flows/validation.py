"""Validation: fetch the data, or read a file, and check it; nothing is trained and nothing that is deployed changes."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, accepted, ended
from flows.steps import checked, fetched, read
from tasks.problem import Problem
from tasks.store import Store
from tasks.suites import Suite


@flow(name="validation", flow_run_name="{problem}", persist_result=False)
def validation(
    problem: str,
    project: str = ".",
    store: str | None = None,
    file: str | None = None,
    accept_columns: bool = False,
) -> State[Any]:
    """Check a problem's data without training.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    file : str, optional
        A file to check in place of what the source gives; it does not become part of the data's history.
    accept_columns : bool
        Whether columns and types may differ from those of the last accepted snapshot.
    """

    def work(declared: Problem, suite: Suite, place: Store) -> End:
        if file is None:
            snapshot = fetched(declared, place, project, accept_columns)
            found = checked(declared, suite, snapshot, place)
            return accepted(found.validated, found.news, snapshot, place)
        validated, snapshot = read(declared, suite, file, place, accept_columns)
        return accepted(validated, (), snapshot, place, of_file=True)

    return ended(work, problem, project, store)

"""Reproduction: a version made again from its snapshot, its declaration and its seed, and compared with what it was.

Nothing is taken from an earlier run: the rows are divided again, the features derived again, the model fitted again.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import End, ended, reproduced
from flows.steps import afresh, divided
from tasks.columns import feature_set
from tasks.errors import ProblemError
from tasks.featurize import featurize
from tasks.models import load
from tasks.problem import Problem
from tasks.records import Model, SnapshotEntry, Version
from tasks.reference import alike, way_of_making
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.store import Store
from tasks.suites import Suite
from tasks.train import train


@flow(name="reproduction", flow_run_name="{problem}", persist_result=False)
def reproduction(problem: str, version: int, project: str = ".", store: str | None = None) -> State[Any]:
    """Make a version again, and tell whether it predicts the same; nothing that is deployed changes.

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
    """

    def work(_declared: Problem, _suite: Suite, place: Store) -> End:
        registry = Registry(place)
        old = registry.version(version)
        registry.check_kept(old)
        entry = _snapshot(old, place)
        model = made_again(old, entry, place)
        test = place.table(old.test).to_pandas()
        found = alike(load(model, place).predict(test), load(old.model, place).predict(test), old.model)
        return reproduced(old, entry.number, found)

    return ended(work, problem, project, store)


def _snapshot(version: Version, store: Store) -> SnapshotEntry:
    """Give the snapshot that a version was trained on.

    Raises
    ------
    ProblemError
        Nobody here knows how the version was made, or its rows are gone.
    """
    name = f"Version {version.number} of {store.problem}"
    if not version.model.leaderboard:
        raise ProblemError(f"{name} was adopted from outside, so nobody here knows how it was made.")
    number = Snapshots(store).number(version.snapshot)
    if version.declaration is None or number is None:
        raise ProblemError(f"{name} was made before declarations and snapshots were kept, so it cannot be made again.")
    return Snapshots(store).entry(number)


def made_again(version: Version, entry: SnapshotEntry, store: Store) -> Model:
    """Give a version's model, fitted once more on the same rows.

    Raises
    ------
    ProblemError
        Its rows are divided otherwise now, so what came out would be another model.
    """
    declared = Problem.model_validate(version.declaration)
    columns = feature_set(declared, entry.snapshot.data.columns)
    sides = divided(declared, entry.rows, store, afresh)
    if sides.train != version.model.trained_on:
        raise ProblemError(
            f"The {sides.train.rows:,} training rows of snapshot {entry.number} are not the "
            f"{version.model.trained_on.rows:,} that version {version.number} was trained on: expectations, "
            f"corrections or the code have changed since. {way_of_making(version.model)}"
        )
    features = afresh(store, featurize)(sides, columns, store)
    fit = afresh(store, train)
    return fit(
        features, sides.train, version.model.leaderboard, declared.task, declared.seed, store, declared.threshold
    )

"""Adopt: a model that a user already has in production, kept like one that was trained here."""

from __future__ import annotations

from pathlib import Path

from prefect import get_run_logger, task

from tasks.adopting.adopted import adopt_model
from tasks.candidates import TaskKind
from tasks.records import Adopted, Artifact, FeatureSet, File, Split
from tasks.store import Store


@task(task_run_name="adopt")
def adopt(
    file: File,
    columns: FeatureSet,
    sides: Split,
    trained_on: Artifact,
    task_kind: TaskKind,
    seed: int,
    store: Store,
    trust_pickle: bool,
) -> Adopted:
    """Give the model of a file outside the store; ``trained_on`` are the rows that it has seen.

    Raises
    ------
    ProblemError
        The file holds no model that fits the problem, or what is not to be loaded.
    """
    logger = get_run_logger()
    found = adopt_model(Path(file.path), columns, sides, trained_on, task_kind, seed, store, trust_pickle=trust_pickle)
    for note in found.notes:
        logger.warning("%s", note)
    logger.info("%s, reading %s columns.", found.model.candidate.estimator, len(found.model.columns.roles))
    return found

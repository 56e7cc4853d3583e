"""Train: the best candidate by cross-validation, fitted on all training rows and kept without a pickle."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import get_run_logger, task

from tasks.cores import CORES, alone
from tasks.estimators import build, use_cores
from tasks.keys import library_versions
from tasks.models import save
from tasks.problem import TaskKind
from tasks.records import Artifact, Features, Model, Trial
from tasks.store import Store


@task(task_run_name="train {leaderboard[0].candidate.name}")
def train(
    features: Features, rows: Artifact, leaderboard: tuple[Trial, ...], task_kind: TaskKind, seed: int, store: Store
) -> Model:
    """Fit the first candidate of a leaderboard on all training rows: ``features`` are those of ``rows``."""
    logger = get_run_logger()
    candidate = leaderboard[0].candidate
    logger.info("Fitting %s on %s training rows.", candidate.name, f"{features.train.rows:,}")
    frame = store.table(features.train).to_pandas()
    estimator: Any = build(candidate, task_kind, features.columns, seed)
    use_cores(estimator, CORES)
    with alone(len(frame)):
        estimator.fit(frame[list(features.columns.roles)], frame[features.columns.target].to_numpy())
    use_cores(estimator, None)
    model = Model(
        candidate=candidate,
        task=task_kind,
        files=save(estimator, features.columns, store),
        columns=features.columns,
        classes=tuple(np.asarray(getattr(estimator, "classes_", ())).tolist()),
        leaderboard=leaderboard,
        trained_on=rows,
        libraries=library_versions(),
        seed=seed,
    )
    logger.info("%s, %s.", candidate.estimator, _size(model))
    return model


def _size(model: Model) -> str:
    return f"{sum(file.size for file in model.files.values()) / 1e6:,.1f} MB in {len(model.files)} files"

"""Train: the best candidate by cross-validation, fitted on all training rows and kept without a pickle.

Where the problem aims at something else than the likeliest class, the threshold is chosen on the best candidate's
out-of-fold predictions: on the rows that it is fitted on every model is too sure of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import get_run_logger, task

from tasks.candidates import Aim, TaskKind
from tasks.cores import alone
from tasks.cutoffs import check_aim, choose_cutoff
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.fits import fit
from tasks.inputs import inputs
from tasks.keys import library_versions
from tasks.models import save
from tasks.out_of_fold import held_out, read
from tasks.records import Artifact, Cutoff, Features, Model, Trial
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@task(task_run_name="train {leaderboard[0].candidate.name}")
def train(
    features: Features,
    rows: Artifact,
    leaderboard: tuple[Trial, ...],
    task_kind: TaskKind,
    seed: int,
    store: Store,
    aim: Aim | None = None,
) -> Model:
    """Fit the first candidate of a leaderboard on all training rows: ``features`` are those of ``rows``.

    Raises
    ------
    ProblemError
        The threshold that the problem aims at cannot be chosen for this model.
    """
    logger = get_run_logger()
    candidate = leaderboard[0].candidate
    logger.info("Fitting %s on %s training rows.", candidate.name, f"{features.train.rows:,}")
    estimator: Any = build(candidate, task_kind, features.columns, seed)
    cutoff = _cutoff(aim, leaderboard[0], estimator, features, store) if aim else None
    with alone(features.train.rows):
        fit(estimator, lambda: _rows(features, store), features, store)
    model = Model(
        candidate=candidate,
        task=task_kind,
        files=save(estimator, features.columns, store, cutoff),
        columns=features.columns,
        classes=tuple(np.asarray(getattr(estimator, "classes_", ())).tolist()),
        cutoff=cutoff,
        inputs=inputs(rows, features.columns, store),
        leaderboard=leaderboard,
        trained_on=rows,
        libraries=library_versions(),
        seed=seed,
    )
    logger.info("%s, %s.", candidate.estimator, _size(model))
    if cutoff:
        logger.info("%s", cutoff.sentence)
    return model


def _rows(features: Features, store: Store) -> tuple[pd.DataFrame, NDArray[Any]]:
    frame = store.table(features.train).to_pandas()
    return frame[list(features.columns.roles)], frame[features.columns.target].to_numpy()


def _cutoff(aim: Aim, trial: Trial, estimator: Any, features: Features, store: Store) -> Cutoff:
    """Give where the probabilities of a candidate become classes."""
    held = held_out(features, store)
    check_aim(aim, np.unique(held.target).tolist(), features.columns.target)
    if trial.out_of_fold is None or not hasattr(estimator, "predict_proba"):
        raise ProblemError(
            f"threshold needs probabilities, which {trial.candidate.name!r} ({trial.candidate.estimator}) does not "
            "give; declare calibrate = 'sigmoid' for this candidate, or leave it out."
        )
    return choose_cutoff(aim, held, read(trial.out_of_fold, store))


def _size(model: Model) -> str:
    return f"{sum(file.size for file in model.files.values()) / 1e6:,.1f} MB in {len(model.files)} files"

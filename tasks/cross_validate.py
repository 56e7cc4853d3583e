"""Cross-validate: how good is a candidate on rows that it was not fitted on? Only training rows are used.

Folds follow the hash of identity within each class (or each band of a numeric target), as the split does: rows equal in
identity are in one fold, and neither the order of rows nor a seed matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from prefect import get_run_logger, task

from tasks.columns import ROW
from tasks.cores import CORES, one_core
from tasks.errors import ProblemError
from tasks.estimators import build, is_network
from tasks.metrics import METRICS, mean_and_deviation
from tasks.models import predict
from tasks.problem import Candidate, MetricName, TaskKind
from tasks.records import Features, Trial
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BANDS = 10


def folds(hashes: NDArray[np.uint64], target: NDArray[Any], count: int, task_kind: TaskKind) -> NDArray[np.int64]:
    """Give the fold of each row, an array of shape (rows,) with values from 0 to ``count - 1``."""
    import pandas as pd

    band = target
    if task_kind == "regression":  # ranked by target, then by hash, so that the order of rows does not matter
        band = np.empty(len(target))
        band[np.lexsort([hashes, target])] = np.round(np.arange(1, len(target) + 1) / len(target) * BANDS)
    rows = pd.DataFrame({"hash": hashes, "band": pd.factorize(np.asarray(band), sort=True)[0]})
    units = rows.groupby("hash", sort=True)["band"].min()
    # Ranks run on from one band to the next, so that the folds differ by one row at most, not by one row a band.
    ordered = units.to_frame().assign(position=np.arange(len(units))).sort_values(["band", "position"])
    fold = dict(zip(ordered.index, np.arange(len(ordered)) % count, strict=True))
    return cast("NDArray[np.int64]", rows["hash"].map(fold).to_numpy())


def fold_score(
    estimator: Any, metric: MetricName, X: pd.DataFrame, y: NDArray[Any], held_out: NDArray[np.bool_]
) -> float:
    """Give the metric on the held-out rows of an estimator fitted on the others."""
    with one_core():
        estimator.fit(X[~held_out], y[~held_out])
        score = METRICS[metric].value(y[held_out], predict(estimator, X[held_out]))
    if not np.isfinite(score):
        raise ValueError(f"its {METRICS[metric].label} is no number")
    return score


@task(task_run_name="cross_validate {candidate.name}")
def cross_validate(
    candidate: Candidate,
    features: Features,
    fold_count: int,
    metric: MetricName,
    task_kind: TaskKind,
    seed: int,
    store: Store,
) -> Trial:
    """Score one candidate by cross-validation; a candidate that fails is a trial with a problem, not a failed run."""
    from joblib import Parallel, delayed
    from sklearn.base import clone

    logger = get_run_logger()
    logger.info("Fitting %s on %s folds.", candidate.estimator, fold_count)
    frame = store.table(features.train).to_pandas()
    X, y = frame[list(features.columns.roles)], frame[features.columns.target].to_numpy()
    fold = folds(frame[ROW].to_numpy(), y, fold_count, task_kind)
    estimator = build(candidate, task_kind, features.columns, seed)
    jobs = 1 if is_network(estimator) else CORES  # a network that waits for its turn would hold a core that others need
    try:
        scores = Parallel(n_jobs=jobs, backend="threading")(
            delayed(fold_score)(clone(estimator), metric, X, y, fold == number) for number in range(fold_count)
        )
    except (ValueError, TypeError, ArithmeticError, MemoryError) as error:
        problem = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        logger.warning("%s failed: %s", candidate.name, problem)
        return Trial(candidate=candidate, metric=metric, problem=problem)
    trial = Trial(candidate=candidate, metric=metric, fold_scores=tuple(cast("list[float]", scores)))
    logger.info("%s %s.", METRICS[metric].label, mean_and_deviation(trial.mean, trial.standard_deviation))
    return trial


def ranked(trials: list[Trial]) -> list[Trial]:
    """Give trials best first; those without a score come last.

    Raises
    ------
    ProblemError
        No candidate could be scored.
    """
    scored = [trial for trial in trials if trial.problem is None]
    if not scored:
        reasons = "; ".join(f"{trial.candidate.name}: {trial.problem}" for trial in trials)
        raise ProblemError(f"No candidate could be trained ({reasons}).")
    greater = METRICS[scored[0].metric].greater_is_better
    best_first = sorted(scored, key=lambda trial: -trial.mean if greater else trial.mean)
    return [*best_first, *(trial for trial in trials if trial.problem is not None)]

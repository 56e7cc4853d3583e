"""Folds of the training rows: which rows are held out together, and how good a candidate is on one fold.

Folds follow the hash of identity within each class (or each band of a numeric target), as the split does: rows equal in
identity are in one fold, and neither the order of rows nor a seed matters.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.columns import ROW
from tasks.estimators import build
from tasks.metrics import METRICS
from tasks.models import predict
from tasks.problem import Candidate, MetricName, TaskKind
from tasks.records import Features
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
    fold = pd.Series(np.arange(len(ordered)) % count, index=ordered.index)
    return cast("NDArray[np.int64]", rows["hash"].map(fold).to_numpy())


def fold_score(
    estimator: Any, metric: MetricName, X: pd.DataFrame, y: NDArray[Any], held_out: NDArray[np.bool_]
) -> float:
    """Give the metric on the held-out rows of an estimator fitted on the others.

    Raises
    ------
    ValueError
        The metric is no number.
    """
    estimator.fit(X[~held_out], y[~held_out])
    score = METRICS[metric].value(y[held_out], predict(estimator, X[held_out]))
    if not np.isfinite(score):
        raise ValueError(f"its {METRICS[metric].label} is no number")
    return score


@dataclass(frozen=True)
class FoldResult:
    """The score of a fold, or the problem that kept it from having one, and what libraries warned of."""

    score: float = np.nan
    problem: str | None = None
    warned: tuple[str, ...] = ()


def score_fold(
    number: int,
    candidate: Candidate,
    features: Features,
    fold_count: int,
    metric: MetricName,
    task_kind: TaskKind,
    seed: int,
    store: Store,
) -> FoldResult:
    """Give the result of one fold; runs in a process of its own, reads the rows from the store and never raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            frame = store.table(features.train).to_pandas()
            X, y = frame[list(features.columns.roles)], frame[features.columns.target].to_numpy()
            held_out = folds(frame[ROW].to_numpy(), y, fold_count, task_kind) == number
            estimator = build(candidate, task_kind, features.columns, seed)
            score = fold_score(estimator, metric, X, y, held_out)
        except Exception as error:
            lines = str(error).strip().splitlines()
            return FoldResult(problem=lines[0] if lines else type(error).__name__)
    return FoldResult(score, warned=tuple(dict.fromkeys(str(each.message).splitlines()[0] for each in caught)))

"""Folds of the training rows: which rows are held out together, and how good a candidate is on one fold.

The split deals them, once for all candidates. They follow the hash of identity, or of the group, within each class (or
each band of a numeric target), as the split does: what belongs together is in one fold, and neither the order of rows
nor a seed matters. A split by time has folds forward in time: each is held out by models of older rows only.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.columns import FOLD
from tasks.dividing.sides import Sides
from tasks.dividing.units import Units
from tasks.errors import DataRefused
from tasks.evidence import Evidence
from tasks.metrics import METRICS
from tasks.models import predict
from tasks.problem import MetricName, TaskKind
from tasks.records import Features
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BANDS = 10
NEVER = -1


def folds(hashes: NDArray[np.uint64], target: NDArray[Any], count: int, task_kind: TaskKind) -> NDArray[np.int16]:
    """Give the fold of each row, an array of shape (rows,) with values from 0 to ``count - 1``.

    Parameters
    ----------
    hashes : array of shape (rows,)
        Of what stays together: rows with equal hashes are in one fold.
    target : array of shape (rows,)
        Numbers: of classes, or what a regression learns.
    """
    band = np.asarray(target)
    if task_kind == "regression":  # ranked by target, then by hash, so that the order of rows does not matter
        band = np.empty(len(target), dtype="int8")
        band[np.lexsort([hashes, target])] = np.round(np.arange(1, len(target) + 1) / len(target) * BANDS)
    units = Units.of(hashes)
    # Ranks run on from one band to the next, so that the folds differ by one row at most, not by one row a band.
    fold = np.empty(len(units.sizes), dtype="int16")
    fold[np.argsort(units.least(band), kind="stable")] = np.arange(len(fold)) % count
    return units.to_rows(fold)


def forward_folds(times: NDArray[Any], count: int) -> NDArray[np.int16]:
    """Give the fold of each row, an array of shape (rows,): the oldest rows have -1, the newest ``count - 1``.

    The rows in order of time are cut into ``count + 1`` blocks of equal size; rows equal in time stay in one.
    """
    units = Units.of(times)
    middle = np.cumsum(units.sizes) - units.sizes / 2
    return units.to_rows((middle * (count + 1) // len(times) - 1).astype("int16"))


def deal(evidence: Evidence, sides: Sides, count: int, task_kind: TaskKind, *, validation: bool) -> NDArray[np.int16]:
    """Give the fold of each training row, in their order; where there is a validation part, that is the one fold.

    Raises
    ------
    DataRefused
        A fold would be empty.
    """
    if validation:
        return np.where(sides.validation, 0, NEVER).astype("int16")
    train = sides.train
    if evidence.times is not None:
        fold = forward_folds(evidence.times[train], count)
    else:
        fold = folds(evidence.units[train], evidence.target[train], count, task_kind)
    if not (rows := np.bincount(fold + 1, minlength=count + 1)[int(evidence.times is None) :]).all():
        raise DataRefused(
            f"The {len(train):,} training rows are too few, or too alike, for cross_validation.folds = {count}: "
            f"{int((rows == 0).sum())} of the parts would be empty; declare fewer folds or gather more rows."
        )
    return fold


def fold_score(
    estimator: Any,
    metric: MetricName,
    X: pd.DataFrame,
    y: NDArray[Any],
    fitted: NDArray[np.bool_],
    held_out: NDArray[np.bool_],
) -> float:
    """Give the metric on the held-out rows of an estimator fitted on others.

    Raises
    ------
    ValueError
        The metric is no number.
    """
    estimator.fit(X[fitted], y[fitted])
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


def score_fold(number: int, estimator: Any, features: Features, metric: MetricName, store: Store) -> FoldResult:
    """Give the result of one fold; runs in a process of its own, reads the rows from the store and never raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            frame = store.table(features.train).to_pandas()
            X, y = frame[list(features.columns.roles)], frame[features.columns.target].to_numpy()
            fold = frame[FOLD].to_numpy()
            fitted = fold < number if features.forward else fold != number
            score = fold_score(estimator, metric, X, y, fitted, fold == number)
        except Exception as error:
            lines = str(error).strip().splitlines()
            return FoldResult(problem=lines[0] if lines else type(error).__name__)
    return FoldResult(score, warned=tuple(dict.fromkeys(str(each.message).splitlines()[0] for each in caught)))

"""Folds of the training rows: which rows are held out together, and how good a candidate is on one fold.

The split deals them, once for all candidates. They follow the hash of identity, or of the group, within each class (or
each band of a numeric target), as the split does: what belongs together is in one fold, and neither the order of rows
nor a seed matters. A split by time has folds forward in time: each is held out by models of older rows only.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import TaskKind
from tasks.columns import FOLD
from tasks.costs import megabytes, milliseconds
from tasks.dividing.sides import Sides
from tasks.dividing.units import Units
from tasks.errors import DataRefused
from tasks.estimators import is_network
from tasks.evidence import Evidence
from tasks.fits import fit
from tasks.metrics import METRICS
from tasks.models import predict
from tasks.networks import tensorflow
from tasks.out_of_fold import outputs
from tasks.problem import MetricName
from tasks.records import Artifact, Features
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


@dataclass(frozen=True)
class FoldResult:
    """What came of a fold: its score and what it took, or the problem that kept it from having one.

    Attributes
    ----------
    outputs : array of shape (rows held out, outputs) or None
        What is predicted for them, see `tasks.out_of_fold`; a class that the fit did not see has the probability 0.
    seconds, predict_milliseconds, megabytes : float
        See `tasks.records.Cost`; the last two are measured on the first fold only.
    warned : tuple of str
        What libraries warned of.
    """

    score: float = np.nan
    outputs: NDArray[np.float64] | None = None
    seconds: float = 0.0
    predict_milliseconds: float = 0.0
    megabytes: float = 0.0
    problem: str | None = None
    warned: tuple[str, ...] = ()


def score_fold(number: int, estimator: Any, features: Features, metric: MetricName, store: Store) -> FoldResult:
    """Give the result of one fold; runs in a process of its own, reads the rows from the store and never raises."""
    begun = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            X, y, fold = training_rows(features, store)
            fitted = fold < number if features.forward else fold != number
            if is_network(estimator):
                tensorflow()  # its import is no part of a fit
            begun = time.perf_counter()
            fit(estimator, lambda: (X, y), features, store, fitted)
            seconds = time.perf_counter() - begun
            result = replace(fold_result(estimator, metric, X, y, fold == number), seconds=seconds)
            if number == 0:
                measured = milliseconds(estimator, X[fold == number]), megabytes(estimator)
                result = replace(result, predict_milliseconds=measured[0], megabytes=measured[1])
        except Exception as error:
            return FoldResult(problem=sentence_of(error), seconds=time.perf_counter() - begun)
    return replace(result, warned=tuple(dict.fromkeys(str(each.message).splitlines()[0] for each in caught)))


def fold_result(
    estimator: Any,
    metric: MetricName,
    X: pd.DataFrame,
    y: NDArray[Any],
    held_out: NDArray[np.bool_],
) -> FoldResult:
    """Give the result on the held-out rows of an estimator that was fitted on others; ``y`` are all targets.

    Raises
    ------
    ValueError
        The metric is no number.
    """
    prediction = predict(estimator, X[held_out])
    score = METRICS[metric].value(y[held_out], prediction)
    if not np.isfinite(score):
        raise ValueError(f"its {METRICS[metric].label} is no number")
    found = outputs(prediction)
    if len(prediction.classes):
        classes = np.unique(y)
        known = np.zeros((len(found), len(classes)))
        known[:, np.searchsorted(classes, prediction.classes)] = found
        found = known
    return FoldResult(score, found)


def training_rows(features: Features, store: Store) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.int16]]:
    """Give the features of the training rows, their targets and their folds."""
    frame = _frame(store.root, store.problem, features.train.model_dump_json())
    columns = features.columns
    return frame[list(columns.roles)], frame[columns.target].to_numpy(), frame[FOLD].to_numpy()


@lru_cache(maxsize=1)  # a process scores one fold after the other of the same rows
def _frame(root: Path, problem: str, rows: str) -> pd.DataFrame:
    return Store(root, problem).table(Artifact.model_validate_json(rows)).to_pandas()


def sentence_of(error: Exception) -> str:
    """Give what an error says in its first line."""
    lines = str(error).strip().splitlines()
    if isinstance(error, MemoryError):
        return f"it needs more memory than there is for one of its fits ({lines[0] if lines else 'no more was given'})"
    return lines[0] if lines else type(error).__name__

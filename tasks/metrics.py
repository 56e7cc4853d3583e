"""Metrics, each from sums over rows, so that the gate can resample any of them by weighing rows.

A metric is a function of the sums of a few columns that every row has: RMSE of the squared errors and a count, macro F1
of each class's hits and how often it was predicted and true. Weighing the rows of a resample is then one product of
matrices, whatever the metric, and what comes out is exactly the metric of the resample (of the area under the ROC curve
to first order, see `tasks.judging.classwise`). Where a metric has no value, as of no rows, it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.judging.classwise import (
    area_columns,
    area_of,
    class_columns,
    f1,
    indicators,
    misplaced,
    one_of_the_rarest,
    probabilities,
    ratio,
    recall,
)
from tasks.problem import GREATER_IS_BETTER, MetricName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction

    Floats = NDArray[np.float64]

EPSILON = float(np.finfo("float64").eps)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes
    ----------
    columns : function
        Gives for targets of shape (rows,) and as many predictions the columns to sum, of shape (rows, columns).
    value_of : function
        Gives the metric of sums of shape (..., columns).
    losses : function
        Gives how wrong each prediction is, of shape (rows,), to show the rows that lost most.
    one_miss : function, optional
        Of a metric of hits and misses: how much one more miss among the rows of these sums would change it at most.
    """

    name: MetricName
    label: str
    columns: Callable[[NDArray[Any], Prediction], Floats]
    value_of: Callable[[Floats], Floats]
    losses: Callable[[NDArray[Any], Prediction], Floats]
    one_miss: Callable[[Floats], Floats] | None = None

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value is a better one."""
        return self.name in GREATER_IS_BETTER

    @property
    def counts(self) -> bool:
        """Whether it is made of hits and misses."""
        return self.one_miss is not None

    def value(self, target: NDArray[Any], prediction: Prediction) -> float:
        """Give the metric of a prediction: targets of shape (rows,), as many predictions."""
        return float(self.value_of(self.columns(target, prediction).sum(axis=0)))


def _wrong(target: NDArray[Any], prediction: Prediction) -> Floats:
    return (prediction.values != target).astype("float64")


def _right(target: NDArray[Any], prediction: Prediction) -> Floats:
    return (prediction.values == target).astype("float64")


def _surprise(target: NDArray[Any], prediction: Prediction) -> Floats:
    given = probabilities("log_loss", prediction)
    known = np.searchsorted(prediction.classes, target).clip(max=len(prediction.classes) - 1)
    chance = np.where(prediction.classes[known] == target, given[np.arange(len(target)), known], 0.0)
    return -np.log(chance.clip(min=EPSILON))


def _brier(target: NDArray[Any], prediction: Prediction) -> Floats:
    """Give the squared distances of probabilities and truth, halved for two classes as scikit-learn does."""
    given, truth = probabilities("brier_score", prediction), indicators(prediction.classes, target)
    unknown = 1.0 - truth.sum(axis=1)  # a class never seen in training was given no probability
    total = ((given - truth) ** 2).sum(axis=1) + unknown
    return total / 2 if len(prediction.classes) <= 2 else total


def _squared(target: NDArray[Any], prediction: Prediction) -> Floats:
    return (prediction.values - target) ** 2.0


def _absolute(target: NDArray[Any], prediction: Prediction) -> Floats:
    return np.abs(prediction.values - target).astype("float64")


def _relative(target: NDArray[Any], prediction: Prediction) -> Floats:
    return np.abs(prediction.values - target) / np.abs(target).clip(min=EPSILON)


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _root_of_mean(sums: Floats) -> Floats:
    return np.sqrt(_mean(sums))


def _with_ones(losses: Callable[[NDArray[Any], Prediction], Floats]) -> Callable[[NDArray[Any], Prediction], Floats]:
    def columns(target: NDArray[Any], prediction: Prediction) -> Floats:
        return np.column_stack([losses(target, prediction), np.ones(len(target))])

    return columns


def _explained_columns(target: NDArray[Any], prediction: Prediction) -> Floats:
    """Give squared errors, the target less its mean against cancellation, its square and a count: (rows, 4)."""
    mean = float(target.mean()) if len(target) else 0.0
    centred = np.asarray(target - mean, dtype="float64")
    centred[np.abs(centred) <= 1e-12 * abs(mean)] = 0.0
    return np.column_stack([_squared(target, prediction), centred, centred**2, np.ones(len(target))])


def _explained(sums: Floats) -> Floats:
    """Give R²; of a constant target 1 where every prediction is right, else 0, as scikit-learn does."""
    residual, total, squares, rows = np.moveaxis(sums, -1, 0)
    spread = squares - ratio(total**2, rows)
    constant = spread <= 1e-12 * squares
    of_constant = np.where(rows > 1, (residual == 0).astype("float64"), np.nan)
    return np.where(constant, of_constant, 1.0 - ratio(residual, np.where(constant, 0.0, spread)))


def _one_of_all(sums: Floats) -> Floats:
    return 1.0 / sums[..., 1]


METRICS: dict[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _with_ones(_right), _mean, _wrong, _one_of_all),
        Metric("balanced_accuracy", "balanced accuracy", class_columns, recall, _wrong, one_of_the_rarest),
        Metric("f1_macro", "macro F1", class_columns, f1, _wrong, one_of_the_rarest),
        Metric("roc_auc", "ROC AUC", area_columns, area_of, misplaced),
        Metric("log_loss", "log loss", _with_ones(_surprise), _mean, _surprise),
        Metric("brier_score", "Brier score", _with_ones(_brier), _mean, _brier),
        Metric("rmse", "RMSE", _with_ones(_squared), _root_of_mean, _squared),
        Metric("mae", "MAE", _with_ones(_absolute), _mean, _absolute),
        Metric("mape", "MAPE", _with_ones(_relative), _mean, _relative),
        Metric("r2", "R²", _explained_columns, _explained, _squared),
    )
}


def figure(value: float, like: float | None = None) -> str:
    """Give a number as people read it: four digits, thousands set apart; with the decimals of ``like`` if given.

    >>> figure(43512.7), figure(0.98611), figure(0.00358, like=0.98611)
    ('43,513', '0.9861', '0.0036')
    """
    size = abs(value if like is None else like)
    decimals = 0 if size >= 1000 or size == 0 else max(0, 3 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}"


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Give a mean and a standard deviation with the same decimals.

    >>> mean_and_deviation(0.99170, 0.003554)
    '0.9917 ± 0.0036'
    """
    return f"{figure(mean)} ± {figure(deviation, like=mean)}"

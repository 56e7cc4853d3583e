"""How wrong a prediction is, row by row, and what the mean of that is called.

Every metric is a monotone function of the mean of a per-row loss. That is what lets the gate compare two models in
pairs, on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.problem import GREATER_IS_BETTER, MetricName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction


@dataclass(frozen=True)
class Metric:
    """A metric: the loss of each row, and the value that a mean loss stands for."""

    name: MetricName
    label: str
    row_losses: Callable[[NDArray[Any], Prediction], NDArray[np.float64]]
    from_mean_loss: Callable[[Any], Any]

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value is a better one."""
        return self.name in GREATER_IS_BETTER

    def value(self, target: NDArray[Any], prediction: Prediction) -> float:
        """Give the metric of a prediction: targets of shape (rows,), as many predictions."""
        return float(self.from_mean_loss(self.row_losses(target, prediction).mean()))


def _wrong(target: NDArray[Any], prediction: Prediction) -> NDArray[np.float64]:
    return (prediction.values != target).astype("float64")


def _surprise(target: NDArray[Any], prediction: Prediction) -> NDArray[np.float64]:
    if prediction.probabilities is None:
        raise ValueError("log_loss needs probabilities, which this estimator does not give")
    known = np.searchsorted(prediction.classes, target).clip(max=len(prediction.classes) - 1)
    chance = np.where(prediction.classes[known] == target, prediction.probabilities[np.arange(len(target)), known], 0.0)
    return -np.log(chance.clip(min=np.finfo("float64").eps))


def _squared(target: NDArray[Any], prediction: Prediction) -> NDArray[np.float64]:
    return (prediction.values - target) ** 2.0


def _absolute(target: NDArray[Any], prediction: Prediction) -> NDArray[np.float64]:
    return np.abs(prediction.values - target)


def _relative(target: NDArray[Any], prediction: Prediction) -> NDArray[np.float64]:
    return np.abs(prediction.values - target) / np.abs(target).clip(min=np.finfo("float64").eps)


def _itself(mean: Any) -> Any:
    return mean


def _complement(mean: Any) -> Any:
    return 1.0 - mean


METRICS: dict[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _wrong, _complement),
        Metric("log_loss", "log loss", _surprise, _itself),
        Metric("rmse", "RMSE", _squared, np.sqrt),
        Metric("mae", "MAE", _absolute, _itself),
        Metric("mape", "MAPE", _relative, _itself),
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

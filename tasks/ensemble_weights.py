"""The weights of an ensemble, found on out-of-fold predictions.

Weights that were found on some rows are too good on these: who scores an ensemble finds them on other rows, see
`cross_fitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from tasks.metrics import Metric
from tasks.models import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 25
"""Steps of the greedy search, one model each: the finest weight is one in so many."""


class Weights(NamedTuple):
    """The weight of each model, an array of shape (models,), none below 0, and what is added to their sum."""

    weights: Floats
    intercept: float = 0.0


@dataclass(frozen=True)
class Pool:
    """Models and what they say of the same rows, which none of them was fitted on.

    Attributes
    ----------
    outputs : array of shape (models, rows, outputs)
        See `tasks.out_of_fold`.
    target : array of shape (rows,)
        What they should say.
    classes : array of shape (classes,)
        Sorted; empty for a regression.
    metric : Metric
        What the ensemble is made for.
    """

    outputs: Floats
    target: NDArray[Any]
    classes: NDArray[Any]
    metric: Metric

    def of(self, rows: NDArray[np.bool_]) -> Pool:
        """Give the pool of some of the rows, those of a mask of shape (rows,)."""
        return replace(self, outputs=self.outputs[:, rows], target=self.target[rows])

    def of_models(self, places: NDArray[np.int64] | list[int]) -> Pool:
        """Give the pool of some of the models."""
        return replace(self, outputs=self.outputs[places])

    @property
    def truth(self) -> Floats:
        """What perfect outputs would be, of shape (rows, outputs)."""
        if not len(self.classes):
            return np.asarray(self.target, dtype="float64")[:, None]
        return (self.target[:, None] == self.classes).astype("float64")

    def combined(self, found: Weights) -> Floats:
        """Give the outputs of an ensemble, of shape (rows, outputs)."""
        return np.tensordot(found.weights, self.outputs, axes=1) + found.intercept

    def goodness(self, outputs: Floats) -> tuple[float, float]:
        """Give how good outputs are, more being better: the metric, and of equal ones the nearer to the truth."""
        value = self.metric.value(self.target, prediction(outputs, self.classes))
        signed = value if self.metric.greater_is_better else -value
        return signed if np.isfinite(signed) else -np.inf, -float(((outputs - self.truth) ** 2).sum())


def prediction(outputs: Floats, classes: NDArray[Any]) -> Prediction:
    """Give outputs of shape (rows, outputs) as a prediction: numbers, or the likeliest classes."""
    if not len(classes):
        return Prediction(outputs[:, 0], classes)
    return Prediction(classes[outputs.argmax(axis=1)], classes, outputs)


def average(pool: Pool, most: int) -> Weights:
    """Give equal weights to as many of the best models, from two on, as are best together."""
    count = len(pool.outputs)
    best_first = sorted(range(count), key=lambda place: pool.goodness(pool.outputs[place]), reverse=True)
    sizes = range(2, min(most, count) + 1)
    size = max(sizes, key=lambda size: pool.goodness(pool.outputs[best_first[:size]].mean(axis=0)))
    return Weights(np.bincount(best_first[:size], minlength=count) / size)


def greedy(pool: Pool, most: int) -> Weights:
    """Give the weights of models added one after the other, with repetition, each being the best addition.

    After Caruana et al., Ensemble Selection from Libraries of Models (2004), sections 2 and 2.2.
    """
    count = len(pool.outputs)
    chosen: list[int] = []
    total, found = np.zeros_like(pool.outputs[0]), list[tuple[float, float]]()
    for step in range(1, STEPS + 1):
        allowed = sorted(set(chosen)) if len(set(chosen)) == most else range(count)
        grown = {place: pool.goodness((total + pool.outputs[place]) / step) for place in allowed}
        best = max(grown, key=lambda place: grown[place])
        chosen.append(best)
        total = total + pool.outputs[best]
        found.append(grown[best])
    steps = 1 + max(range(STEPS), key=lambda step: found[step])
    return Weights(np.bincount(chosen[:steps], minlength=count) / steps)


def stack(pool: Pool, most: int) -> Weights:
    """Give the weights, none below 0, whose sum of outputs is nearest to the truth; those of probabilities sum to 1."""
    weights = _nearest(pool)
    share = weights * pool.outputs.std(axis=(1, 2))
    kept = np.sort(np.argsort(-share, kind="stable")[:most])
    weights = np.zeros_like(weights)
    weights[kept] = _nearest(pool.of_models(kept))
    if len(pool.classes):
        return Weights(weights / (weights.sum() or 1.0))
    means = pool.outputs.mean(axis=(1, 2))
    return Weights(weights, float(pool.truth.mean() - means @ weights))


def _nearest(pool: Pool) -> Floats:
    """Give the non-negative weights of least squared error, of shape (models,); numbers are taken less their mean.

    Rounded, so that the order in which a machine adds up does not show.
    """
    from scipy.optimize import nnls

    sides = np.column_stack([*(each.ravel() for each in pool.outputs), pool.truth.ravel()])
    if not len(pool.classes):
        sides = sides - sides.mean(axis=0)
    upper = np.asarray(np.linalg.qr(sides, mode="r"))
    weights, _ = nnls(upper[:, :-1], upper[:, -1])
    return np.round(weights, 9)


WEIGH: dict[Literal["average", "greedy", "stack"], Callable[[Pool, int], Weights]] = {
    "average": average,
    "greedy": greedy,
    "stack": stack,
}


def cross_fitted(pool: Pool, part: NDArray[Any], weigh: Callable[[Pool], Weights]) -> Floats:
    """Give the outputs of an ensemble whose weights for each part of the rows come from the other parts.

    Parameters
    ----------
    pool : Pool
        The models.
    part : array of shape (rows,)
        The part of each row; at least two of them.
    weigh : callable
        From a pool to weights.

    Returns
    -------
    array of shape (rows, outputs)
    """
    found = np.empty_like(pool.outputs[0])
    for number in np.unique(part):
        here = part == number
        found[here] = pool.of(here).combined(weigh(pool.of(~here)))
    return found


def unlike(pool: Pool, most_alike: float) -> list[int]:
    """Give the models, in order, whose errors do not follow those of one before: correlated by at most so much."""
    kept: dict[int, Floats] = {}
    for place, outputs in enumerate(pool.outputs):
        errors = _standardised((outputs - pool.truth).ravel())
        if _all_below((float(errors @ other) for other in kept.values()), most_alike):
            kept[place] = errors
    return list(kept)


def _standardised(errors: Floats) -> Floats:
    centred = errors - errors.mean()
    return centred / (float(np.linalg.norm(centred)) or 1.0)


def _all_below(values: Iterable[float], most: float) -> bool:
    return all(value <= most for value in values)

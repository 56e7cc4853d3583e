"""Metrics that are a mean over classes, and what they are made of: each from sums over rows, see `tasks.metrics`.

The area under the ROC curve is no function of sums over rows. Its placements are (DeLong, DeLong and Clarke-Pearson,
1988): the share of the other class that each row stands on the right side of. Their mean is the area itself, and how
the mean changes when rows are weighed is the area's change to first order.

A class that is absent from the rows is left out of a mean over classes, as scikit-learn does where it is neither true
nor predicted; where nothing is left to take a mean of, the value is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.problem import MetricName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction

    Floats = NDArray[np.float64]


def indicators(labels: NDArray[Any], values: NDArray[Any]) -> Floats:
    """Give 1 where a row has the label of a column, else 0: shape (rows, labels)."""
    return (values[:, None] == labels[None, :]).astype("float64")


def probabilities(name: MetricName, prediction: Prediction) -> Floats:
    """Give a prediction's probabilities, of shape (rows, classes).

    Raises
    ------
    ValueError
        The estimator gives none.
    """
    if prediction.probabilities is None:
        raise ValueError(f"{name} needs probabilities, which this estimator does not give")
    return prediction.probabilities


def ratio(upper: Floats, lower: Floats) -> Floats:
    """Give upper / lower, and NaN where lower is 0."""
    return np.divide(upper, lower, out=np.full(np.broadcast_shapes(upper.shape, lower.shape), np.nan), where=lower != 0)


def mean_of_defined(values: Floats) -> Floats:
    """Give the mean over the last axis of what is not NaN."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype("float64"))


def class_columns(target: NDArray[Any], prediction: Prediction) -> Floats:
    """Give for each class the hits, how often it is true and how often predicted: shape (rows, 3 x classes)."""
    labels = np.unique(np.concatenate([target, prediction.values]))
    true, predicted = indicators(labels, target), indicators(labels, prediction.values)
    return _side_by_side([true * predicted, true, predicted])


def _side_by_side(columns: Sequence[NDArray[Any]]) -> Floats:
    """Give the columns of all classes, those of one class beside each other, from some of shape (rows, classes)."""
    rows, classes = columns[0].shape
    return np.stack(columns, axis=2, dtype="float64").reshape(rows, classes * len(columns))


def _by_class(sums: Floats, columns: int) -> tuple[Floats, ...]:
    return tuple(np.moveaxis(sums.reshape(*sums.shape[:-1], sums.shape[-1] // columns, columns), -1, 0))


def recall(sums: Floats) -> Floats:
    """Give the mean over the true classes of the share of hits, from sums of `class_columns`."""
    hits, true, _ = _by_class(sums, 3)
    return mean_of_defined(ratio(hits, true))


def f1(sums: Floats) -> Floats:
    """Give the mean over the true or predicted classes of F1, from sums of `class_columns`."""
    hits, true, predicted = _by_class(sums, 3)
    return mean_of_defined(ratio(2 * hits, true + predicted))


def one_of_the_rarest(sums: Floats) -> Floats:
    """Give how much a miss in the rarest class changes a mean over classes."""
    _, true, _ = _by_class(sums, 3)
    rarest = np.where(true > 0, true, np.inf).min(axis=-1, initial=np.inf)
    return 1.0 / (rarest * (true > 0).sum(axis=-1).clip(min=1))


def _placements(target: NDArray[Any], prediction: Prediction) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the share of the other rows that each row stands on the right side of, by class, and which rows are of it.

    Of two classes only the second counts. A class never seen in training has probability 0 everywhere.
    """
    labels = np.unique(np.concatenate([target, prediction.classes]))
    scores = np.zeros((len(target), len(labels)))
    scores[:, np.searchsorted(labels, prediction.classes)] = probabilities("roc_auc", prediction)
    asked = range(1, 2) if len(labels) == 2 else range(len(labels))
    placed, members = np.full((len(target), len(asked)), np.nan), indicators(labels[list(asked)], target) > 0
    for place, label in enumerate(asked):
        member, score = members[:, place], scores[:, label]
        placed[member, place] = _above(score[member], score[~member])
        placed[~member, place] = _above(-score[~member], -score[member])
    return placed, members


def _above(scores: Floats, others: Floats) -> Floats:
    """Give the share of the others that each score is above, ties by half: shape (scores,)."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return below / (2 * len(others)) if len(others) else np.full(len(scores), np.nan)


def area_columns(target: NDArray[Any], prediction: Prediction) -> Floats:
    """Give for each class the placements of its rows and of the rest, less the area, the area, and who is who.

    Shape (rows, 5 x classes). The placements are those among all the rows given.
    """
    placed, members = _placements(target, prediction)
    area = np.array([_plain_mean(column[member]) for column, member in zip(placed.T, members.T, strict=True)])
    beyond = np.where(np.isnan(placed), 0.0, placed - area)
    of_all = np.broadcast_to(np.where(np.isnan(area), 0.0, area), placed.shape)
    columns = [beyond * members, members, beyond * ~members, ~members, of_all]
    return _side_by_side(columns)


def _plain_mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def area_of(sums: Floats) -> Floats:
    """Give the area under the ROC curve, one class against the rest, from sums of `area_columns`; their mean."""
    ours, members, theirs, rest, area = _by_class(sums, 5)
    return mean_of_defined(ratio(ours, members) + ratio(theirs, rest) + ratio(area, members + rest))


def misplaced(target: NDArray[Any], prediction: Prediction) -> Floats:
    """Give the share of the other rows that each row stands on the wrong side of, as a mean over classes."""
    return 1.0 - mean_of_defined(_placements(target, prediction)[0])

"""Intervals: around a regression's prediction, or the set of labels that a classifier cannot rule out, at a level.

They are conformal: no model of the errors is fitted and none is assumed; what counts is how wrong the model's
out-of-fold predictions were, and by the rank of an error follows how often the truth of a row of the same kind is
inside (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005). What one margin for all rows does
badly is done apart (Mondrian conformal prediction): dear houses are missed by more than cheap ones, so a regression's
predictions are put into bins, and rare classes would never be in a set, so each class has a threshold of its own
(Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers, 2019).

Two things are not as the theory has them: the model is fitted on all rows, so it is a little better than those of the
folds, and it was chosen for being best on the same folds. So what holds is measured on test rows, which neither
knows, and the record has no level without its measured coverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.errors import ProblemError
from tasks.judging.contest import read_contest
from tasks.models import Prediction
from tasks.out_of_fold import held_out, outputs, read
from tasks.records import Coverage, Features, Interval, Intervals, Model, Scores
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
MOST_BINS, ROWS_OF_A_BIN, FEWEST = 10, 200, 100
"""How many bins there are at most, how many rows one is made for, and how many it has at least where many are equal."""


def at_level(intervals: Intervals | None, level: float) -> Coverage:
    """Give what a version knows of a level, such as 0.9.

    Raises
    ------
    ProblemError
        It has no intervals, or none of this level: says which there are.
    """
    if intervals is None:
        raise ProblemError(
            "This version has no intervals, because no out-of-fold predictions of it are known; a version that is "
            "trained now has them."
        )
    found = next((each for each in intervals.levels if abs(each.level - level) < 1e-9), None)
    if found is None:
        known = listed(f"{each.level:g}" for each in intervals.levels)
        raise ProblemError(f"This version has no interval of level {level:g}; allowed are: {known}.")
    return found


def bounds(prediction: Prediction, intervals: Intervals | None, level: float) -> tuple[Floats, Floats]:
    """Give the lower and the upper bounds of a regression's predictions, each of shape (rows,).

    Raises
    ------
    ProblemError
        The version has no intervals of this level.
    """
    found = at_level(intervals, level)
    return _around(prediction, intervals.edges if intervals else (), found.margins)


def label_sets(prediction: Prediction, intervals: Intervals | None, level: float) -> NDArray[np.bool_]:
    """Tell which classes are in the set of each row, of shape (rows, classes); the predicted class always is.

    Raises
    ------
    ProblemError
        The version has no sets of this level.
    """
    return _possible(prediction, at_level(intervals, level).thresholds)


def _around(prediction: Prediction, edges: Sequence[float], margins: Sequence[float]) -> tuple[Floats, Floats]:
    values = np.asarray(prediction.values, dtype="float64")
    margin = np.asarray(margins)[bins(values, edges)]
    return values - margin, values + margin


def _possible(prediction: Prediction, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    return (outputs(prediction) >= np.asarray(thresholds)) | (prediction.values[:, None] == prediction.classes)


def bins(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Give the bin of each prediction, shape (rows,): how many edges lie below it."""
    return np.searchsorted(np.asarray(edges, dtype="float64"), values).astype("int64")


def edges_of(predictions: Floats) -> tuple[float, ...]:
    """Give what separates the bins of predictions: as many rows in each, as far as predictions differ."""
    count = min(MOST_BINS, len(predictions) // ROWS_OF_A_BIN)
    values, found = np.sort(predictions), list[float]()
    for edge in np.quantile(values, np.arange(1, count) / max(count, 1), method="inverted_cdf").tolist():
        below = np.searchsorted(values, [*found[-1:], edge], side="right")
        if below[-1] - (below[0] if found else 0) >= FEWEST and len(values) - below[-1] >= FEWEST:
            found.append(edge)
    return tuple(found)


def margins(errors: Floats, bin_of: NDArray[np.int64], count: int, level: float) -> tuple[float, ...]:
    """Give for each of so many bins the absolute error that a share ``level`` of new rows stays within.

    None where a bin has too few rows to tell, as it takes 99 rows to tell what one row of a hundred exceeds.
    """
    found: list[float] = []
    for number in range(count):
        here = np.sort(np.abs(errors[bin_of == number]))
        rank = len(here) + 1 - _rank_from_worst(len(here), level)
        if rank > len(here):
            return ()
        found.append(float(here[rank - 1]))
    return tuple(found)


def thresholds(shares: Floats, label: NDArray[np.int64], level: float) -> tuple[float, ...]:
    """Give for each class the least probability with which it is in a set: a share ``level`` of its rows has more.

    Classes of which there are too few rows to tell are taken together; where these too are too few, such a class is
    always in the set. None if that is so of all classes, as the sets would say nothing.

    Parameters
    ----------
    shares : array of shape (rows, classes)
        Probabilities.
    label : array of shape (rows,)
        The place of the true class among the classes.
    level : float
        Between 0 and 1.
    """
    own = shares[np.arange(len(label)), label]
    counts = np.bincount(label, minlength=shares.shape[1])
    enough = np.array([_rank_from_worst(int(count), level) > 0 for count in counts])
    of_few = _threshold(own[~enough[label]], level)
    found = [_threshold(own[label == place], level) if enough[place] else of_few for place in range(len(counts))]
    return tuple(found) if any(found) else ()


def _threshold(own: Floats, level: float) -> float:
    rank = _rank_from_worst(len(own), level)
    return float(np.sort(own)[rank - 1]) if rank else 0.0


def _rank_from_worst(rows: int, level: float) -> int:
    """Give which of so many rows, counted from the worst, is the last that is inside; 0 if none is bad enough."""
    return int(np.floor(round((rows + 1) * (1 - level), 6)))


def share_of(inside: NDArray[np.bool_]) -> Interval:
    """Give the share of rows that are inside, with its 95 % interval (Wilson, 1927)."""
    from scipy.stats import binomtest

    found = binomtest(int(inside.sum()), len(inside)).proportion_ci(method="wilson")
    return Interval(value=float(inside.mean()), low=float(found.low), high=float(found.high))


def of_version(model: Model, features: Features, scores: Scores, store: Store) -> Intervals | None:
    """Give the intervals of a model with the coverage on the test rows of its scores.

    None if no out-of-fold predictions of it are known, or no test rows that it was not trained on.
    """
    trial = model.leaderboard[0] if model.leaderboard else None
    if trial is None or trial.out_of_fold is None:
        return None
    contest = read_contest(scores, store)
    unknown = scores.rows + scores.excluded_rows - scores.excluded.get("challenger", 0)
    if len(contest.rows) > unknown:  # as there were too few of those
        return None
    test = replace(contest.predictions["challenger"], classes=np.asarray(model.classes))
    return measured(read(trial.out_of_fold, store), held_out(features, store).target, test, np.asarray(contest.target))


def measured(given: Floats, truth: NDArray[Any], test: Prediction, test_truth: NDArray[Any]) -> Intervals | None:
    """Give intervals from out-of-fold predictions, with what test rows say of them; None if there are too few rows.

    Parameters
    ----------
    given : array of shape (rows, outputs)
        Out-of-fold predictions, see `tasks.out_of_fold`; rows that were never held out are NaN.
    truth : array of shape (rows,)
        What they should say.
    test : Prediction
        What the model says of rows that it was not trained on, at least one.
    test_truth : array of shape (test rows,)
        What it should say.
    """
    known = np.isfinite(given).all(axis=1)
    given, truth = given[known], truth[known]
    if not len(truth):
        return None
    edges = () if len(test.classes) else edges_of(given[:, 0])
    if len(test.classes):
        found = _of_classes(given, truth, test, test_truth)
    else:
        found = _of_numbers(given[:, 0], truth, edges, test, test_truth)
    levels = tuple(found)
    return Intervals(rows=len(truth), test_rows=len(test_truth), edges=edges, levels=levels) if levels else None


def _of_numbers(
    given: Floats, truth: NDArray[Any], edges: Sequence[float], test: Prediction, test_truth: NDArray[Any]
) -> Iterator[Coverage]:
    errors, bin_of = truth - given, bins(given, edges)
    for level in LEVELS:
        if own := margins(errors, bin_of, len(edges) + 1, level):
            low, high = _around(test, edges, own)
            inside = share_of((low <= test_truth) & (test_truth <= high))
            yield Coverage(level=level, margins=own, measured=inside, size=float((high - low).mean()))


def _of_classes(given: Floats, truth: NDArray[Any], test: Prediction, test_truth: NDArray[Any]) -> Iterator[Coverage]:
    label = (truth[:, None] == test.classes).argmax(axis=1)
    for level in LEVELS:
        if own := thresholds(given, label, level):
            sets = _possible(test, own)
            inside = share_of((sets & (test_truth[:, None] == test.classes)).any(axis=1))
            yield Coverage(level=level, thresholds=own, measured=inside, size=float(sets.sum(axis=1).mean()))

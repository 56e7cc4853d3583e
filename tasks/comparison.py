"""Comparison: what a challenger's metric is, how it stands against another model, and how it does on slices.

What harm and its bounds are stands in `tasks.harm` and `tasks.bounds`, how slices are tested in `tasks.slice_tests`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.bounds import estimated
from tasks.errors import DataRefused
from tasks.harm import FEWEST_UNITS, Values, harm, hidden, resolved, rows_needed, standings, values
from tasks.metrics import Metric
from tasks.records import Comparison, Interval, SliceComparison, Standing
from tasks.resampling import Resampling
from tasks.slice_tests import SLICE_ALPHA, SliceTest, holm, slice_tests

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction

    Floats = NDArray[np.float64]

_COLUMNS_AT_ONCE = 512


def _of_all_rows(metric: Metric, columns: Sequence[Floats], resampling: Resampling) -> list[Values]:
    found = values(metric, [each[:, None, :] for each in columns], resampling)
    if any(np.isnan(each.total).any() for each in found):
        raise DataRefused(
            f"The {metric.label} has no value on these {len(columns[0]):,} test rows, where a class or all variation "
            "is missing; gather rows of every class, or judge by another metric."
        )
    return found


def measured(
    metric: Metric, target: NDArray[Any], prediction: Prediction, resampling: Resampling, confidence: float
) -> Interval:
    """Give the metric of a prediction, by targets of shape (rows,), with its confidence interval.

    Raises
    ------
    DataRefused
        The metric has no value on these rows.
    """
    columns = metric.columns(target, prediction)
    (of_all,) = _of_all_rows(metric, [columns], resampling)
    found = _interval(of_all, hidden(metric, columns, resampling.units), confidence)
    inside = {"low": max(found.low, 0.0), "high": min(found.high, 1.0)} if metric.counts else {}
    return found.model_copy(update=inside)


def difference(
    metric: Metric,
    target: NDArray[Any],
    ours: Prediction,
    theirs: Prediction,
    resampling: Resampling,
    confidence: float,
) -> Interval:
    """Give the metric of ours less that of theirs, by targets of shape (rows,), with its confidence interval.

    Raises
    ------
    DataRefused
        The metric has no value on these rows.
    """
    columns = [metric.columns(target, each) for each in (ours, theirs)]
    mine, others = _of_all_rows(metric, columns, resampling)
    pairs = zip(astuple(mine), astuple(others), strict=True)
    apart = Values(*(each - other for each, other in pairs))
    return _interval(apart, hidden(metric, columns[1], resampling.units), confidence)


def _interval(of_all: Values, hidden: Floats, confidence: float) -> Interval:
    found = estimated(of_all.total, of_all.resampled, of_all.left_out, hidden)
    low, high = found.bounds((1 - confidence) / 2)
    return Interval(value=float(found.value[0]), low=float(low[0]), high=float(high[0]))


def compare(  # noqa: PLR0913
    metric: Metric,
    target: NDArray[Any],
    ours: Prediction,
    theirs: Prediction,
    resampling: Resampling,
    *,
    alpha: float,
    margin: float | None,
    against: str,
    version: int | None,
) -> Comparison:
    """Give how a challenger stands against another model, by targets of shape (rows,); see `Comparison`.

    With no margin it is the smallest that these rows can resolve.

    Raises
    ------
    DataRefused
        The metric has no value on these rows.
    """
    sign = -1 if metric.greater_is_better else 1
    columns = [metric.columns(target, each) for each in (ours, theirs)]
    mine, others = _of_all_rows(metric, columns, resampling)
    found, error = harm(sign, mine, others, hidden(metric, columns[1], resampling.units) / np.abs(others.total))
    judged = standings(found, error, alpha, margin)
    allowed, fewest = float(judged.margin[0]), math.ceil(FEWEST_UNITS * len(target) / resampling.units)
    needed = rows_needed(len(target), float(resolved(found, error, alpha)[0]), allowed)
    return Comparison(
        against=against,
        version=version,
        rows=len(target),
        units=resampling.units,
        ours=float(mine.total[0]),
        theirs=float(others.total[0]),
        harm=Interval(value=float(found.value[0]), low=float(judged.low[0]), high=float(judged.high[0])),
        standard_error=float(error[0]),
        alpha=alpha,
        margin=allowed,
        resolvable=float(judged.resolvable[0]),
        rows_needed=max(needed, fewest),
        standing=cast("Standing", str(judged.standing[0])),
    )


def compare_slices(
    metric: Metric,
    target: NDArray[Any],
    ours: Prediction,
    theirs: Prediction,
    slices: Mapping[str, NDArray[np.bool_]],
    margins: Mapping[str, float],
    resampling: Resampling,
) -> tuple[SliceComparison, ...]:
    """Give how a challenger does against another model on slices, masks of shape (rows,); see `SliceComparison`.

    All slices are drawn in the same resamples. The metric of a slice is that of its rows alone; where it has none, as
    the area under the ROC curve of a single class, it is None, there is no evidence of harm, and the slice is blind.
    """
    whole = np.ones(len(target), dtype="bool")
    asked = [(whole, 1.0), *((slices[name], margins[name]) for name in slices)]
    columns = [[metric.columns(target[rows], each.of(rows)) for each in (ours, theirs)] for rows, _ in asked]
    at_once = max(1, _COLUMNS_AT_ONCE // (2 * columns[0][0].shape[1]))
    tests: list[SliceTest] = []
    for start in range(0, len(asked), at_once):
        some = slice(start, start + at_once)
        tests += slice_tests(metric, asked[some], columns[some], resampling)
    adjusted = holm([test.p_value for test in tests[1:]])
    judged = zip(slices, adjusted, tests[1:], strict=True)
    return tuple(_told(name, p_value, test, tests[0]) for name, p_value, test in judged)


def _told(name: str, p_value: float, test: SliceTest, whole: SliceTest) -> SliceComparison:
    """Give the record of a slice; where it resolves nothing, the whole of the rows tells how many would."""
    told = test if test.defined and test.units >= FEWEST_UNITS else whole
    fewest = math.ceil(FEWEST_UNITS * whole.rows / whole.units)
    needed = max(rows_needed(told.rows, told.resolved, test.margin), fewest)
    return SliceComparison(
        name=name,
        rows=test.rows,
        ours=test.ours if test.defined else None,
        theirs=test.theirs if test.defined else None,
        harm=test.harm,
        margin=test.margin,
        p_value=p_value,
        blind=test.blind,
        rows_needed=max(needed, test.rows + 1) if test.blind else needed,
        harmed=p_value < SLICE_ALPHA,
    )

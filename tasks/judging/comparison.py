"""Comparison: what a challenger's metric is, how it stands against another model, and how it does on slices.

What harm and its bounds are stands in `harm` and `bounds` beside this, how slices are tested in `slice_tests`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import DataRefused
from tasks.judging.bounds import Estimate
from tasks.judging.harm import (
    FEWEST_UNITS,
    LOPSIDED,
    Asked,
    estimates,
    lopsided,
    one_unit,
    pair,
    resolved,
    rows_needed,
    standings,
    unscaled,
)
from tasks.judging.resampling import Resampling
from tasks.judging.slice_tests import SLICE_ALPHA, SliceTest, holm, slice_test
from tasks.metrics import Metric
from tasks.records import Comparison, Interval, SliceComparison, Standing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction

    Floats = NDArray[np.float64]

_COLUMNS_AT_ONCE = 512


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
    found = _interval(metric, [columns], lambda values: values[0], resampling, confidence)
    lowest, highest = -math.inf if metric.name == "r2" else 0.0, 1.0 if metric.greater_is_better else math.inf
    return found.model_copy(update={"low": max(found.low, lowest), "high": min(found.high, highest)})


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
    return _interval(metric, columns, lambda values: values[0] - values[1], resampling, confidence)


def _interval(
    metric: Metric,
    columns: Sequence[Floats],
    figure: Callable[[Sequence[Floats]], Floats],
    resampling: Resampling,
    confidence: float,
) -> Interval:
    unit = np.atleast_1d(one_unit(metric, columns[-1], resampling.units))
    found = _estimate(metric, Asked([each[:, None, :] for each in columns], figure, unit), resampling)
    low, high = found.bounds((1 - confidence) / 2)
    return Interval(value=float(found.value[0]), low=float(low[0]), high=float(high[0]))


def _estimate(metric: Metric, asked: Asked, resampling: Resampling) -> Estimate:
    if any(np.isnan(value).any() for value in asked.values(metric)):
        raise DataRefused(
            f"The {metric.label} has no value on these {len(asked.columns[0]):,} test rows, where a class or all "
            "variation is missing; gather rows of every class, or judge by another metric."
        )
    return estimates(metric, [asked], resampling)[0]


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
    asked = pair(metric, [metric.columns(target, each) for each in (ours, theirs)], resampling.units)
    found = _estimate(metric, asked, resampling)
    judged = standings(metric, found, alpha, margin)
    allowed, fewest = float(judged.margin[0]), math.ceil(FEWEST_UNITS * len(target) / resampling.units)
    needed = rows_needed(metric, len(target), float(resolved(metric, found, alpha)[0]), allowed)
    if margin is None and lopsided(metric, found)[0]:
        needed = max(needed, math.ceil(len(target) * float(found.skewness[0] / LOPSIDED) ** 2))
    mine, others = (float(value[0]) for value in asked.values(metric))
    return Comparison(
        against=against,
        version=version,
        rows=len(target),
        units=resampling.units,
        ours=mine,
        theirs=others,
        harm=Interval(
            value=float(unscaled(metric, found.value)[0]), low=float(judged.low[0]), high=float(judged.high[0])
        ),
        standard_error=float(found.error[0]),
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
    masks = [np.ones(len(target), dtype="bool"), *slices.values()]
    columns = [[metric.columns(target[rows], each.of(rows)) for each in (ours, theirs)] for rows in masks]
    asked = [
        pair(metric, each, int(resampling.units_of(rows).sum()), rows)
        for rows, each in zip(masks, columns, strict=True)
    ]
    at_once = max(1, _COLUMNS_AT_ONCE // (2 * columns[0][0].shape[1] + 1))
    found = [
        each
        for start in range(0, len(asked), at_once)
        for each in estimates(metric, asked[start : start + at_once], resampling)
    ]
    limits = [1.0, *(margins[name] for name in slices)]
    tests = [slice_test(metric, *each) for each in zip(asked, found, limits, strict=True)]
    adjusted = holm([test.p_value for test in tests[1:]])
    judged = zip(slices, adjusted, tests[1:], strict=True)
    return tuple(_told(metric, name, p_value, test, tests[0]) for name, p_value, test in judged)


def _told(metric: Metric, name: str, p_value: float, test: SliceTest, whole: SliceTest) -> SliceComparison:
    """Give the record of a slice; where it resolves nothing, the whole of the rows tells how many would."""
    told = test if test.defined and test.units >= FEWEST_UNITS else whole
    fewest = math.ceil(FEWEST_UNITS * whole.rows / whole.units)
    needed = max(rows_needed(metric, told.rows, told.resolved, test.margin), fewest)
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

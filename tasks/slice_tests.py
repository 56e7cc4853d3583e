"""Tests of slices: whether there is evidence that a challenger harms some of the rows by more than their margin.

The statistic of a slice is ours - theirs - margin x |theirs| in standard errors of the resamples, compared with
Student's distribution; the p-values of all slices are adjusted together (Holm, 1979), so that twenty slices that nobody
harmed raise no more alarms than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.harm import FEWEST_UNITS, Values, errors, harm, hidden, resolved, values
from tasks.metrics import Metric
from tasks.records import Interval
from tasks.resampling import Resampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLICE_ALPHA = 0.05


def holm(p_values: Sequence[float]) -> list[float]:
    """Give p-values adjusted for their number: the chance of a false alarm among all of them stays what each says.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


@dataclass(frozen=True)
class SliceTest:
    """What the resamples say of a slice: the harm and its bounds, and ``resolved``, the margin that it can resolve."""

    rows: int
    units: int
    ours: float
    theirs: float
    harm: Interval | None
    margin: float
    p_value: float
    resolved: float

    @property
    def defined(self) -> bool:
        """Whether the metric has a value on the slice."""
        return math.isfinite(self.ours) and math.isfinite(self.theirs)

    @property
    def blind(self) -> bool:
        """Whether the slice is too small to see a harm of twice the margin."""
        return not self.defined or self.units < FEWEST_UNITS or not self.resolved <= self.margin


def slice_tests(
    metric: Metric,
    asked: Sequence[tuple[NDArray[np.bool_], float]],
    columns: Sequence[Sequence[Floats]],
    resampling: Resampling,
) -> list[SliceTest]:
    """Give the tests of slices, asked for by their rows and margins, from the columns of both models on these rows."""
    flat = [each[:, None, :] for pair in columns for each in pair]
    both = values(metric, flat, resampling, [rows for rows, _ in asked for _ in range(2)])
    pairs = zip(asked, columns, both[::2], both[1::2], strict=True)
    return [_test(metric, margin, pair[1], mine, others) for (_, margin), pair, mine, others in pairs]


def _test(metric: Metric, margin: float, columns: Floats, ours: Values, theirs: Values) -> SliceTest:
    """Give the one-sided test of a harm of at most the margin: Student's, in standard errors of the resamples."""
    from scipy.special import stdtr

    sign, units = -1 if metric.greater_is_better else 1, len(theirs.left_out)
    found, _ = harm(sign, ours, theirs, hidden(metric, columns, units) / np.abs(theirs.total))
    error = errors(sign, np.array([margin]), ours, theirs)
    beyond = float(found.value[0]) - margin
    certain = units >= FEWEST_UNITS and math.isfinite(beyond)
    score = beyond / float(error[0]) if certain and error[0] else math.copysign(math.inf, beyond)
    low, high = found.bounds(SLICE_ALPHA)
    return SliceTest(
        rows=len(columns),
        units=units,
        ours=float(ours.total[0]),
        theirs=float(theirs.total[0]),
        harm=_finite(float(found.value[0]), float(low[0]), float(high[0])),
        margin=margin,
        p_value=float(stdtr(units - 1, -score)) if certain else 1.0,
        resolved=float(resolved(found, error, SLICE_ALPHA)[0]),
    )


def _finite(value: float, low: float, high: float) -> Interval | None:
    return Interval(value=value, low=low, high=high) if math.isfinite(value) else None

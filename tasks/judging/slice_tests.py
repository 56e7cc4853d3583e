"""Tests of slices: whether there is evidence that a challenger harms some of the rows by more than their margin.

The statistic of a slice is its harm less its margin, on the scale of `harm`, in standard errors; it is compared with
Student's distribution. The p-values of all slices are adjusted together (Holm, 1979), so that twenty slices that nobody
harmed raise no more alarms than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.judging.bounds import Estimate
from tasks.judging.harm import FEWEST_UNITS, Asked, resolved, scaled, unscaled
from tasks.metrics import Metric
from tasks.records import Interval

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


def slice_test(metric: Metric, asked: Asked, found: Estimate, margin: float) -> SliceTest:
    """Give the test of a slice for a harm of more than the margin, from the estimate of what was asked."""
    from scipy.special import stdtr

    ours, theirs = (float(value[0]) for value in asked.values(metric))
    value, error = float(found.value[0]), float(found.error[0])
    beyond = value - float(scaled(metric, margin))
    told = found.units >= FEWEST_UNITS and math.isfinite(beyond)
    score = beyond / error if error else math.copysign(math.inf, beyond)
    return SliceTest(
        rows=len(asked.columns[0]),
        units=found.units,
        ours=ours,
        theirs=theirs,
        harm=_interval(metric, found) if math.isfinite(value) else None,
        margin=margin,
        p_value=float(stdtr(found.units - 1, -score)) if told else 1.0,
        resolved=float(resolved(metric, found, SLICE_ALPHA)[0]),
    )


def _interval(metric: Metric, found: Estimate) -> Interval:
    value, low, high = (float(unscaled(metric, each)[0]) for each in (found.value, *found.bounds(SLICE_ALPHA)))
    return Interval(value=value, low=low, high=high)

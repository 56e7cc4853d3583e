"""Harm: how much worse a challenger is than another model, in every resample, and what that makes of it.

*Harm* is what the metric loses as a share of the other model's value: (ours - theirs) / |theirs|, with the sign that
makes worse positive. It is estimated on a scale where it varies evenly: where smaller is better as the logarithm of
ours / theirs, as a tenth more of an error is as much as a tenth more of any other. Bounds are the same statements on
both scales. A harm stays below `LARGEST`, and no difference is no harm, so nothing hangs on a division by zero.

Everything is for many pairs of models at once, which is what lets the benchmark judge thousands of them by these very
functions; the gate has one pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.bounds import Estimate, estimated, influence
from tasks.gate import SMALLEST_MARGIN
from tasks.metrics import Metric
from tasks.resampling import Resampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LARGEST = 1000.0
FEWEST_UNITS = 10
POWER = 0.8
LOPSIDED = 0.3
LARGEST_MARGIN = 0.5
"""A margin that is not declared is never more than a half: where that is not resolved, nobody can tell."""


def scaled(metric: Metric, harm: Floats | float) -> Floats:
    """Give a harm on the scale that it is estimated on."""
    within = np.clip(np.asarray(harm, dtype="float64"), -LARGEST, LARGEST)
    return within if metric.greater_is_better else np.log1p(within.clip(min=1 / (1 + LARGEST) - 1))


def unscaled(metric: Metric, figure: Floats) -> Floats:
    """Give the harm of a figure on the scale that it is estimated on."""
    within = figure if metric.greater_is_better else np.expm1(np.minimum(figure, math.log1p(LARGEST)))
    return within.clip(-LARGEST, LARGEST)


def harm(metric: Metric) -> Callable[[Sequence[Floats]], Floats]:
    """Give the function from values of ours and theirs to their harm, scaled; NaN where one of them has no value."""

    def of(values: Sequence[Floats]) -> Floats:
        ours, theirs = values
        with np.errstate(divide="ignore", invalid="ignore"):
            if metric.greater_is_better:
                found = ((theirs - ours) / np.abs(theirs)).clip(-LARGEST, LARGEST)
            else:
                found = np.log(ours / theirs).clip(-math.log1p(LARGEST), math.log1p(LARGEST))
        found[ours == theirs] = 0.0
        return found

    return of


@dataclass(frozen=True)
class Asked:
    """What is to be estimated: a figure of the metrics of one or more models.

    Attributes
    ----------
    columns : arrays of shape (rows, pairs, columns)
        The metric's columns of each model.
    figure : function
        Gives the figure of the models' values, each of shape (..., pairs).
    hidden : array of shape (pairs,)
        See `Estimate`.
    rows : array of shape (all rows,), optional
        The mask of the rows that the columns are of.
    """

    columns: Sequence[Floats]
    figure: Callable[[Sequence[Floats]], Floats]
    hidden: Floats
    rows: NDArray[np.bool_] | None = None

    def values(self, metric: Metric) -> list[Floats]:
        """Give the metric of each model, arrays of shape (pairs,)."""
        return [metric.value_of(columns.sum(axis=0)) for columns in self.columns]


def estimates(metric: Metric, asked: Sequence[Asked], resampling: Resampling) -> list[Estimate]:
    """Give the estimates of figures, all in the same resamples."""
    parts = [_Part.of(metric, each, resampling) for each in asked]
    ends = np.cumsum([part.by_unit.shape[1] for part in parts])[:-1]
    sums = np.split(resampling.unit_sums(np.hstack([part.by_unit for part in parts])), ends, axis=1)
    return [part.estimate(metric, each) for part, each in zip(parts, sums, strict=True)]


@dataclass(frozen=True)
class _Part:
    """A figure that is asked for, how much each unit moves it, and all that is to be summed over units for it."""

    asked: Asked
    value: Floats
    moved: Floats
    by_unit: Floats

    @classmethod
    def of(cls, metric: Metric, asked: Asked, resampling: Resampling) -> _Part:
        drawn, value = resampling.units_of(asked.rows), asked.figure(asked.values(metric))
        by_unit = [resampling.by_unit(_flat(each), asked.rows) for each in asked.columns]
        left_out = [
            metric.value_of(columns.sum(axis=0) - sums[drawn].reshape(drawn.sum(), *columns.shape[1:]))
            for columns, sums in zip(asked.columns, by_unit, strict=True)
        ]
        moved = influence(value, asked.figure(left_out))
        squares = np.zeros((len(drawn), len(value)))
        squares[drawn] = moved**2
        return cls(asked, value, moved, np.hstack([*by_unit, squares]))

    def estimate(self, metric: Metric, sums: Floats) -> Estimate:
        *models, squares = np.split(sums, np.cumsum([math.prod(c.shape[1:]) for c in self.asked.columns]), axis=1)
        shaped = zip(models, self.asked.columns, strict=True)
        values = [metric.value_of(each.reshape(len(sums), *columns.shape[1:])) for each, columns in shaped]
        return estimated(self.value, self.moved, self.asked.figure(values), squares, self.asked.hidden)


def _flat(columns: Floats) -> Floats:
    return columns.reshape(len(columns), math.prod(columns.shape[1:]))


@dataclass(frozen=True)
class Standings:
    """How challengers stand against other models: arrays of shape (pairs,), see `tasks.records.Comparison`."""

    low: Floats
    high: Floats
    margin: Floats
    resolvable: Floats
    standing: NDArray[np.str_]


def standings(metric: Metric, found: Estimate, alpha: float, margin: float | None) -> Standings:
    """Give how challengers stand, by the estimate of their harm."""
    low, high = (unscaled(metric, bound) for bound in found.bounds(alpha))
    resolvable = np.maximum(SMALLEST_MARGIN, resolved(metric, found, alpha))
    allowed = resolvable.clip(max=LARGEST_MARGIN) if margin is None else np.full(resolvable.shape, margin)
    by_luck = lopsided(metric, found) & (allowed > SMALLEST_MARGIN) & (margin is None)
    told = [high < 0, low > 0, (high <= allowed) & ~by_luck]
    standing = np.select(told, ["better", "worse", "equivalent"], default="cannot tell")
    standing[np.isnan(found.value) | (found.units < FEWEST_UNITS)] = "cannot tell"
    return Standings(low, high, allowed, resolvable, standing)


def lopsided(metric: Metric, found: Estimate) -> NDArray[np.bool_]:
    """Tell of which pairs the smallest margin cannot be told: a few rows make the other model look bad.

    They make the standard error large as well, and so the margin that goes by it: the worse the luck of the other
    model, the more would be allowed. Simulated (`benchmarks/gate.py`), a skewness of -0.4 promotes 6.5 % for 5 %. Hits
    and misses have no such tails.
    """
    return (found.skewness < -LOPSIDED) & (not metric.counts)


def resolved(metric: Metric, found: Estimate, alpha: float) -> Floats:
    """Give the margin that equal models are told to be within in 80 % of cases.

    It is z(1 - alpha) + z(0.8) standard errors of equal models away, or further where the bootstrap-t reaches further.
    """
    from scipy.special import ndtri

    reach = np.maximum(ndtri(1 - alpha), found.reach(alpha)[1])
    return unscaled(metric, np.maximum((reach + ndtri(POWER)) * found.error, -math.log(alpha) * found.hidden))


def one_unit(metric: Metric, columns: Floats, units: int) -> float:
    """Give how far the misses of one of so many units would move a metric of hits and misses; 0 of other metrics."""
    return float(metric.one_miss(columns.sum(axis=0))) * len(columns) / max(units, 1) if metric.one_miss else 0.0


def pair(metric: Metric, columns: Sequence[Floats], units: int, rows: NDArray[np.bool_] | None = None) -> Asked:
    """Give the question for the harm of a challenger by the metric's columns of ours and theirs: (rows, columns)."""
    theirs = np.abs(metric.value_of(columns[1].sum(axis=0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.nan_to_num(one_unit(metric, columns[1], units) / np.atleast_1d(theirs), posinf=LARGEST)
    return Asked([each[:, None, :] for each in columns], harm(metric), unit, rows)


def rows_needed(metric: Metric, rows: int, resolvable: float, margin: float) -> int:
    """Give how many rows would resolve a margin, where these resolve another one."""
    ratio = float(scaled(metric, resolvable)) / max(float(scaled(metric, margin)), 1e-6)
    return math.ceil(min(rows * ratio**2, 1e12))

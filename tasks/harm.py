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
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.bounds import Estimate
from tasks.gate import SMALLEST_MARGIN
from tasks.metrics import Metric

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
    within = (high <= allowed) & ~(lopsided(metric, found) & (allowed > SMALLEST_MARGIN) & (margin is None))
    standing = np.select([high < 0, low > 0, within], ["better", "worse", "equivalent"], default="cannot tell")
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

"""Bounds: how far a figure may be from what the test rows say, each bound crossed by chance with probability alpha.

A bound is the wider of two. The *percentile* of the resamples (Efron and Tibshirani, 1993), moved outwards for few
units as Hesterberg (2015, "What teachers should know about the bootstrap") has it, follows whatever curvature a metric
has. The *bootstrap-t* (Hall, 1988) counts in standard errors of each resample, which corrects for skewness: a few rows
with large losses that these test rows lack by chance would make both the metric and its error larger. In simulations
(`benchmarks/gate.py`) the percentiles alone promoted what is worse in up to 11 % of cases at a nominal 5 % where the
challenger's losses are skewed, the bootstrap-t alone where the champion's are, BCa in either; the wider of the two kept
to it.

What no row has shown yet is bounded too. A metric of hits and misses may hide -ln(alpha) misses more, the rule of three
(Hanley and Lippman-Hand, 1983); and no bound is further away, in standard errors, than where a single row made all the
difference: then it is that of one event in a Poisson process (Garwood, 1936).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure of one or many pairs of models, with what it comes out as in resamples.

    Attributes
    ----------
    value, error : arrays of shape (pairs,)
        The figure and its standard error, by the jackknife over units.
    skewness : array of shape (pairs,)
        That of the figure, by how much single units move it: below 0 where a few make it small.
    resampled : array of shape (resamples, pairs)
        The figure in each resample, sorted; NaN, of resamples where it has no value, comes last.
    studentised : array of shape (resamples, pairs)
        How far it is from ``value`` in standard errors of that resample, sorted as well.
    hidden : array of shape (pairs,)
        How far the misses of one more unit would move the figure, of metrics of hits and misses; else 0.
    units : int
        How many units there are.
    """

    value: Floats
    error: Floats
    skewness: Floats
    resampled: Floats
    studentised: Floats
    hidden: Floats
    units: int

    def bounds(self, alpha: float) -> tuple[Floats, Floats]:
        """Give the lower and the upper bound, arrays of shape (pairs,), each crossed with probability alpha."""
        outwards, event = self._level(alpha), -math.log(alpha) * self.hidden
        low = np.minimum(_quantile(self.resampled, outwards), self.value - event)
        high = np.maximum(_quantile(self.resampled, 1 - outwards), self.value + event)
        down, up = self.reach(alpha)
        return np.minimum(low, self.value - down * self.error), np.maximum(high, self.value + up * self.error)

    def only(self, pair: int) -> Estimate:
        """Give the estimate of one of the pairs."""
        some = slice(pair, pair + 1)
        return replace(
            self,
            value=self.value[some],
            error=self.error[some],
            skewness=self.skewness[some],
            resampled=self.resampled[:, some],
            studentised=self.studentised[:, some],
            hidden=self.hidden[some],
        )

    def reach(self, alpha: float) -> tuple[Floats, Floats]:
        """Give how many standard errors the bootstrap-t lies below and above the value, arrays of shape (pairs,)."""
        from scipy.special import chdtri

        furthest = float(chdtri(4, alpha)) / 2 - 1
        quantiles = (_quantile(self.studentised, 1 - alpha), -_quantile(self.studentised, alpha))
        down, up = (np.where(np.isnan(each), furthest, each).clip(-furthest, furthest) for each in quantiles)
        return down, up

    def _level(self, alpha: float) -> float:
        """Give the share of resamples that stands for alpha with so many units."""
        from scipy.special import ndtr, stdtrit

        units = max(self.units, 2)
        return float(ndtr(math.sqrt(units / (units - 1)) * stdtrit(units - 1, alpha)))


def _quantile(ordered: Floats, level: float) -> Floats:
    """Give a quantile of each column of sorted values, of shape (resamples, pairs), that are not NaN."""
    valid = np.full(ordered.shape[1], len(ordered))
    if np.isnan(ordered[-1]).any():
        valid -= np.isnan(ordered).sum(axis=0)
    place = np.floor(level * valid).clip(0, np.maximum(valid - 1, 0)).astype("int64")
    return np.take_along_axis(ordered, place[None, :], axis=0)[0]


def influence(value: Floats, left_out: Floats) -> Floats:
    """Give how much each unit moves a figure, from its value, (pairs,), and those without each: (units, pairs)."""
    moved = np.nan_to_num(value - left_out)
    return moved - moved.sum(axis=0) / max(len(moved), 1)


def estimated(value: Floats, moved: Floats, resampled: Floats, squares: Floats, hidden: Floats) -> Estimate:
    """Give the estimate of a figure.

    Parameters
    ----------
    value : array of shape (pairs,)
    moved : array of shape (units, pairs)
        Its `influence`.
    resampled, squares : arrays of shape (resamples, pairs)
        The figure, and the sum of the squares of ``moved``, in each resample.
    hidden : array of shape (pairs,)
        See `Estimate`.
    """
    units = max(len(moved), 2)
    shrunk = 1 - 1 / units
    variance = (moved**2).sum(axis=0)
    skewness = np.divide((moved**3).sum(axis=0), variance**1.5, out=np.zeros_like(variance), where=variance > 0)
    error = np.sqrt(shrunk * variance)
    apart = resampled - value
    spread = shrunk * squares
    spread -= apart**2 / (units - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = apart / np.sqrt(np.maximum(spread, 0.0, out=spread), out=spread)
    studentised[apart == 0] = 0.0
    return Estimate(value, error, skewness, _sorted(resampled), _sorted(studentised), hidden, len(moved))


def _sorted(values: Floats) -> Floats:
    """Give each column sorted, NaN last; each is in one piece of memory, which is several times faster."""
    columns = np.ascontiguousarray(values.T)
    columns.sort(axis=1)
    return columns.T

"""Bounds: how far a figure may be from what test rows say, each bound crossed by chance with probability alpha.

Those of the bias-corrected and accelerated bootstrap (BCa; Efron, 1987), whose correction for skewness the plain
percentiles lack, with the percentiles of small samples moved outwards as Hesterberg (2015, "What teachers should know
about the bootstrap") has them. A bound of hits and misses is at least as far away as what may hide behind an event
that has not happened yet: -ln(alpha) misses, the rule of three (Hanley and Lippman-Hand, 1983).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
    value : array of shape (pairs,)
    resampled : array of shape (resamples, pairs)
        Sorted; what has no value comes last, as NaN.
    bias, acceleration : arrays of shape (pairs,)
        The corrections of Efron (1987): the normal quantile of the share of resamples below the value, and a sixth of
        the skewness of what single units contribute.
    hidden : array of shape (pairs,)
        How far one more miss, among the rows of a unit, would move the figure, for metrics of hits and misses; else 0.
    units : int
        How many units were drawn.
    """

    value: Floats
    resampled: Floats
    bias: Floats
    acceleration: Floats
    hidden: Floats
    units: int

    def bounds(self, alpha: float) -> tuple[Floats, Floats]:
        """Give the lower and the upper bound, arrays of shape (pairs,), each crossed with probability alpha."""
        reach = self._reach(alpha)
        event = -math.log(alpha) * self.hidden
        low = np.minimum(self._quantile(-reach), self.value - event)
        return low, np.maximum(self._quantile(reach), self.value + event)

    def _reach(self, alpha: float) -> float:
        from scipy.special import stdtrit

        units = max(self.units, 2)
        return -math.sqrt(units / (units - 1)) * float(stdtrit(units - 1, alpha))

    def _quantile(self, reach: float) -> Floats:
        from scipy.special import ndtr

        moved = self.bias + reach
        level = ndtr(self.bias + moved / (1 - self.acceleration * moved).clip(min=1e-6))
        valid = (~np.isnan(self.resampled)).sum(axis=0)
        place = (level * valid - 0.5).round().clip(0, np.maximum(valid - 1, 0)).astype("int64")
        return np.take_along_axis(self.resampled, place[None, :], axis=0)[0]


def estimated(value: Floats, resampled: Floats, left_out: Floats, hidden: Floats) -> Estimate:
    """Give the estimate of a figure from its values, in resamples, and with each unit left out once.

    Shapes (pairs,), (resamples, pairs) and (units, pairs); ``hidden`` is as in `Estimate`.
    """
    from scipy.special import ndtri

    valid = (~np.isnan(resampled)).sum(axis=0).clip(min=1)
    below = ((resampled < value).sum(axis=0) + 0.5 * (resampled == value).sum(axis=0)) / valid
    pulls = np.nan_to_num(value - left_out)
    pulls -= pulls.sum(axis=0) / max(len(pulls), 1)
    cubes, squares = (pulls**3).sum(axis=0), (pulls**2).sum(axis=0)
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    bias = ndtri(below.clip(0.5 / len(resampled), 1 - 0.5 / len(resampled)))
    return Estimate(value, np.sort(resampled, axis=0), bias, acceleration, hidden, len(left_out))

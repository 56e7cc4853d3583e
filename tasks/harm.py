"""Harm: how much worse a challenger is than another model, in every resample, and what that makes of it.

*Harm* is what the metric loses as a share of the other model's value: (ours - theirs) / |theirs|, with the sign that
makes worse positive. Where the other model's value is 0 a harm is without bounds, told as `LARGEST`, and no difference
is no harm; so "the harm is at most a margin" says the same as "ours - theirs is at most margin x |theirs|" in every
resample and for every bound, and nothing hangs on a division by zero.

Everything is for many pairs of models at once, which is what lets the benchmark judge thousands of them by these very
functions; the gate has one pair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.bounds import Estimate, estimated
from tasks.gate import SMALLEST_MARGIN
from tasks.metrics import Metric
from tasks.resampling import Resampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LARGEST = 1000.0
FEWEST_UNITS = 10
POWER = 0.8


@dataclass(frozen=True)
class Values:
    """A metric of all rows, shape (pairs,), in resamples, and with each unit left out once: shape (..., pairs)."""

    total: Floats
    resampled: Floats
    left_out: Floats


def values(
    metric: Metric, models: Sequence[Floats], resampling: Resampling, rows: Sequence[NDArray[np.bool_]] | None = None
) -> list[Values]:
    """Give the metric of models, all in the same resamples, from columns of shape (rows, pairs, columns of each).

    With ``rows`` each has columns for some of the rows only, those of a mask of shape (rows,).
    """
    whose = [None] * len(models) if rows is None else rows
    flat = [each.reshape(len(each), math.prod(each.shape[1:])) for each in models]
    by_unit = [resampling.by_unit(each, of) for each, of in zip(flat, whose, strict=True)]
    ends = np.cumsum([each.shape[1] for each in by_unit])[:-1]
    sums = np.split(resampling.unit_sums(np.hstack(by_unit)), ends, axis=1)
    drawn = [resampling.units_of(of) for of in whose]
    parts = zip(models, sums, by_unit, drawn, strict=True)
    return [_values(metric, each.sum(axis=0), sampled, units[of]) for each, sampled, units, of in parts]


def _values(metric: Metric, total: Floats, sums: Floats, by_unit: Floats) -> Values:
    sampled, left_out = sums.reshape(len(sums), *total.shape), total - by_unit.reshape(len(by_unit), *total.shape)
    return Values(metric.value_of(total), metric.value_of(sampled), metric.value_of(left_out))


def relative_harm(sign: int, ours: Floats, theirs: Floats) -> Floats:
    """Give the harm of each pair of values; NaN where one of them has none. The sign is -1 where greater is better."""
    loss = sign * (ours - theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(loss == 0, 0.0, loss / np.abs(theirs)).clip(-LARGEST, LARGEST)


def harm(sign: int, ours: Values, theirs: Values, hidden: Floats) -> tuple[Estimate, Floats]:
    """Give the estimate of the harm of pairs of models and its standard error, by the delta method.

    ``hidden`` is how much one more miss would harm, shape (pairs,): see `Estimate`.
    """
    value = relative_harm(sign, ours.total, theirs.total)
    sampled = relative_harm(sign, ours.resampled, theirs.resampled)
    found = estimated(value, sampled, relative_harm(sign, ours.left_out, theirs.left_out), hidden)
    return found, errors(sign, value, ours, theirs)


def errors(sign: int, at: Floats, ours: Values, theirs: Values) -> Floats:
    """Give the standard deviation over resamples of ours - theirs - at x |theirs|, as a share of |theirs|."""
    apart = sign * (ours.resampled - theirs.resampled) - at * np.abs(theirs.resampled)
    spread = np.ma.masked_invalid(apart).std(axis=0).filled(np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread == 0, 0.0, spread / np.abs(theirs.total)).clip(max=LARGEST)


@dataclass(frozen=True)
class Standings:
    """How challengers stand against other models: arrays of shape (pairs,), see `tasks.records.Comparison`."""

    low: Floats
    high: Floats
    margin: Floats
    resolvable: Floats
    standing: NDArray[np.str_]


def standings(found: Estimate, standard_error: Floats, alpha: float, margin: float | None) -> Standings:
    """Give how challengers stand by the estimate of their harm and its standard error, shape (pairs,)."""
    low, high = found.bounds(alpha)
    resolvable = np.maximum(SMALLEST_MARGIN, resolved(found, standard_error, alpha))
    allowed = resolvable if margin is None else np.full(resolvable.shape, margin)
    standing = np.select([high < 0, low > 0, high <= allowed], ["better", "worse", "equivalent"], default="cannot tell")
    standing[np.isnan(found.value) | (found.units < FEWEST_UNITS)] = "cannot tell"
    return Standings(low, high, allowed, resolvable, standing)


def resolved(found: Estimate, standard_error: Floats, alpha: float) -> Floats:
    """Give the margin that equal models are told to be within in 80 % of cases."""
    from scipy.special import ndtri

    return np.maximum((ndtri(1 - alpha) + ndtri(POWER)) * standard_error, -math.log(alpha) * found.hidden)


def hidden(metric: Metric, columns: Floats, units: int) -> Floats:
    """Give how much the misses of one unit with its usual rows would change a metric of hits and misses: shape (1,)."""
    miss = metric.one_miss(columns.sum(axis=0)) if metric.one_miss else np.zeros(())
    return np.atleast_1d(miss * len(columns) / max(units, 1))


def rows_needed(rows: int, resolved: float, margin: float) -> int:
    """Give how many rows would resolve a margin, where these resolve another one."""
    return math.ceil(min(rows * (resolved / max(margin, 1e-6)) ** 2, 1e12))

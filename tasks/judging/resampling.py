"""Resampling: the sums of columns over rows, as they might have come out with other test rows of the same kind.

The bootstrap (Efron and Tibshirani, 1993) of whatever is independent: rows that belong together are drawn together (the
cluster bootstrap; Field and Welsh, 2007), and rows in time in blocks of consecutive moments. What is drawn are exact
multinomial counts of the units, a batch at a time, and all columns of all models and slices are summed with the same
counts by one product of matrices: so differences are paired. Batches have seeds of their own, spawned from one, so the
result does not depend on how many cores there are.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.cores import CORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 10_000
MOST_UNITS = 20_000
_BATCHES = 40
_DRAWN_AT_ONCE = 60_000  # what a core's own cache holds


class Resampling:
    """The resamples of test rows.

    Parameters
    ----------
    unit : array of shape (rows,)
        The number of the unit that each row is drawn with; with blocks the rank of its time.
    seed : int
        The same seed gives the same resamples.
    blocks : bool
        Whether units follow each other in time, so that blocks of them are drawn.
    series : array of shape (rows,), optional
        What is compared, such as the difference of two models' losses: how long it remembers itself, see
        `block_length`, is how long blocks are.

    Attributes
    ----------
    units : int
        How many units are drawn, with replacement, in each resample. More than `MOST_UNITS` are pooled at random, which
        widens no interval and bounds the cost.
    """

    def __init__(self, unit: NDArray[Any], seed: int, blocks: bool = False, series: NDArray[Any] | None = None) -> None:
        ranks = np.unique(unit, return_inverse=True)[1]
        if blocks and len(ranks):
            ranks = ranks // _length(ranks, series)
        self.seed = seed
        self._unit = _pooled(ranks, seed)
        self.units = int(self._unit.max()) + 1 if len(ranks) else 0

    def by_unit(self, columns: Floats, rows: NDArray[np.bool_] | None = None) -> Floats:
        """Give the sums of columns of shape (rows, columns) over the rows of each unit: shape (units, columns).

        With ``rows``, a mask, they are the columns of these rows only.
        """
        from scipy.sparse import csr_array

        unit = self._unit if rows is None else self._unit[rows]
        members = csr_array((np.ones(len(unit)), (unit, np.arange(len(unit)))), shape=(self.units, len(unit)))
        return members @ columns

    def units_of(self, rows: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Tell of each unit whether it has any of these rows, a mask of shape (rows,): shape (units,)."""
        has = np.zeros(self.units, dtype="bool")
        has[self._unit if rows is None else self._unit[rows]] = True
        return has

    def sums(self, columns: Floats) -> Floats:
        """Give the sums of columns of shape (rows, columns) in each resample: shape (`RESAMPLES`, columns)."""
        return self.unit_sums(self.by_unit(columns))

    def unit_sums(self, by_unit: Floats) -> Floats:
        """Give the sums in each resample of what `by_unit` gave: shape (`RESAMPLES`, columns)."""
        found = np.empty((RESAMPLES, by_unit.shape[1]))
        with _one_thread_each() as threads:
            list(threads.map(_sum, np.split(found, _BATCHES), self._counts, [np.ascontiguousarray(by_unit)] * _BATCHES))
        return found

    @cached_property
    def _counts(self) -> list[NDArray[np.uint8]]:
        """How often each unit is drawn, in batches of shape (resamples, units); no unit is drawn 256 times."""
        seeds = np.random.SeedSequence(self.seed).spawn(_BATCHES)
        with _one_thread_each() as threads:
            return list(threads.map(_drawn, seeds, [self.units] * _BATCHES))


@contextmanager
def _one_thread_each() -> Generator[ThreadPoolExecutor]:
    """Give a thread for each core, in which products of matrices keep to that core."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(CORES) as threads:
        yield threads


def _drawn(seed: np.random.SeedSequence, units: int) -> NDArray[np.uint8]:
    random, counts = np.random.default_rng(seed), np.empty((RESAMPLES // _BATCHES, units), dtype="uint8")
    at_once = max(1, _DRAWN_AT_ONCE // max(units, 1))
    for start in range(0, len(counts), at_once):
        rows = counts[start : start + at_once]
        drawn = random.integers(units, size=rows.shape) + units * np.arange(len(rows))[:, None]
        rows[:] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(rows.shape)
    return counts


def _sum(found: Floats, counts: NDArray[np.uint8], by_unit: Floats) -> None:
    """Sum the units as often as they are drawn, for as many resamples as there are rows to fill."""
    of_columns = min(64, by_unit.shape[1] // 4)  # of many columns, so that each is read from memory less often
    at_once = min(len(found), max(1, _DRAWN_AT_ONCE // max(len(by_unit), 1), of_columns))
    for start in range(0, len(found), at_once):
        rows = slice(start, start + at_once)
        np.matmul(counts[rows].astype("float64"), by_unit, out=found[rows])


def _pooled(ranks: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Give the number of each row's unit, after putting units together at random where there are too many."""
    units = int(ranks.max()) + 1 if len(ranks) else 0
    if units <= MOST_UNITS:
        return ranks
    return np.random.default_rng(seed).permutation(units)[ranks] % MOST_UNITS


def _length(ranks: NDArray[np.int64], series: NDArray[Any] | None) -> int:
    """Give how many moments a block has; of a moment with several rows their mean counts."""
    moments = int(ranks.max()) + 1
    if series is None:
        return math.ceil(moments ** (1 / 3))
    return block_length(np.bincount(ranks, weights=series) / np.bincount(ranks))


def block_length(series: Floats) -> int:
    """Give the length of blocks to resample a series of shape (moments,) in: at least its cube root.

    The automatic rule of Politis and White (2004), corrected by Patton, Politis and White (2009), for blocks of fixed
    length: as far as autocorrelations can be told from 0, flat-top weights (Politis and Romano, 1995) tell how much of
    the variance of the mean blocks would miss.
    """
    moments = len(series)
    shortest, longest = math.ceil(moments ** (1 / 3)), math.ceil(min(3 * math.sqrt(moments), moments / 3))
    covariances = _autocovariances(series)
    if moments < 10 or covariances[0] <= 0:
        return shortest
    within = max(5, math.ceil(math.log10(moments)))
    most = min(moments - 1, math.ceil(math.sqrt(moments)) + within)
    band = 2 * math.sqrt(math.log10(moments) / moments)
    small = np.abs(covariances[1 : most + 1] / covariances[0]) < band
    runs = (m for m in range(len(small)) if small[m : m + within].all())
    last = next(runs, most)  # after this lag nothing can be told from 0
    lags = np.arange(1, min(2 * max(last, 1), moments - 1) + 1)
    weights = np.clip(2 * (1 - lags / lags[-1]), 0.0, 1.0) * covariances[lags]
    spectrum, curvature = covariances[0] + 2 * weights.sum(), 2 * (weights * lags).sum()
    if spectrum <= 0:
        return max(shortest, longest)
    optimal = (2 * curvature**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * moments ** (1 / 3)
    return max(shortest, min(math.ceil(optimal), longest))


def _autocovariances(series: Floats) -> Floats:
    """Give the autocovariances of a series at lags 0, 1, ...: shape (moments,)."""
    from scipy.signal import fftconvolve

    centred = series - series.mean()
    return fftconvolve(centred, centred[::-1])[len(series) - 1 :] / len(series)

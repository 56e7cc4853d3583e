"""What a network has to know of its training rows before it is built: their moments, values and quantiles.

One pass over the rows, block by block. Nothing of the rows that are held out for early stopping is learnt here but the
classes, without which a network could not be built.
"""

from __future__ import annotations

import hashlib
import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.networking.rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
SAMPLE = 100_000
NO_ROWS = np.empty((0, 0), dtype="float32")


@dataclass
class Moments:
    """Mean, deviation and range of columns of numbers, which may be NaN; blocks are added one after the other.

    Notes
    -----
    Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (1979).
    """

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    missing: NDArray[np.bool_]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Moments:
        """Give those of the columns of a block, shape (rows, columns)."""
        values = np.asarray(values, dtype="float64")
        there = ~np.isnan(values)
        count = there.sum(axis=0).astype("float64")
        mean = np.where(there, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(there, values - mean, 0.0) ** 2).sum(axis=0)
        least = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
        most = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
        return cls(count, mean, squares, least, most, np.asarray((~there).any(axis=0)))

    def __add__(self, other: Moments) -> Moments:
        """Give those of both blocks together."""
        count = self.count + other.count
        apart, share = other.mean - self.mean, other.count / np.maximum(count, 1)
        squares = self.squares + other.squares + apart**2 * self.count * share
        least, most = np.minimum(self.least, other.least), np.maximum(self.most, other.most)
        return Moments(count, self.mean + apart * share, squares, least, most, self.missing | other.missing)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation of each column; 1 where all values are equal."""
        found = np.sqrt(self.squares / np.maximum(self.count, 1))
        return np.where(found > 1e-6 * np.maximum(np.abs(self.mean), 1e-6), found, 1.0)


@dataclass
class Facts:
    """What is known of training rows.

    Attributes
    ----------
    numbers, target : Moments
        Of the numeric columns, and of the target where it is a number; else of no column.
    sample : array of shape (rows, numeric columns)
        Of at most `SAMPLE` rows, for quantiles.
    values : list of Counter
        How often each value of each categorical column occurs.
    classes : array
        Of all rows, sorted; empty where the target is a number.
    digest : str
        Of all rows in their order: two fits with equal digests learn from the same.
    """

    numbers: Moments
    target: Moments
    sample: NDArray[np.float32]
    values: list[Counter[str]]
    classes: NDArray[Any]
    digest: str


def facts_of(
    rows: Rows,
    held_out: NDArray[np.bool_],
    arrays: Callable[[pd.DataFrame], Arrays],
    learnt: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> Facts:
    """Give the facts of the rows that are not held out.

    Parameters
    ----------
    arrays : callable
        From the features of a block to arrays: ``numeric``, ``categorical``, ``text``.
    learnt : callable, optional
        From targets to the numbers that are learnt; by default targets are classes.
    """
    digest, samples, numbers, targets = hashlib.sha256(), [NO_ROWS], list[Moments](), list[Moments]()
    step = max(1, -(-int((~held_out).sum()) // SAMPLE))
    labels, values = set[Any](), list[Counter[str]]()
    for positions, features, target in rows.blocks():
        given, kept = arrays(features), ~held_out[positions]
        _digested(digest, [*given.values(), target])
        if "numeric" in given:
            numbers.append(Moments.of(given["numeric"][kept]))
            samples.append(given["numeric"][kept][::step])
        if "categorical" in given:
            values = _counted(values, given["categorical"][kept].T)
        if learnt is None:
            labels |= set(np.unique(target).tolist())
        else:
            targets.append(Moments.of(learnt(target)[kept][:, None]))
    return Facts(
        numbers=_together(numbers),
        target=_together(targets),
        sample=np.concatenate(samples[1:] or samples),
        values=values,
        classes=np.array(sorted(labels)),
        digest=digest.hexdigest(),
    )


def _together(found: list[Moments]) -> Moments:
    return reduce(operator.add, found) if found else Moments.of(NO_ROWS)


def _counted(before: list[Counter[str]], columns: NDArray[Any]) -> list[Counter[str]]:
    counters = before or [Counter() for _ in columns]
    for counter, column in zip(counters, columns, strict=True):
        counter.update(column.tolist())
    return counters


def _digested(digest: Any, arrays: list[NDArray[Any]]) -> None:
    import pandas as pd

    for array in arrays:
        flat = array.ravel()
        values = pd.util.hash_array(flat, categorize=False) if flat.dtype == object else np.ascontiguousarray(flat)
        digest.update(values.tobytes())

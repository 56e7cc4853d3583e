"""The training rows nearest to a row: what the features made of neighbours share.

In training a row is not its own neighbour (leave-one-out), so what is made there is made as it will be in production,
where a row's own target is what nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Nearest:
    """The nearest training rows of some rows, those nearest first.

    Attributes
    ----------
    distances : array of shape (rows, count)
    rows : array of shape (rows, count)
        Positions of the training rows.
    """

    distances: NDArray[np.float64]
    rows: NDArray[np.intp]

    def first(self, count: int) -> Self:
        """Give the nearest ``count`` of each row, or all where there are fewer."""
        return type(self)(self.distances[:, :count], self.rows[:, :count])

    def mean(self, values: NDArray[np.float64], softening: float) -> NDArray[np.float64]:
        """Give the mean of the neighbours' values, by how near they are: an array of shape (rows, columns).

        Each counts by the inverse of its distance (Shepard, A two-dimensional interpolation function for
        irregularly-spaced data, 1968) plus ``softening``, without which a neighbour at the same place would be all.
        Of a row that is infinitely far from all, as numbers beyond 1e154 are, it is NaN: not known.
        """
        weights = 1 / (self.distances + softening)
        with np.errstate(invalid="ignore"):
            shares = weights / weights.sum(axis=1, keepdims=True)
        return np.einsum("ij,ijk->ik", shares, values[self.rows])


def checked_weights(weights: Sequence[float] | None, columns: int) -> NDArray[np.float64]:
    """Give how much each column counts, 1 by default.

    Raises
    ------
    ValueError
        They are not one above 0 for each column.
    """
    if weights is None:
        return np.ones(columns)
    given = np.asarray(weights, dtype="float64")
    if given.shape != (columns,) or not (given > 0).all():
        raise ValueError(f"weights = {list(weights)} must be a number above 0 for each of the {columns} columns")
    return given


def scales(numbers: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what columns are multiplied by before distances are taken: weights over standard deviations."""
    deviations = numbers.std(axis=0)
    return weights / np.where(deviations > 0, deviations, 1.0)


def index(numbers: NDArray[np.float64], count: int) -> Any:
    """Give a fitted search for the nearest of rows, shape (rows, columns); at most ``count`` of each.

    Raises
    ------
    ValueError
        There are fewer than two rows, so none has a neighbour.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(numbers) < 2:
        raise ValueError(f"neighbours need at least 2 training rows, not {len(numbers)}")
    return NearestNeighbors(n_neighbors=min(count, len(numbers) - 1)).fit(numbers)


def search(fitted: Any, numbers: NDArray[np.float64] | None = None) -> Nearest:
    """Give the nearest training rows of other rows, or of the training rows themselves, none its own neighbour."""
    distances, rows = fitted.kneighbors(numbers)
    return Nearest(distances, rows)


def softening(fitted: Any) -> float:
    """Give the median distance of training rows to the nearest, of those that are not at the same place."""
    distances = fitted.kneighbors(n_neighbors=1)[0]
    apart = distances[distances > 0]
    return float(np.median(apart)) if len(apart) else 1.0

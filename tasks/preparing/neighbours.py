"""What is known of a row's neighbours: their targets, and the means of their other columns.

Which rows are neighbours is a question of a few columns, such as where a house stands; what it costs there is best told
by the houses around it. Gradient boosting cuts a map into rectangles and needs hundreds of trees to say as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tasks.preparing.nearest import Nearest, checked_weights, index, scales, search, softening

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NeighboursTarget(TransformerMixin, BaseEstimator):
    """Gives the targets of the training rows that are nearest: means, and how much they differ.

    For each number of neighbours the mean, by how near they are, and of the most that are looked at the nearest one,
    the lowest, the highest, the standard deviation and their distance. Of classes it gives the shares.

    Training rows are not neighbours of themselves (as in scikit-learn's `TargetEncoder`, `fit_transform` is not `fit`
    and `transform`): else each would be told its own target, and the estimator would learn to trust in that alone.

    Parameters
    ----------
    neighbours : sequence of int
        Numbers of neighbours.
    weights : sequence of float, optional
        How much each column counts when distances are taken, once all are standardised; 1 by default.
    shares : bool
        Whether the target is a class, written as whole numbers. Texts and truths always are.

    Attributes
    ----------
    scales_ : array of shape (columns,)
        What columns are multiplied by before distances are taken.
    index_ : NearestNeighbors
        Of the training rows.
    softening_ : float
        The median distance to the nearest row that is not at the same place; see `Nearest.mean`.
    targets_ : array of shape (rows, 1) or (rows, classes)
        Of the training rows.
    classes_ : array of shape (classes,)
        Sorted; empty where the target is a number.

    Examples
    --------
    >>> places = np.array([[0.0], [1.0], [2.0], [10.0]])
    >>> made = NeighboursTarget(neighbours=(2,)).fit(places, [10.0, 20.0, 30.0, 90.0])
    >>> made.transform([[0.5]])[0, 0].round(1)
    np.float64(15.0)
    >>> made.get_feature_names_out().tolist()[:3]
    ['mean_2', 'nearest_target', 'lowest_2']
    """

    reads = "number"

    def __init__(
        self, neighbours: tuple[int, ...] = (3, 10, 30), weights: tuple[float, ...] | None = None, shares: bool = False
    ) -> None:
        self.neighbours = neighbours
        self.weights = weights
        self.shares = shares

    def fit(self, X: Any, y: Any) -> Self:
        """Keep rows, shape (rows, columns), and their targets, shape (rows,).

        Raises
        ------
        ValueError
            A parameter does not fit, or there are fewer than two rows.
        """
        if not self.neighbours or min(self.neighbours) < 1:
            raise ValueError(f"neighbours = {list(self.neighbours)} must be whole numbers from 1 on, at least one")
        numbers = np.asarray(X, dtype="float64")
        self.n_features_in_ = numbers.shape[1]
        self.scales_ = scales(numbers, checked_weights(self.weights, numbers.shape[1]))
        self.index_ = index(numbers * self.scales_, max(self.neighbours))
        self.softening_ = softening(self.index_)
        target = np.asarray(y)
        self.classes_ = np.unique(target) if self.shares or target.dtype.kind not in "iuf" else np.empty(0)
        known = target[:, None] == self.classes_ if len(self.classes_) else target[:, None]
        self.targets_ = known.astype("float64")
        return self

    def fit_transform(self, X: Any, y: Any = None, **_: Any) -> NDArray[np.float64]:
        """Give what is known of each training row's neighbours, itself not among them."""
        return self.fit(X, y)._described(search(self.index_))

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Give what is known of rows' neighbours, an array of shape (rows, features)."""
        check_is_fitted(self, "index_")
        return self._described(search(self.index_, np.asarray(X, dtype="float64") * self.scales_))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Give the names of what is made."""
        check_is_fitted(self, "index_")
        most = max(self.neighbours)
        if len(self.classes_):
            names = [f"share_{count}_{label}" for count in self.neighbours for label in self.classes_]
        else:
            names = [f"mean_{count}" for count in self.neighbours]
            names += ["nearest_target", f"lowest_{most}", f"highest_{most}", f"deviation_{most}"]
        return np.asarray([*names, "distance_1", f"distance_{most}"], dtype="object")

    def _described(self, near: Nearest) -> NDArray[np.float64]:
        made = [near.first(count).mean(self.targets_, self.softening_) for count in self.neighbours]
        if not len(self.classes_):
            found = self.targets_[near.rows, 0]
            made.append(np.stack([found[:, 0], found.min(axis=1), found.max(axis=1), found.std(axis=1)], axis=1))
        return np.hstack([*made, near.distances[:, [0, -1]]])


class NeighboursMean(TransformerMixin, BaseEstimator):
    """Gives the means of columns over the training rows that are nearest in others, and how much a row is above them.

    Parameters
    ----------
    near : int
        So many columns, the first ones, say which rows are near; of the others the means are taken.
    neighbours : int
        How many rows.

    Attributes
    ----------
    scales_ : array of shape (near,)
        What the first columns are multiplied by before distances are taken: the inverse of their standard deviations.
    index_ : NearestNeighbors
        Of the training rows.
    values_ : array of shape (rows, columns - near)
        The others of the training rows.

    Examples
    --------
    >>> rows = np.array([[0.0, 5.0], [1.0, 7.0], [9.0, 1.0]])
    >>> NeighboursMean(near=1, neighbours=2).fit(rows).transform([[0.4, 8.0]])
    array([[6., 2.]])
    """

    reads = "number"

    def __init__(self, near: int = 2, neighbours: int = 10) -> None:
        self.near = near
        self.neighbours = neighbours

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn passes it
        """Keep rows, shape (rows, columns).

        Raises
        ------
        ValueError
            A parameter does not fit, or there are fewer than two rows.
        """
        numbers = np.asarray(X, dtype="float64")
        if not 1 <= self.near < numbers.shape[1]:
            raise ValueError(
                f"near = {self.near} must be from 1 to {numbers.shape[1] - 1}: fewer than there are columns"
            )
        if self.neighbours < 1:
            raise ValueError(f"neighbours = {self.neighbours} must be at least 1")
        self.n_features_in_ = numbers.shape[1]
        self.scales_ = scales(numbers[:, : self.near], np.ones(self.near))
        self.index_ = index(numbers[:, : self.near] * self.scales_, self.neighbours)
        self.values_ = numbers[:, self.near :]
        return self

    def fit_transform(self, X: Any, y: Any = None, **_: Any) -> NDArray[np.float64]:  # noqa: ARG002
        """Give the means around each training row, itself not among them, and its own values less these."""
        return self.fit(X)._around(np.asarray(X, dtype="float64"), search(self.index_))

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Give the means around rows and their own values less these: shape (rows, 2 * (columns - near))."""
        check_is_fitted(self, "index_")
        numbers = np.asarray(X, dtype="float64")
        return self._around(numbers, search(self.index_, numbers[:, : self.near] * self.scales_))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Give the names of what is made, from those of the columns where these are given."""
        check_is_fitted(self, "index_")
        given = [f"x{place}" for place in range(self.n_features_in_)] if input_features is None else input_features
        names = list(given)[self.near :]
        return np.asarray([*(f"{name}_around" for name in names), *(f"{name}_above" for name in names)], dtype="object")

    def _around(self, numbers: NDArray[np.float64], near: Nearest) -> NDArray[np.float64]:
        means = self.values_[near.rows].mean(axis=1)
        return np.hstack([means, numbers[:, self.near :] - means])

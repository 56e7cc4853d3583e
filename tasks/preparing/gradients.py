"""The directions of strokes in small images: what a support vector machine cannot see in the pixels themselves.

A stroke that is moved by one pixel is another point in the space of pixels; its direction stays what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ImageGradients(TransformerMixin, BaseEstimator):
    """Gives how much grey changes in each direction, in each cell of a square image.

    A histogram of oriented gradients (Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR
    2005), with cells that overlap and directions that share each gradient by the fourth power of the cosine between
    them. An image's features have length 1 together, so neither contrast nor thickness of the pen matters.

    Parameters
    ----------
    directions : int
        How many, evenly around the circle.
    cell : int
        The side of a cell in pixels; there is one at every pixel where it fits in.

    Attributes
    ----------
    side_ : int
        Of the images, in pixels.

    Examples
    --------
    >>> edge = np.array([[0, 0, 1, 1]] * 4).reshape(1, 16)
    >>> ImageGradients(directions=4, cell=4).fit_transform(edge).round(2)  # grey grows to the right, and nowhere else
    array([[1., 0., 0., 0.]])
    """

    reads = "number"

    def __init__(self, directions: int = 8, cell: int = 3) -> None:
        self.directions = directions
        self.cell = cell

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn passes it
        """Learn the side of the images, whose pixels are the columns, row by row.

        Raises
        ------
        ValueError
            The columns make no square, or a parameter does not fit.
        """
        columns = np.shape(X)[1]
        side = round(columns**0.5)
        if side * side != columns:
            raise ValueError(f"images must be square, but there are {columns} columns; the nearest are {side * side}")
        if side < 2:
            raise ValueError("an image must have at least 2 x 2 pixels")
        if not 1 <= self.cell <= side:
            raise ValueError(f"cell = {self.cell} must be from 1 to {side}, the side of the images")
        if self.directions < 1:
            raise ValueError(f"directions = {self.directions} must be at least 1")
        self.n_features_in_ = columns
        self.side_ = side
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Give an array of shape (rows, directions * cells), each row of length 1, or 0 where nothing changes."""
        check_is_fitted(self, "side_")
        images: Any = np.asarray(X, dtype="float64").reshape(-1, self.side_, self.side_)
        down, right = (np.gradient(images, axis=axis) for axis in (1, 2))
        angles, strength = np.arctan2(down, right), np.hypot(down, right)
        turns = np.arange(self.directions) * (2 * np.pi / self.directions)
        shares = [strength * np.maximum(np.cos(angles - turn), 0) ** 4 for turn in turns]
        made = np.concatenate([self._cells(share) for share in shares], axis=1)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return made / np.where(lengths > 0, lengths, 1.0)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Give names by direction in degrees, and the row and column of the cell."""
        check_is_fitted(self, "side_")
        places = range(self.side_ - self.cell + 1)
        degrees = [360 * each // self.directions for each in range(self.directions)]
        names = [f"gradient_{degree}_{row}_{column}" for degree in degrees for row in places for column in places]
        return np.asarray(names, dtype="object")

    def _cells(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        cells = np.lib.stride_tricks.sliding_window_view(share, (self.cell, self.cell), axis=(1, 2))
        return cells.sum(axis=(3, 4)).reshape(len(share), -1)

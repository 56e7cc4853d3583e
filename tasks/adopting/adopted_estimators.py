"""What stands between the features and a model from outside that does not take a frame with these columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.metaestimators import available_if

from tasks.networks import Network, NetworkClassifier, tensorflow
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BATCH = 4096
ROLES = ("numeric", "categorical", "text")


class Unnamed(BaseEstimator):
    """A fitted estimator that was trained on a matrix, or on one column of texts, whose columns have no names.

    Parameters
    ----------
    estimator : object
        The fitted estimator.
    column : str, optional
        The one column that it takes; otherwise it takes all features in their order, as numbers.
    """

    def __init__(self, estimator: Any = None, column: str | None = None) -> None:
        self.estimator = estimator
        self.column = column

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, where the estimator has some."""
        return self.estimator.classes_

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the estimator's predictions, shape (rows,)."""
        return self.estimator.predict(self._taken(X))

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the probability of each class, of shape (rows, classes)."""
        return self.estimator.predict_proba(self._taken(X))

    def _taken(self, X: pd.DataFrame) -> Any:
        return X.to_numpy(dtype="float64") if self.column is None else X[self.column].to_numpy(dtype="object")


def columns_taken(inputs: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, list[str]]:
    """Give the features that each input of a network takes, by the input's name.

    An input is a feature of that name, or all features of the role that it is named for; a network's only input, else
    named, takes the numbers (texts, if that is what it takes).

    Raises
    ------
    ValueError
        An input is neither, or has another width than what it would take.
    """
    found: dict[str, list[str]] = {}
    for name, tensor in inputs.items():
        width = math.prod(tensor.shape[1:]) if None not in tensor.shape[1:] else None
        if name in roles:
            found[name] = [name]
        elif name in ROLES or len(inputs) == 1:
            role = name if name in ROLES else "text" if tensor.dtype == "string" else "numeric"
            found[name] = [feature for feature, given in roles.items() if given == role]
        else:
            raise ValueError(f"its input {name!r} is no column{meant(name, roles)}; the columns: {listed(roles)}")
        if width != len(found[name]):
            raise ValueError(
                f"its input {name!r} has the shape {tensor.shape}, so it does not take these columns: "
                f"{listed(found[name]) or 'none'}"
            )
    return found


class AdoptedNetwork(Network):
    """A Keras network from outside: each of its inputs is a feature, or a matrix of features; see `columns_taken`."""

    def predict_features(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the network's output for rows, of shape (rows, outputs)."""
        arrays = self.arrays(X)
        parts = [
            self.network_(
                self._packed({name: each[start : start + BATCH] for name, each in arrays.items()}), training=False
            ).numpy()
            for start in range(0, len(X), BATCH)
        ]
        return np.concatenate(parts).astype("float64").reshape(len(X), -1)

    def arrays(self, X: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """Give what each input takes of the features, by the input's name."""
        return {
            name: _values(X[columns], tensor.dtype).reshape(len(X), *tensor.shape[1:])
            for name, (tensor, columns) in self._inputs().items()
        }

    def tensors(self, tf: Any, features: dict[str, Any]) -> Any:
        """Give the features of rows, as tensors by name, in the structure that the network takes."""
        return self._packed(
            {
                name: tf.reshape(
                    tf.stack([tf.cast(features[column], tensor.dtype) for column in columns], axis=1),
                    [-1, *tensor.shape[1:]],
                )
                for name, (tensor, columns) in self._inputs().items()
            }
        )

    def _inputs(self) -> dict[str, tuple[Any, list[str]]]:
        """Give the network's inputs by name, each with the features that it takes."""
        roles = {name: role for role in ROLES for name in getattr(self, role)}
        inputs = {tensor.name: tensor for tensor in self.network_.inputs}
        return {name: (inputs[name], columns) for name, columns in columns_taken(inputs, roles).items()}

    def _packed(self, given: Mapping[str, Any]) -> Any:
        """Give inputs in the structure that the network was built with."""
        keras = tensorflow().keras
        if isinstance(self.network_, keras.Sequential):
            return given[self.network_.inputs[0].name]
        return keras.tree.map_structure(lambda tensor: given[tensor.name], self.network_.input)


def _values(columns: pd.DataFrame, dtype: str) -> NDArray[Any]:
    if dtype == "string":
        return columns.astype("object").fillna("").to_numpy(dtype="object")
    values = columns.to_numpy(dtype="float64")
    if not dtype.startswith(("float", "bfloat")) and np.isnan(values).any():
        raise ValueError(f"whole numbers are taken of {listed(columns.columns)}, but a value is missing")
    return values.astype(dtype)


@dataclass(kw_only=True, repr=False, eq=False)
class AdoptedNetworkRegressor(RegressorMixin, AdoptedNetwork):
    """A network from outside that gives a number."""

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give a number for each row."""
        return self.predict_features(X)[:, 0]

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        return {"prediction": tensorflow().reshape(output, [-1])}


@dataclass(kw_only=True, repr=False, eq=False)
class AdoptedNetworkClassifier(AdoptedNetwork, NetworkClassifier):
    """A network from outside that gives the probability of each class or, where there are two, of the second."""

    def predict_features(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the probability of each class, of shape (rows, classes)."""
        found = super().predict_features(X)
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        tf = tensorflow()
        output = tf.reshape(output, [tf.shape(output)[0], -1])
        return super().answer(tf.concat([1 - output, output], axis=1) if output.shape[1] == 1 else output)

"""Keras networks with scikit-learn's contract for tables and for images; see `tasks.networking` for how they learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import RegressorMixin

from tasks.networking.augmentation import Changes, changed
from tasks.networking.engine import tensorflow
from tasks.networking.facts import Arrays, Facts
from tasks.networking.foundations import Network, NetworkClassifier
from tasks.networking.inputs import categories, codes, crossed, looked_up, missing, pieces, standardised, vocabulary
from tasks.networking.rows import Rows
from tasks.sentences import listed

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "ConvolutionalNetworkClassifier",
    "Network",
    "NetworkClassifier",
    "WideAndDeepClassifier",
    "WideAndDeepNetwork",
    "WideAndDeepRegressor",
    "tensorflow",
]

CELL_UNITS = 32
"""As so many numbers the deep part reads the cells of two crossed features."""


@dataclass(kw_only=True, repr=False, eq=False)
class ConvolutionalNetworkClassifier(NetworkClassifier):
    """A small convolutional network for grey images whose pixels are the numeric columns, row by row.

    Parameters
    ----------
    image_shape : (int, int)
        Height and width in pixels.
    filters, units : int
        Of the first convolutions (the second pair has twice as many), and of the dense layer.
    dropout : float
        The share of the dense layer's inputs and outputs dropped in training.
    normalised : bool
        Whether each convolution is followed by batch normalisation.
    shift, rotation, zoom, bend : float
        Training images are changed by up to so many pixels, degrees, share of their size, and pixels between points;
        see `tasks.networking.augmentation`.

    Notes
    -----
    After Géron, Hands-On Machine Learning, 2nd ed., chapter 14.
    """

    image_shape: Sequence[int] = (8, 8)
    filters: int = 32
    units: int = 128
    dropout: float = 0.4
    normalised: bool = False
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    bend: float = 0.0

    def augment(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:  # noqa: D102
        changes = Changes(self.shift, self.rotation, self.zoom, self.bend)
        if not any(changes):
            return arrays
        images = np.nan_to_num(arrays["numeric"]).reshape(-1, *self.image_shape)
        return arrays | {"numeric": changed(images, changes, rng).reshape(len(images), -1)}

    def layers(self, inputs: dict[str, Any], facts: Facts) -> Any:  # noqa: D102
        keras = tensorflow().keras
        layers = keras.layers
        values = keras.ops.where(keras.ops.isnan(inputs["numeric"]), 0.0, inputs["numeric"])
        values = layers.Rescaling(1.0 / max(float(facts.numbers.most.max()), 1e-9))(values)
        values = layers.Reshape((*self.image_shape, 1))(values)
        for filters in (self.filters, 2 * self.filters):
            for _ in range(2):
                values = self._convolved(values, filters)
            values = layers.MaxPooling2D()(values)
        values = self.dropped(self.dropout)(layers.Flatten()(values))
        values = self.dropped(self.dropout)(self.dense(self.units, "relu")(values))
        return self.dense(len(self.classes_), "softmax")(values)

    def _convolved(self, values: Any, filters: int) -> Any:
        keras = tensorflow().keras
        kernel = keras.initializers.HeNormal(seed=self.seed())
        bias = not self.normalised
        values = keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer=kernel, use_bias=bias)(values)
        values = keras.layers.BatchNormalization()(values) if self.normalised else values
        return keras.layers.ReLU()(values)


class WideAndDeepNetwork(Network):
    """The wide and deep architecture: what is linear takes the short way, what is not goes through hidden layers."""

    hidden: Sequence[int]
    pieces: int
    crossed: Sequence[str]
    grid: int
    dropout: float
    normalised: bool

    def adapt(self, rows: Rows, held_out: NDArray[np.bool_], facts: Facts) -> None:  # noqa: ARG002, D102
        self._vocabularies = [vocabulary(counter) for counter in facts.values]

    def prepare(self, arrays: Arrays) -> Arrays:
        """Give the arrays with the numbers of the categories in place of these."""
        prepared = {name: array for name, array in arrays.items() if name != "categorical"}
        if "categorical" in arrays:
            prepared["codes"] = codes(arrays["categorical"], self._vocabularies)
        return prepared

    def prepared(self, inputs: dict[str, Any], facts: Facts) -> tuple[list[Any], list[Any]]:
        """Give the tensors that the wide part reads, and those that the deep part reads."""
        wide: list[Any] = []
        values: Any = None
        if "numeric" in inputs:
            values = standardised(inputs["numeric"], facts)
            wide += [values, *missing(inputs["numeric"], facts)]
            wide += [pieces(values, facts, self.pieces)] if self.pieces else []
        deep = list(wide)
        if self.crossed:
            cells = crossed(values, facts, self._crossed_places(), self.grid)
            wide.append(cells)
            deep.append(self.dense(CELL_UNITS)(cells))
        for place, known in enumerate(self._vocabularies):
            short, long = categories(inputs["codes"][:, place : place + 1], len(known), self.seed())
            wide.append(short)
            deep.append(long)
        return wide, deep

    def _crossed_places(self) -> tuple[int, int]:
        numeric = list(self.numeric)
        if len(self.crossed) != 2 or not set(self.crossed) <= set(numeric):
            raise ValueError(
                f"crossed = {list(self.crossed)} must name two numeric features; allowed: {listed(numeric) or 'none'}"
            )
        return numeric.index(self.crossed[0]), numeric.index(self.crossed[1])

    def wide_and_deep(self, inputs: dict[str, Any], facts: Facts) -> Any:
        """Give the joined tensor of the prepared inputs (wide) and the last hidden layer (deep)."""
        wide, deep = self.prepared(inputs, facts)
        values = joined(deep)
        for units in self.hidden:
            values = self.hidden_layer(values, units)
        return joined([*wide, values])

    def hidden_layer(self, values: Any, units: int) -> Any:
        """Give a hidden layer's output, normalised and with dropout as declared."""
        layers = tensorflow().keras.layers
        values = self.dense(units, initializer="HeNormal")(values)
        values = layers.ReLU()(layers.BatchNormalization()(values) if self.normalised else values)
        return self.dropped(self.dropout)(values) if self.dropout else values

    def raw_inputs(self, trained: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the inputs of the whole network but its texts, and what the trained part is given from them."""
        inputs = {name: trained.input[name] for name in ("numeric",) if name in trained.input}
        given = dict(inputs)
        if "codes" in trained.input:
            shape = (len(self._vocabularies),)
            inputs["categorical"] = tensorflow().keras.Input(shape, name="categorical", dtype="string")
            given["codes"] = looked_up(inputs["categorical"], self._vocabularies)
        return inputs, given

    def whole(self, trained: Any, facts: Facts) -> Any:
        """Give the network that takes categories themselves: looked up, then through the trained part."""
        inputs, given = self.raw_inputs(trained)
        return tensorflow().keras.Model(inputs, self.outcome(trained(given), facts))

    def outcome(self, output: Any, facts: Facts) -> Any:  # noqa: ARG002
        """Give the prediction from what the trained part gives."""
        return output


def joined(tensors: list[Any]) -> Any:
    """Give tensors side by side."""
    return tensorflow().keras.layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]


@dataclass(kw_only=True, repr=False, eq=False)
class WideAndDeepRegressor(RegressorMixin, WideAndDeepNetwork):
    """A wide and deep network for a number.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers of the deep part.
    pieces : int
        Into how many intervals each number is cut, beside being taken as it is.
    crossed : (str, str), optional
        Two numeric features that matter together, such as longitude and latitude: each cell of a grid of ``grid`` by
        ``grid`` quantiles has a weight of its own.
    dropout : float
        The share of the hidden layers' outputs dropped in training.
    normalised : bool
        Whether hidden layers are batch-normalised.
    target : str
        Whether the number itself is learnt (``plain``) or its logarithm (``log``), which needs targets above 0.

    Notes
    -----
    Cheng et al., Wide & Deep Learning for Recommender Systems (2016); Géron, 2nd ed., chapter 10.
    """

    hidden: Sequence[int] = (128, 64)
    pieces: int = 16
    crossed: Sequence[str] = ()
    grid: int = 40
    dropout: float = 0.0
    normalised: bool = False
    target: str = "plain"

    def learnt(self, target: NDArray[Any]) -> NDArray[Any]:
        """Give the numbers that are learnt.

        Raises
        ------
        ValueError
            Logarithms are, and a number is not above 0.
        """
        if self.target not in {"plain", "log"}:
            raise ValueError(f"target = {self.target!r} is not known; allowed: plain, log")
        if self.target == "plain":
            return target
        if not (least := float(np.min(target, initial=np.inf))) > 0:
            raise ValueError(f"target = 'log' needs targets above 0, but the smallest is {least:g}; use 'plain'")
        return np.log(target)

    def encode(self, target: NDArray[Any], facts: Facts) -> NDArray[Any]:  # noqa: D102
        mean, deviation = _scale(facts)
        return ((self.learnt(target) - mean) / deviation).astype("float32")[:, None]

    def loss(self) -> str:  # noqa: D102
        return "mean_squared_error"

    def layers(self, inputs: dict[str, Any], facts: Facts) -> Any:  # noqa: D102
        return self.dense(1)(self.wide_and_deep(inputs, facts))

    def outcome(self, output: Any, facts: Facts) -> Any:  # noqa: D102
        keras = tensorflow().keras
        mean, deviation = _scale(facts)
        output = keras.layers.Rescaling(scale=deviation, offset=mean)(output)
        return keras.ops.exp(output) if self.target == "log" else output

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give a number for each row."""
        return self.predict_features(X)[:, 0]

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        return {"prediction": output[:, 0]}


@dataclass(kw_only=True, repr=False, eq=False)
class WideAndDeepClassifier(WideAndDeepNetwork, NetworkClassifier):
    """A wide and deep network for classes; see `WideAndDeepRegressor`."""

    hidden: Sequence[int] = (128, 64)
    pieces: int = 16
    crossed: Sequence[str] = ()
    grid: int = 40
    dropout: float = 0.0
    normalised: bool = False

    def layers(self, inputs: dict[str, Any], facts: Facts) -> Any:  # noqa: D102
        return self.dense(len(self.classes_), "softmax")(self.wide_and_deep(inputs, facts))


def _scale(facts: Facts) -> tuple[float, float]:
    return float(facts.target.mean[0]), float(facts.target.deviation[0])

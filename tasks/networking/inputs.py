"""The first layers of networks for tables: numbers standardised and cut into pieces, categories looked up or embedded.

Categories are numbers (0 for one that is unknown) in the trained part: they are looked up once before training, and by
a layer in the whole network. A few values get one unit each; many, a learnt vector. A number is also given piece by
piece: for each interval between two quantiles, how far it has come through it. A linear layer of that is any
piecewise linear function, so the wide part is an additive model and the deep part sees where things change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.networking.engine import tensorflow
from tasks.networking.facts import Facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY_VALUES = 10
FURTHEST = 5.0


def vocabulary(counter: Counter[str]) -> list[str]:
    """Give the values of a category that are known, sorted.

    Of many values, those that occur only once are not: what they share is learnt for all values never seen.
    """
    known = sorted(counter)
    if len(known) >= MANY_VALUES:
        known = [value for value in known if counter[value] > 1] or known
    return known


def codes(values: NDArray[Any], vocabularies: Sequence[Sequence[str]]) -> NDArray[np.int32]:
    """Give the numbers of values of shape (rows, columns): from 1 in the order of the vocabulary, 0 where unknown."""
    import pandas as pd

    columns = [
        pd.Index(np.array(known, dtype="object")).get_indexer(column) + 1
        for known, column in zip(vocabularies, values.T, strict=True)
    ]
    return np.column_stack(columns).astype("int32")


def looked_up(values: Any, vocabularies: Sequence[Sequence[str]]) -> Any:
    """Give the same numbers as `codes` from a tensor of texts, by layers."""
    keras = tensorflow().keras
    columns = [
        keras.layers.StringLookup(vocabulary=list(known))(values[:, place : place + 1])
        for place, known in enumerate(vocabularies)
    ]
    return keras.ops.cast(keras.layers.Concatenate()(columns) if len(columns) > 1 else columns[0], "int32")


def standardised(values: Any, facts: Facts) -> Any:
    """Give numbers with mean 0 and deviation 1, clipped; a missing one is the mean."""
    keras, moments = tensorflow().keras, facts.numbers
    variance = moments.deviation**2
    values = keras.layers.Normalization(mean=moments.mean.astype("float32"), variance=variance.astype("float32"))(
        values
    )
    values = keras.ops.where(keras.ops.isnan(values), 0.0, values)
    return keras.ops.clip(values, -FURTHEST, FURTHEST)  # one absurd ratio must not swing the linear part


def missing(values: Any, facts: Facts) -> list[Any]:
    """Give, for the columns that lack values in training, 1 where one is missing."""
    keras, moments = tensorflow().keras, facts.numbers
    places = np.flatnonzero(moments.missing).tolist()
    return [keras.ops.cast(keras.ops.isnan(values[:, place : place + 1]), "float32") for place in places]


def pieces(values: Any, facts: Facts, count: int) -> Any:
    """Give, for each column of standardised numbers, how far it has come through each of ``count`` intervals, 0 to 1.

    The intervals are those between quantiles of the training rows; a column of few values has fewer, the rest are 0.

    Notes
    -----
    Gorishniy, Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning (2022).
    """
    keras = tensorflow().keras
    ends = [_ends(column, count) for column in _as_standardised(facts).T]
    most = max(len(each) for each in ends) - 1
    kernel, bias = np.zeros((2, len(ends), most), dtype="float32")
    for row, each in enumerate(ends):
        kernel[row, : len(each) - 1], bias[row, : len(each) - 1] = 1 / np.diff(each), -each[:-1] / np.diff(each)
    layer = keras.layers.EinsumDense("bc,cp->bcp", output_shape=kernel.shape, bias_axes="cp", trainable=False)
    reached = keras.layers.Flatten()(layer(values))
    layer.set_weights([kernel, bias])
    return keras.ops.clip(reached, 0.0, 1.0)


def crossed(values: Any, facts: Facts, places: tuple[int, int], count: int) -> Any:
    """Give two columns of standardised numbers crossed: shape (rows, cells), the four cells around a row add up to 1.

    Each column has ``count`` knots at quantiles of the training rows; a row's weight at a knot falls linearly to 0 at
    the next. So a linear layer is any surface that is bilinear between the knots: what a crossed bucket of Cheng et
    al. (2016) does in steps, such as a price level for each place on a map, goes on smoothly here.
    """
    keras = tensorflow().keras
    sides = [
        _tents(values[:, place : place + 1], _ends(_as_standardised(facts)[:, place], count - 1)) for place in places
    ]
    cells = keras.ops.expand_dims(sides[0], 2) * keras.ops.expand_dims(sides[1], 1)
    return keras.layers.Flatten()(cells)


def _tents(value: Any, knots: NDArray[np.float64]) -> Any:
    """Give the weight of a value at each knot, shape (rows, knots)."""
    keras = tensorflow().keras
    layer = keras.layers.Dense(len(knots) - 1, trainable=False)
    reached = layer(value)
    width = np.diff(knots)
    layer.set_weights([(1 / width)[None].astype("float32"), (-knots[:-1] / width).astype("float32")])
    reached = keras.ops.clip(reached, 0.0, 1.0)
    before = keras.ops.pad(reached, [[0, 0], [1, 0]], constant_values=1.0)
    return before - keras.ops.pad(reached, [[0, 0], [0, 1]])


def _as_standardised(facts: Facts) -> NDArray[np.float32]:
    moments = facts.numbers
    values = (facts.sample - moments.mean) / moments.deviation
    return np.clip(np.where(np.isnan(values), 0.0, values), -FURTHEST, FURTHEST).astype("float32")


def _ends(column: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Give the ends of the intervals of a column, rising; there are fewer where many values are equal."""
    found = np.unique(np.quantile(column, np.linspace(0, 1, count + 1)).round(4))
    return (found if len(found) > 1 else np.array([found[0], found[0] + 1.0])).astype("float64")


def categories(code: Any, known: int, seed: int) -> tuple[Any, Any]:
    """Give what the wide and what the deep part read of a category's numbers, shape (rows, 1)."""
    keras = tensorflow().keras
    if known < MANY_VALUES:
        hot = keras.layers.CategoryEncoding(known + 1, output_mode="one_hot")(code)[:, 1:]  # an unknown one is none
        return hot, hot
    flat = keras.layers.Flatten()

    def embedded(units: int, seed: int) -> Any:
        uniform = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed)
        return flat(keras.layers.Embedding(known + 1, units, embeddings_initializer=uniform)(code))

    return embedded(1, seed), embedded(min(50, round(1.6 * known**0.56)), seed + 1)

"""A Keras network for texts: it takes them raw, and cutting them into words is part of the network.

A text is a bag of words and pairs of words. Texts are cut into words once before training, not once an epoch (that
would take longer than the training); both halves are then joined into the one network that is kept, evaluated and
served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.networking.engine import tensorflow
from tasks.networking.facts import Arrays, Facts
from tasks.networking.foundations import NetworkClassifier
from tasks.networking.rows import Rows
from tasks.networks import WideAndDeepNetwork, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 256


@dataclass(kw_only=True, repr=False, eq=False)
class TextNetworkClassifier(WideAndDeepNetwork, NetworkClassifier):
    """A network for classes of texts: the words and pairs that occur, beside numbers and categories if any.

    Parameters
    ----------
    tokens : int
        How many words and pairs are known: the most frequent ones of the training rows, for each column.
    ngrams : int
        The most words that are taken together.
    length : int
        How many words and pairs of a text are read; the rest of a longer text is not.
    hidden, pieces, crossed, grid, dropout, normalised
        See `tasks.networks.WideAndDeepRegressor`.

    Notes
    -----
    Chollet, Deep Learning with Python, 2nd ed., chapter 11: on few long texts a bag of pairs is better than a sequence.
    """

    tokens: int = 20_000
    ngrams: int = 2
    length: int = 2_500
    hidden: Any = (16,)
    pieces: int = 0
    crossed: Sequence[str] = ()
    grid: int = 40
    dropout: float = 0.5
    normalised: bool = False

    def adapt(self, rows: Rows, held_out: NDArray[np.bool_], facts: Facts) -> None:
        """Learn the values of the categories and the words of the texts."""
        super().adapt(rows, held_out, facts)
        tf = tensorflow()
        self._cut: list[Any] = []
        for place in range(len(self.text)):
            cut = tf.keras.layers.TextVectorization(
                max_tokens=self.tokens, ngrams=self.ngrams, output_sequence_length=self.length
            )

            def texts(place: int = place) -> Iterator[NDArray[Any]]:
                for positions, features, _ in rows.blocks():
                    kept = self.arrays(features)["text"][~held_out[positions], place]
                    yield from np.split(kept, range(BATCH, len(kept), BATCH))

            cut.adapt(tf.data.Dataset.from_generator(texts, output_signature=tf.TensorSpec([None], tf.string)))
            self._cut.append(cut)

    def prepare(self, arrays: Arrays) -> Arrays:
        """Give the arrays with the numbers of the words in place of the texts."""
        prepared = super().prepare(arrays)
        texts = prepared.pop("text")
        for place, cut in enumerate(self._cut):
            numbers = [
                cut(tensorflow().constant(texts[start : start + BATCH, place])).numpy()
                for start in range(0, len(texts), BATCH)
            ]
            empty = np.empty((0, self.length), dtype="int32")
            prepared[f"words_{place}"] = np.concatenate([empty, *numbers]).astype("int32")
        return prepared

    def layers(self, inputs: dict[str, Any], facts: Facts) -> Any:  # noqa: D102
        layers = tensorflow().keras.layers
        _, prepared = self.prepared(inputs, facts)
        for place, cut in enumerate(self._cut):
            encoding = layers.CategoryEncoding(cut.vocabulary_size(), output_mode="multi_hot")
            prepared.append(encoding(inputs[f"words_{place}"]))
        values = joined(prepared)
        for units in self.hidden:
            values = self.hidden_layer(values, units)
        return self.dense(len(self.classes_), "softmax")(values)

    def whole(self, trained: Any, facts: Facts) -> Any:  # noqa: ARG002
        """Give the network that takes texts: cut into words, then through the trained part."""
        keras = tensorflow().keras
        text = keras.Input((len(self._cut),), name="text", dtype="string")
        inputs, given = self.raw_inputs(trained)
        given |= {f"words_{place}": cut(text[:, place]) for place, cut in enumerate(self._cut)}
        del self._cut
        return keras.Model(inputs | {"text": text}, trained(given))

"""A Keras network for texts: it takes them raw, and cutting them into words is part of the network.

A text is a bag of words and pairs of words. Texts are cut into words once before training, not once an epoch (that
would take longer than the training); both halves are then joined into the one network that is kept, evaluated and
served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.networks import NetworkClassifier, WideAndDeepNetwork, tensorflow

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
    hidden : sequence of int
        Units of the hidden layers.
    dropout : float
        The share of the hidden layers' outputs dropped in training.

    Notes
    -----
    Chollet, Deep Learning with Python, 2nd ed., chapter 11: on few long texts a bag of pairs is better than a sequence.
    """

    tokens: int = 20_000
    ngrams: int = 2
    length: int = 2_500
    hidden: Any = (16,)
    dropout: float = 0.5

    def prepare(self, arrays: dict[str, NDArray[Any]], kept: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Give the arrays with the numbers of the words in place of the texts."""
        tf = tensorflow()
        self._cut: list[Any] = []
        prepared = {name: array for name, array in arrays.items() if name != "text"}
        for index, column in enumerate(arrays["text"].T):
            cut = tf.keras.layers.TextVectorization(
                max_tokens=self.tokens, ngrams=self.ngrams, output_sequence_length=self.length
            )
            cut.adapt(tf.data.Dataset.from_tensor_slices(column[kept]).batch(BATCH))
            self._cut.append(cut)
            numbers = [
                cut(tf.constant(column[start : start + BATCH])).numpy() for start in range(0, len(column), BATCH)
            ]
            prepared[f"words_{index}"] = np.concatenate(numbers).astype("int32")
        return prepared

    def layers(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]], y: NDArray[Any]) -> Any:  # noqa: ARG002, D102
        layers = tensorflow().keras.layers
        prepared = self.prepared(inputs, X)
        for index, cut in enumerate(self._cut):
            bag = layers.CategoryEncoding(cut.vocabulary_size(), output_mode="multi_hot")(inputs[f"words_{index}"])
            prepared.append(bag)
        values = layers.Concatenate()(prepared) if len(prepared) > 1 else prepared[0]
        for units in self.hidden:
            values = self.dropped(self.dropout)(self.dense(units, "relu")(values))
        return self.dense(len(self.classes_), "softmax")(values)

    def whole(self, trained: Any) -> Any:
        """Give the network that takes texts: cut into words, then through the trained part."""
        keras = tensorflow().keras
        inputs = {name: tensor for name, tensor in trained.input.items() if not name.startswith("words_")}
        text = keras.Input((len(self._cut),), name="text", dtype="string")
        words = {f"words_{index}": cut(text[:, index]) for index, cut in enumerate(self._cut)}
        del self._cut
        return keras.Model(inputs | {"text": text}, trained(inputs | words))

"""Keras networks with scikit-learn's contract: they take the feature frame, and preparation is part of the network.

TensorFlow is imported when a network is fitted or loaded, never before (ten seconds on a cold machine). Keras keeps its
random state globally, so one fit at a time in a process, seeded, on one thread, is what makes two runs equal.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@cache
def tensorflow() -> Any:
    """Give TensorFlow, quiet and on one thread."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _without_native_messages():
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.get_logger().setLevel("ERROR")
    return tf


@contextmanager
def _without_native_messages() -> Generator[None]:
    """Drop what TensorFlow's C++ side writes straight to file descriptor 2 before its log level counts."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with os.fdopen(os.dup(kept), "w", buffering=1) as stderr, redirect_stderr(stderr):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@dataclass(kw_only=True, repr=False, eq=False)
class Network(BaseEstimator):
    """What every network shares: inputs from a frame, training with early stopping, prediction.

    Parameters
    ----------
    numeric, categorical, text : sequence of str
        The features of each role; set by `estimators.build`.
    epochs, batch_size, patience : int
        At most so many passes, rows a step, and epochs without gain on the validation rows before training stops.
    learning_rate, validation_fraction : float
        Of Adam at the start, halved when progress stops; the share of the rows kept for early stopping.
    random_state : int
        Seed of the weights, the shuffling and the dropout.
    """

    numeric: Sequence[str] = ()
    categorical: Sequence[str] = ()
    text: Sequence[str] = ()
    epochs: int = 60
    batch_size: int = 64
    patience: int = 8
    learning_rate: float = 1e-3
    validation_fraction: float = 0.1
    random_state: int = 42

    def layers(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]], y: NDArray[Any]) -> Any:
        """Give the output tensor of the untrained network; ``X`` and ``y`` are the training rows, to adapt to."""
        raise NotImplementedError

    def encode(self, y: NDArray[Any]) -> tuple[NDArray[Any], str]:
        """Give the targets as numbers, and the name of Keras's loss for them."""
        raise NotImplementedError

    def dense(self, units: int, activation: str | None = None, initializer: str = "GlorotUniform") -> Any:
        """Give a dense layer with a seed of its own: Keras's default is drawn from what other threads draw from too."""
        keras = tensorflow().keras
        kernel = getattr(keras.initializers, initializer)(seed=next(self._seeds))
        return keras.layers.Dense(units, activation=activation, kernel_initializer=kernel)

    def dropped(self, share: float) -> Any:
        """Give a dropout layer with a seed of its own."""
        return tensorflow().keras.layers.Dropout(share, seed=next(self._seeds))

    def prepare(self, arrays: dict[str, NDArray[Any]], kept: NDArray[np.int64]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """Give the arrays as the trained part takes them; ``kept`` are the training rows, to adapt to."""
        return arrays

    def whole(self, trained: Any) -> Any:
        """Give the network that takes the features themselves, from its trained part."""
        return trained

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Train with early stopping and keep the best weights.

        Raises
        ------
        ValueError
            The loss is no number any more: the network diverged.
        """
        keras = tensorflow().keras
        keras.utils.clear_session()
        keras.utils.set_random_seed(self.random_state)
        self._seeds = iter(np.random.default_rng(self.random_state).integers(1, 2**31, 1000).tolist())
        raw, (targets, loss) = self._arrays(X), self.encode(y)
        order = np.random.default_rng(self.random_state).permutation(len(X))
        held_out, kept = np.split(order, [max(1, round(len(X) * self.validation_fraction))])
        arrays = self.prepare(raw, kept)
        inputs = {
            name: keras.Input(array.shape[1:], name=name, dtype="string" if array.dtype == object else array.dtype.name)
            for name, array in arrays.items()
        }
        chosen = {name: array[kept] for name, array in arrays.items()}
        network = keras.Model(inputs, self.layers(inputs, chosen, targets[kept]))
        network.compile(optimizer=keras.optimizers.Adam(self.learning_rate), loss=loss)
        history = network.fit(
            self._batches(arrays, targets, kept, shuffle=True),
            validation_data=self._batches(arrays, targets, held_out, shuffle=False),
            epochs=self.epochs,
            shuffle=False,  # the batches are shuffled already
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True),
                keras.callbacks.ReduceLROnPlateau(patience=max(1, self.patience // 3), factor=0.5),
                keras.callbacks.TerminateOnNaN(),
            ],
        )
        if not np.isfinite(history.history["loss"][-1]):
            raise ValueError("the network diverged: its loss is no number any more; lower learning_rate")
        self.network_ = self.whole(network)
        return self

    def predict_features(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the network's output for rows, of shape (rows, outputs)."""
        arrays = self._arrays(X)
        parts = [
            self.network_({name: array[start : start + 4096] for name, array in arrays.items()}, training=False).numpy()
            for start in range(0, len(X), 4096)
        ]
        return np.concatenate(parts).astype("float64")

    def save(self, folder: Path, derive: Any, signature: dict[str, bool]) -> None:
        """Write ``network.keras`` and ``saved_model/``, whose served signature takes raw columns.

        Parameters
        ----------
        folder : pathlib.Path
            An empty folder.
        derive : callable
            From raw columns, as tensors by name, to features by name.
        signature : dict of str to bool
            The raw columns, and whether each is numeric (else text).
        """
        tf = tensorflow()
        self.network_.save(folder / "network.keras")

        def serve(columns: dict[str, Any]) -> dict[str, Any]:
            return self.answer(self.network_(self._tensors(tf, derive(columns)), training=False))

        specification = {
            name: tf.TensorSpec([None], tf.float64 if numeric else tf.string, name=name)
            for name, numeric in signature.items()
        }
        archive = tf.keras.export.ExportArchive()
        archive.track(self.network_)
        archive.add_endpoint("serving_default", serve, input_signature=[specification])
        archive.write_out(str(folder / "saved_model"), verbose=False)

    def answer(self, output: Any) -> dict[str, Any]:
        """Give what the served signature answers, by name, from the network's output tensor."""
        raise NotImplementedError

    def load(self, path: Path) -> Self:
        """Take the fitted network from ``network.keras``."""
        self.network_ = tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)
        return self

    def _arrays(self, X: pd.DataFrame) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        if self.numeric:
            arrays["numeric"] = X[list(self.numeric)].to_numpy(dtype="float32")
        if self.categorical:
            arrays["categorical"] = X[list(self.categorical)].astype("object").fillna("").to_numpy(dtype="object")
        if self.text:
            arrays["text"] = X[list(self.text)].to_numpy(dtype="object")
        return arrays

    def _tensors(self, tf: Any, features: dict[str, Any]) -> dict[str, Any]:
        tensors: dict[str, Any] = {}
        if self.numeric:
            tensors["numeric"] = tf.stack([tf.cast(features[name], tf.float32) for name in self.numeric], axis=1)
        if self.categorical:
            tensors["categorical"] = tf.stack([features[name] for name in self.categorical], axis=1)
        if self.text:
            tensors["text"] = tf.stack([features[name] for name in self.text], axis=1)
        return tensors

    def _batches(self, arrays: dict[str, NDArray[Any]], y: NDArray[Any], rows: NDArray[Any], *, shuffle: bool) -> Any:
        data = tensorflow().data.Dataset.from_tensor_slices(({n: a[rows] for n, a in arrays.items()}, y[rows]))
        data = data.cache()
        if shuffle:
            data = data.shuffle(len(rows), seed=self.random_state)
        return data.batch(self.batch_size)


class NetworkClassifier(ClassifierMixin, Network):
    """What every network for classes shares."""

    def encode(self, y: NDArray[Any]) -> tuple[NDArray[Any], str]:  # noqa: D102
        self.classes_, codes = np.unique(y, return_inverse=True)
        return codes, "sparse_categorical_crossentropy"

    def predict_proba(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the probability of each class, of shape (rows, classes)."""
        return self.predict_features(X)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the likeliest class of each row."""
        return self.classes_[self.predict_features(X).argmax(axis=1)]

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        tf = tensorflow()
        return {"probabilities": output, "class": tf.gather(tf.constant(self.classes_), tf.argmax(output, axis=1))}


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

    Notes
    -----
    After Géron, Hands-On Machine Learning, 2nd ed., chapter 14.
    """

    image_shape: Sequence[int] = (8, 8)
    filters: int = 32
    units: int = 128
    dropout: float = 0.4

    def layers(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]], y: NDArray[Any]) -> Any:  # noqa: ARG002, D102
        keras = tensorflow().keras
        layers = keras.layers
        values = layers.Rescaling(1.0 / max(float(np.nanmax(X["numeric"])), 1e-9))(inputs["numeric"])
        values = layers.Reshape((*self.image_shape, 1))(values)
        for filters in (self.filters, 2 * self.filters):
            for _ in range(2):
                kernel = keras.initializers.GlorotUniform(seed=next(self._seeds))
                values = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=kernel)(values)
            values = layers.MaxPooling2D()(values)
        values = self.dropped(self.dropout)(layers.Flatten()(values))
        values = self.dropped(self.dropout)(self.dense(self.units, "relu")(values))
        return self.dense(len(self.classes_), "softmax")(values)


class WideAndDeepNetwork(Network):
    """The wide and deep architecture: what is linear takes the short way, what is not goes through hidden layers."""

    hidden: Sequence[int]

    def prepared(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]]) -> list[Any]:
        """Give the tensors of the numbers, standardised, and of each category, one unit a value."""
        keras = tensorflow().keras
        prepared: list[Any] = []
        if "numeric" in inputs:
            mean, variance = np.nanmean(X["numeric"], axis=0), np.nanvar(X["numeric"], axis=0)
            values = keras.layers.Normalization(mean=mean, variance=np.maximum(variance, 1e-12))(inputs["numeric"])
            values = keras.ops.where(keras.ops.isnan(values), 0.0, values)  # a missing number is the mean
            prepared.append(keras.ops.clip(values, -5.0, 5.0))  # one absurd ratio must not swing the linear part
        for index in range(X["categorical"].shape[1] if "categorical" in X else 0):
            vocabulary = sorted(set(X["categorical"][:, index]))
            lookup = keras.layers.StringLookup(vocabulary=vocabulary, output_mode="one_hot")
            prepared.append(lookup(inputs["categorical"][:, index]))
        return prepared

    def wide_and_deep(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]]) -> Any:
        """Give the joined tensor of the prepared inputs (wide) and the last hidden layer (deep)."""
        keras, prepared = tensorflow().keras, self.prepared(inputs, X)
        wide = keras.layers.Concatenate()(prepared) if len(prepared) > 1 else prepared[0]
        deep = wide
        for units in self.hidden:
            deep = self.dense(units, "selu", "LecunNormal")(deep)
        return keras.layers.Concatenate()([wide, deep])


@dataclass(kw_only=True, repr=False, eq=False)
class WideAndDeepRegressor(RegressorMixin, WideAndDeepNetwork):
    """A wide and deep network for a number.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers of the deep part.

    Notes
    -----
    Cheng et al., Wide & Deep Learning for Recommender Systems (2016); Géron, 2nd ed., chapter 10.
    """

    hidden: Sequence[int] = (128, 64)

    def encode(self, y: NDArray[Any]) -> tuple[NDArray[Any], str]:  # noqa: D102
        return y.astype("float32"), "mean_squared_error"

    def layers(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]], y: NDArray[Any]) -> Any:  # noqa: D102
        layers = tensorflow().keras.layers
        values = self.dense(1)(self.wide_and_deep(inputs, X))
        return layers.Rescaling(scale=float(y.std()) or 1.0, offset=float(y.mean()))(values)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give a number for each row."""
        return self.predict_features(X)[:, 0]

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        return {"prediction": output[:, 0]}


@dataclass(kw_only=True, repr=False, eq=False)
class WideAndDeepClassifier(WideAndDeepNetwork, NetworkClassifier):
    """A wide and deep network for classes; see `WideAndDeepRegressor`."""

    hidden: Sequence[int] = (128, 64)

    def layers(self, inputs: dict[str, Any], X: dict[str, NDArray[Any]], y: NDArray[Any]) -> Any:  # noqa: ARG002, D102
        return self.dense(len(self.classes_), "softmax")(self.wide_and_deep(inputs, X))

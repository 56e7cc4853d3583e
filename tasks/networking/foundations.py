"""What all networks share: scikit-learn's contract over Keras, from rows to files.

A network takes the feature frame, and preparation is part of it. What is slow in TensorFlow, looking up texts, is done
once a row before training; the network that is kept, evaluated and served has both halves joined again (`whole`).
Keras keeps its random state globally, so one fit at a time in a process, seeded, on one thread, is what makes two runs
equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier

from tasks.cutoffs import places
from tasks.networking.engine import started_anew, tensorflow
from tasks.networking.facts import Arrays, Facts, facts_of
from tasks.networking.feed import POOL, Feed
from tasks.networking.fitting import Fit, Settings, optimizer
from tasks.networking.rows import Block, FrameRows, Rows, StoredRows
from tasks.records import Cutoff

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_HELD_OUT = 100_000
AT_ONCE = 4096


@dataclass(kw_only=True, repr=False, eq=False)
class Network(BaseEstimator):
    """What every network shares: inputs from rows, training with early stopping, prediction.

    Parameters
    ----------
    numeric, categorical, text : sequence of str
        The features of each role; set by `estimators.build`.
    epochs, batch_size, patience : int
        At most so many passes, rows a step, and epochs without gain on the held-out rows before training stops.
    learning_rate : float
        The highest one.
    schedule : str
        How it goes on: ``plateau`` halves it when progress stops, ``cosine`` lets it fall to 0 over all epochs,
        ``one-cycle`` lets it rise in the first 30 % and then fall.
    weight_decay, gradient_clip : float
        Of AdamW (0: Adam), and the largest norm of a gradient (0: any).
    validation_fraction : float
        The share of the rows held out for early stopping; 100,000 rows at most. With 0 all rows are learnt from and
        the last weights are kept, which a schedule that falls to 0 makes good ones.
    random_state : int
        Seed of the weights, the order of rows and the dropout.
    """

    numeric: Sequence[str] = ()
    categorical: Sequence[str] = ()
    text: Sequence[str] = ()
    epochs: int = 60
    batch_size: int = 64
    patience: int = 8
    learning_rate: float = 1e-3
    schedule: str = "plateau"
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    validation_fraction: float = 0.1
    random_state: int = 42

    # What each kind of network says of itself.

    def learnt(self, target: NDArray[Any]) -> NDArray[Any]:
        """Give the numbers that are learnt of targets that are no classes."""
        return target

    def layers(self, inputs: dict[str, Any], facts: Facts) -> Any:
        """Give the output tensor of the untrained network."""
        raise NotImplementedError

    def encode(self, target: NDArray[Any], facts: Facts) -> NDArray[Any]:
        """Give targets as the trained part learns them."""
        raise NotImplementedError

    def loss(self) -> str:
        """Give the name of Keras's loss."""
        raise NotImplementedError

    def answer(self, output: Any) -> dict[str, Any]:
        """Give what the served signature answers, by name, from the network's output tensor."""
        raise NotImplementedError

    def adapt(self, rows: Rows, held_out: NDArray[np.bool_], facts: Facts) -> None:
        """Learn what `prepare` needs from the rows that are not held out."""

    def prepare(self, arrays: Arrays) -> Arrays:
        """Give the arrays as the trained part takes them."""
        return arrays

    def augment(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Give prepared arrays of training rows a little changed."""
        return arrays

    def whole(self, trained: Any, facts: Facts) -> Any:  # noqa: ARG002
        """Give the network that takes the features themselves, from its trained part."""
        return trained

    # What all of them do.

    def dense(self, units: int, activation: str | None = None, initializer: str = "GlorotUniform") -> Any:
        """Give a dense layer with a seed of its own: Keras's default is drawn from what other threads draw from too."""
        keras = tensorflow().keras
        kernel = getattr(keras.initializers, initializer)(seed=self.seed())
        return keras.layers.Dense(units, activation=activation, kernel_initializer=kernel)

    def dropped(self, share: float) -> Any:
        """Give a dropout layer with a seed of its own."""
        return tensorflow().keras.layers.Dropout(share, seed=self.seed())

    def seed(self) -> int:
        """Give the next seed of this fit."""
        return int(self._seeds.integers(1, 2**31))

    def keep_in(self, folder: Path | None) -> Self:
        """Let fits keep a checkpoint after each epoch and logs for TensorBoard below a folder, and go on from there."""
        self._folder = folder
        return self

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Train with early stopping and keep the best weights.

        Raises
        ------
        ValueError
            There are too few rows, or the loss is no number any more: the network diverged.
        """
        return self._fitted(FrameRows(X, y))

    def fit_stored(
        self, path: Path, target: str, chosen: NDArray[np.bool_] | None = None, *, in_memory: int = POOL
    ) -> Self:
        """Train on the rows of a Parquet file without ever having them all in memory; see `fit`.

        Parameters
        ----------
        path : pathlib.Path
            The file, which has a column for each feature.
        target : str
            The column that is learnt.
        chosen : array of bool, shape (rows of the file,), optional
            The rows that are learnt from; by default all.
        in_memory : int
            So many rows are read into memory all the same, since that is faster.
        """
        rows = StoredRows(path, [*self.numeric, *self.categorical, *self.text], target, chosen)
        return self._fitted(rows.read() if 0 < len(rows) <= in_memory else rows)

    def _fitted(self, rows: Rows) -> Self:
        held_out = self._held_out(len(rows))
        keras = started_anew(self.random_state)
        self._seeds = np.random.default_rng(self.random_state)
        classes = is_classifier(self)
        facts = facts_of(rows, held_out, self.arrays, None if classes else self.learnt)
        if classes:
            self.classes_ = facts.classes
        self.adapt(rows, held_out, facts)

        def prepared(block: Block) -> tuple[Arrays, NDArray[Any]]:
            return self.prepare(self.arrays(block.features)), self.encode(block.target, facts)

        feed = Feed(rows, held_out, prepared, self.augment, self.batch_size, self.random_state)
        inputs = {
            name: keras.Input(tensor.shape[1:], name=name, dtype=tensor.dtype.name)
            for name, tensor in feed.signature[0].items()
        }
        settings = Settings(**{name: getattr(self, name) for name in Settings._fields})
        trained = keras.Model(inputs, self.layers(inputs, facts))
        trained.compile(optimizer=optimizer(settings, feed.steps), loss=self.loss(), jit_compile=False)
        Fit(trained, settings, getattr(self, "_folder", None), self._whose(facts)).run(feed)
        self.network_ = self.whole(trained, facts)
        return self

    def _held_out(self, count: int) -> NDArray[np.bool_]:
        if count < 2:
            raise ValueError(f"a network needs at least 2 rows, one of them for early stopping; there are {count}")
        held_out = np.zeros(count, dtype="bool")
        if not self.validation_fraction:
            if self.schedule == "plateau":
                raise ValueError("validation_fraction = 0 leaves schedule = 'plateau' no rows to see progress on")
            return held_out
        order = np.random.default_rng(self.random_state).permutation(count)
        held_out[order[: min(max(1, round(count * self.validation_fraction)), MOST_HELD_OUT, count - 1)]] = True
        return held_out

    def _whose(self, facts: Facts) -> str:
        """Give what tells this fit from all others: rows, parameters and libraries."""
        parameters = sorted(self.get_params().items())
        text = repr((type(self).__name__, parameters, facts.digest, tensorflow().__version__))
        return hashlib.sha256(text.encode()).hexdigest()

    def predict_features(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the network's output for rows, of shape (rows, outputs)."""
        arrays = self.arrays(X)
        parts = [
            self.network_({name: each[start : start + AT_ONCE] for name, each in arrays.items()}, training=False)
            for start in range(0, max(1, len(X)), AT_ONCE)
        ]
        return np.concatenate([part.numpy() for part in parts]).astype("float64")

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
            return self.answer(self.network_(self.tensors(tf, derive(columns)), training=False))

        specification = {
            name: tf.TensorSpec([None], tf.float64 if numeric else tf.string, name=name)
            for name, numeric in signature.items()
        }
        archive = tf.keras.export.ExportArchive()
        archive.track(self.network_)
        archive.add_endpoint("serving_default", serve, input_signature=[specification])
        archive.write_out(str(folder / "saved_model"), verbose=False)

    def load(self, path: Path) -> Self:
        """Take the fitted network from ``network.keras``."""
        self.network_ = tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)
        return self

    def arrays(self, X: pd.DataFrame) -> Arrays:
        """Give the features of rows as arrays by role."""
        arrays: Arrays = {}
        if self.numeric:
            arrays["numeric"] = X[list(self.numeric)].to_numpy(dtype="float32", na_value=np.nan)
        for role in ("categorical", "text"):
            if names := list(getattr(self, role)):
                arrays[role] = X[names].astype("object").fillna("").to_numpy(dtype="object")
        return arrays

    def tensors(self, tf: Any, features: dict[str, Any]) -> Any:
        """Give the features of rows, as tensors by name, in the structure that the network takes."""
        tensors: dict[str, Any] = {}
        if self.numeric:
            tensors["numeric"] = tf.stack([tf.cast(features[name], tf.float32) for name in self.numeric], axis=1)
        for role in ("categorical", "text"):
            if names := getattr(self, role):
                tensors[role] = tf.stack([features[name] for name in names], axis=1)
        return tensors


class NetworkClassifier(ClassifierMixin, Network):
    """What every network for classes shares."""

    def encode(self, target: NDArray[Any], facts: Facts) -> NDArray[Any]:  # noqa: D102
        return np.searchsorted(facts.classes, target).astype("int32")

    def loss(self) -> str:  # noqa: D102
        return "sparse_categorical_crossentropy"

    def predict_proba(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the probability of each class, of shape (rows, classes)."""
        return self.predict_features(X)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Give the likeliest class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def answer(self, output: Any) -> dict[str, Any]:  # noqa: D102
        tf = tensorflow()
        cutoff: Cutoff | None = getattr(self, "cutoff", None)
        chosen = places(output, self.classes_.tolist(), cutoff, tf) if cutoff else tf.argmax(output, axis=1)
        return {"probabilities": output, "class": tf.gather(tf.constant(self.classes_), chosen)}

"""Out-of-fold predictions: for each training row, what a model says of it that was not fitted on it.

They cost nothing beyond cross-validation, and they are all that an ensemble's weights, a threshold and a prediction
interval may be chosen by: the only honest predictions that there are for training rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.columns import FOLD, ROW
from tasks.records import Artifact, Features
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.models import Prediction

PARTS = 5


def outputs(prediction: Prediction) -> NDArray[np.float64]:
    """Give a prediction as numbers, of shape (rows, outputs): one of a regression, else a probability for each class.

    A classifier that gives no probabilities votes: 1 for the class that it predicts.
    """
    if not len(prediction.classes):
        return np.asarray(prediction.values, dtype="float64")[:, None]
    if prediction.probabilities is not None:
        return np.asarray(prediction.probabilities, dtype="float64")
    return (prediction.values[:, None] == prediction.classes).astype("float64")


def keep(values: NDArray[Any], store: Store) -> Artifact:
    """Write outputs for all training rows, of shape (rows, outputs); rows that were never held out are NaN."""
    import pyarrow as pa

    table = pa.table({f"output_{place}": column for place, column in enumerate(np.asarray(values, dtype="float64").T)})
    return store.keep_batches(table.schema, table.to_batches(), "out_of_fold")


def read(found: Artifact, store: Store) -> NDArray[np.float64]:
    """Give outputs as they were kept, of shape (rows, outputs)."""
    table = store.table(found)
    return np.column_stack([column.to_numpy() for column in table.columns])


class HeldOut(NamedTuple):
    """What out-of-fold predictions are compared with; arrays of shape (rows,).

    ``fold`` is below 0 where a row is never held out. ``part`` is below 0 there too, else a fold, or where all are held
    out in one a part of that: what is chosen by predictions is checked on a part that it was not chosen by.
    """

    target: NDArray[Any]
    fold: NDArray[np.int64]
    part: NDArray[np.int64]


def held_out(features: Features, store: Store) -> HeldOut:
    """Give the targets of the training rows, and where each is held out."""
    frame = store.table(features.train, [features.columns.target, FOLD, ROW]).to_pandas()
    fold = frame[FOLD].to_numpy().astype("int64")
    dealt = (frame[ROW].to_numpy() % np.uint64(PARTS)).astype("int64")
    part = fold if features.folds > 1 else np.where(fold < 0, fold, dealt)
    return HeldOut(frame[features.columns.target].to_numpy(), fold, part)

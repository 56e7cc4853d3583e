"""Fitting an estimator to training rows of the store: most from memory, a network from the file of them.

A network's fit may take hours, so it leaves a checkpoint after each epoch, and the same fit goes on from there after a
run that was killed. What TensorBoard shows of it stays: ``tensorboard --logdir data/store/PROBLEM/networks``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.estimators import is_network
from tasks.keys import digest
from tasks.records import Features
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FOLDER = "networks"
Read = Callable[[], "tuple[pd.DataFrame, NDArray[Any]]"]


def fit(estimator: Any, read: Read, features: Features, store: Store, chosen: NDArray[np.bool_] | None = None) -> None:
    """Fit an estimator to the training rows, or to those of a mask of shape (rows,).

    Parameters
    ----------
    read : callable
        Gives the features and the targets of all training rows; it is not called for a network, which reads the file.
    """
    if not is_network(estimator):
        X, y = read()
        estimator.fit(*((X, y) if chosen is None else (X[chosen], y[chosen])))
        return
    from tasks.networking.fitting import CHECKPOINT

    folder = _folder(estimator, chosen, features, store)
    estimator.keep_in(folder).fit_stored(store.path(features.train.file), features.columns.target, chosen)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _folder(network: Any, chosen: NDArray[np.bool_] | None, features: Features, store: Store) -> Path:
    """Give where a fit leaves its checkpoint and its logs: the same place for the same fit."""
    rows = digest([features.train.file.sha256, "" if chosen is None else np.packbits(chosen).tobytes().hex()])
    settings = {name: repr(value) for name, value in sorted(network.get_params().items())}
    return store.folder / FOLDER / f"{type(network).__name__}-{digest([rows, settings])[:16]}"

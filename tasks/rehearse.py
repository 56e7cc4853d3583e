"""Rehearse: run as ``python -m tasks.rehearse``, in a fresh process, before a version is promoted.

It imports what it needs, then reads one JSON list, ``[root, problem, version]``, and prints one JSON object: whether
the loaded version repeats the predictions that it was judged by. Trees repeat them to the last bit; a network to 1e-5,
since the shape of a batch changes the order of its sums. Where nothing is asked, it ends without a word.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np

from tasks.columns import ROW
from tasks.models import NETWORK, load
from tasks.registry import Registry
from tasks.store import Store

NETWORK_TOLERANCE = 1e-5


def rehearsed(store: Store, number: int) -> dict[str, object]:
    """Give how a version's predictions here compare with the stored ones."""
    version = Registry(store).version(number)
    stored = store.table(version.scores.predictions, [ROW, "challenger"]).to_pandas()
    rows = store.table(version.test).to_pandas()
    rows = rows[rows[ROW].isin(stored[ROW])]
    values = load(version.model, store).predict(rows).values
    expected = stored["challenger"].to_numpy()
    exact = values == expected
    if np.issubdtype(values.dtype, np.floating) and NETWORK in version.model.files:
        exact |= np.isclose(values, expected, rtol=NETWORK_TOLERANCE)
    numeric = np.issubdtype(values.dtype, np.number) and not exact.all()
    largest = float(np.abs(values.astype("float64") - expected.astype("float64")).max()) if numeric else 0.0
    return {"same": bool(exact.all()), "rows": len(values), "different": int((~exact).sum()), "largest": largest}


def import_what_models_need() -> None:
    """Import what takes seconds, before anybody waits for it; TensorFlow only once a network is there."""
    for name in ("pandas", "pyarrow.parquet", "skops.io", "sklearn.compose", "sklearn.ensemble", "sklearn.impute"):
        importlib.import_module(name)


if __name__ == "__main__":
    import_what_models_need()
    if asked := sys.stdin.read():
        root, problem, number = json.loads(asked)
        print(json.dumps(rehearsed(Store(Path(root), problem), number)))  # noqa: T201

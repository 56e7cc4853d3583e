"""What a fitted estimator costs whoever uses it: time to predict, and room."""

from __future__ import annotations

import io
import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.models import predict

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_ONCE = 1_000


def milliseconds(estimator: Any, rows: pd.DataFrame) -> float:
    """Give how long a prediction of 1,000 rows at once takes; fewer rows are repeated."""
    many = rows.iloc[np.resize(np.arange(len(rows)), ROWS_AT_ONCE)]
    begun = time.perf_counter()
    predict(estimator, many)
    return 1e3 * (time.perf_counter() - begun)


def megabytes(estimator: Any) -> float:
    """Give about how large a fitted estimator is when kept, without writing it anywhere."""
    counted = _Counted()
    pickle.Pickler(counted, protocol=5).dump(estimator)
    return counted.size / 1e6


class _Counted(io.RawIOBase):
    """A file that only counts the bytes that are written into it."""

    size = 0

    def write(self, content: Any, /) -> int:
        written = memoryview(content).nbytes
        self.size += written
        return written

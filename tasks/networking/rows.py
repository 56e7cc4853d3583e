"""Training rows, block by block: from a frame that is in memory, or from a Parquet file that need not fit there.

Whatever they come from, rows have positions from 0 on, so that a seed decides equally which of them are held out and
in which order they are learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from tasks.arrow import parquet_file

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BLOCK = 2**16


class Block(NamedTuple):
    """Rows that are read together: their positions, features and targets."""

    positions: NDArray[np.int64]
    features: pd.DataFrame
    target: NDArray[Any]


class Rows(Protocol):
    """Rows that can be gone through again and again."""

    in_memory: bool

    def __len__(self) -> int:
        """Give the number of rows."""
        ...

    def blocks(self, order: np.random.Generator | None = None) -> Iterator[Block]:
        """Give all rows; with ``order``, parts of a file in a random one."""
        ...


class FrameRows:
    """Rows of a frame that is in memory: one block.

    Parameters
    ----------
    features : pandas.DataFrame
        The features.
    target : array of shape (rows,)
        What is learnt.
    """

    in_memory = True

    def __init__(self, features: pd.DataFrame, target: NDArray[Any]) -> None:
        self._features, self._target = features, np.asarray(target)

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self._features)

    def blocks(self, order: np.random.Generator | None = None) -> Iterator[Block]:  # noqa: ARG002 - there is one
        """Give all rows."""
        yield Block(np.arange(len(self)), self._features, self._target)


class StoredRows:
    """Rows of a Parquet file, never more than a block of them in memory.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    features : sequence of str
        The columns that are features.
    target : str
        The column that is learnt.
    chosen : array of bool, shape (rows of the file,), optional
        The rows that count; by default all.
    block : int
        The most rows that are read together.
    """

    in_memory = False

    def __init__(
        self,
        path: Path,
        features: Sequence[str],
        target: str,
        chosen: NDArray[np.bool_] | None = None,
        block: int = BLOCK,
    ) -> None:
        with parquet_file(path) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        self._path, self._features, self._target, self._block = path, list(features), target, block
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype("int64")
        self._chosen = np.ones(int(self._starts[-1]), dtype="bool") if chosen is None else chosen
        self._before: NDArray[np.int64] = np.concatenate([[0], np.cumsum(self._chosen)]).astype("int64")

    def __len__(self) -> int:
        """Give the number of rows that count."""
        return int(self._before[-1])

    def read(self) -> FrameRows:
        """Give all rows that count in memory."""
        import pandas as pd

        _, features, targets = zip(*self.blocks(), strict=True)
        return FrameRows(pd.concat(features, ignore_index=True), np.concatenate(targets))

    def blocks(self, order: np.random.Generator | None = None) -> Iterator[Block]:
        """Give all rows that count, row group by row group."""
        names = [*dict.fromkeys([*self._features, self._target])]
        groups = range(len(self._starts) - 1)
        with parquet_file(self._path) as file:
            for group in groups if order is None else order.permutation(len(groups)).tolist():
                start = int(self._starts[group])
                for batch in file.iter_batches(self._block, row_groups=[group], columns=names):
                    end = start + batch.num_rows
                    if (chosen := self._chosen[start:end]).any():
                        frame = batch.to_pandas()[chosen]
                        positions = np.arange(int(self._before[start]), int(self._before[end]))
                        yield Block(positions, frame[self._features], frame[self._target].to_numpy())
                    start = end

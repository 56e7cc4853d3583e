"""Units: the rows that are equal in a key and so belong together, as arrays. One sort, and no loop over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Units:
    """The units of rows, in the order of their keys.

    ``order`` has shape (rows,): the rows by key, equal ones as they came. ``starts`` and ``sizes`` have shape (units,):
    where in that order each unit starts, and how many rows it has.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, keys: NDArray[Any]) -> Units:
        """Give the units of at least one row."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        return cls(order, starts, np.diff(starts, append=len(keys)))

    def least(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give the least of the values that a unit's rows have, an array of shape (units,)."""
        return np.minimum.reduceat(values[self.order], self.starts)

    def to_rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each row the value of its unit, an array of shape (rows,)."""
        spread = np.empty(len(self.order), dtype=values.dtype)
        spread[self.order] = np.repeat(values, self.sizes)
        return spread

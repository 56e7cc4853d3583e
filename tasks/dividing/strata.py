"""Strata and classes: the distinct values of a column as numbers, batch by batch.

Twenty million names are 160 MB of pointers to text, their numbers 80 MB. Arrow finds the distinct values of a batch;
what remains for Python is one look at each of those.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.errors import ProblemError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MISSING = "missing"


@dataclass
class Codes:
    """Numbers for the values of a column in the order in which they come; a missing value is None."""

    numbers: dict[Any, int] = field(default_factory=dict[Any, int])

    def of(self, values: pa.Array) -> NDArray[np.int32]:
        """Give the numbers of a batch's values, an array of shape (rows,)."""
        import pyarrow as pa
        from pyarrow import types

        if types.is_floating(values.type):
            values = pa.array(values.to_numpy(zero_copy_only=False), from_pandas=True)  # NaN is missing
        if types.is_dictionary(values.type):
            values = values.dictionary_decode()
        coded = values.dictionary_encode(null_encoding="encode")
        distinct = coded.dictionary.to_pylist()
        known = [self.numbers.setdefault(value, len(self.numbers)) for value in distinct]
        return np.array(known, dtype="int32")[coded.indices.to_numpy()]


def renumbered(codes: NDArray[np.int32], names: Sequence[Any]) -> tuple[NDArray[np.int32], tuple[Any, ...]]:
    """Give numbers in the order of the names that occur, and these names; code i is that of ``names[i]``.

    >>> renumbered(np.array([2, 0, 2]), ["hill", "moor", "dale"])
    (array([0, 1, 0], dtype=int32), ('dale', 'hill'))
    """
    occurring = np.flatnonzero(np.bincount(codes, minlength=len(names))).tolist()
    ordered = sorted({names[code] for code in occurring})
    place = {name: number for number, name in enumerate(ordered)}
    return np.array([place.get(name, 0) for name in names], dtype="int32")[codes], tuple(ordered)


def value_names(values: Iterable[Any]) -> list[str]:
    """Give the name of the stratum that each value makes: its text."""
    return [MISSING if value is None else str(value) for value in values]


def bin_names(bins: Sequence[float]) -> list[str]:
    """Give the name of each number of `binned`."""
    edges = [-np.inf, *bins, np.inf]
    return [*(f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)), MISSING]


def binned(values: pa.Array, bins: Sequence[float], column: str) -> NDArray[np.int32]:
    """Give the number of the bin that each value is in, an array of shape (rows,); missing values have the last number.

    A bin holds its upper edge, not its lower one.

    Raises
    ------
    ProblemError
        The values are not numbers.
    """
    from pyarrow import types

    if not (types.is_integer(values.type) or types.is_floating(values.type) or types.is_decimal(values.type)):
        raise ProblemError(
            f"split.bins cut numbers, but the column {column!r}, which split.stratify names, holds {values.type}."
        )
    numbers = values.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    found = np.searchsorted(np.asarray(bins), numbers, side="left").astype("int32")
    found[np.isnan(numbers) | np.isneginf(numbers)] = len(bins) + 1
    return found

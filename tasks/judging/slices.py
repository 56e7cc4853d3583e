"""Slices: which test rows are judged on their own as well, by a column, by bins of numbers or by how new they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.columns import derive
from tasks.dividing.strata import bin_names, binned, value_names
from tasks.dividing.times import back, lacking, times
from tasks.errors import ProblemError
from tasks.expressions import columns_in, gives
from tasks.gate import Slice
from tasks.problem import Problem
from tasks.records import Column, FeatureSet
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_VALUES = 50
"""A column of more values needs bins: so many slices would each be too small to see anything in."""


def check_slices(problem: Problem, columns: tuple[Column, ...]) -> None:
    """Check that what declared slices read is there.

    Raises
    ------
    ProblemError
        A slice names a column that is neither in the data nor derived, or ``newest`` something that is no column.
    """
    known = [*(column.name for column in columns), *problem.derived]
    for part in problem.gate.slices:
        where = f"data/{problem.name}/problem.toml: gate.slices.by of {part.name!r}"
        if part.newest and part.by not in {column.name for column in columns}:
            raise ProblemError(f"{where}: newest needs a column of the data; its columns: {listed(known)}.")
        for name in [part.by] if part.by in known else columns_in(part.by):
            if name not in known:
                raise ProblemError(
                    f"{where} names the column {name!r}, which the data does not have{meant(name, known)}; "
                    f"its columns: {listed(known)}."
                )


def labels(part: Slice, rows: pa.Table, derived: dict[str, str]) -> list[str | None]:
    """Give each row the name of its slice, or None where it is in none of them: shape (rows,).

    Raises
    ------
    ProblemError
        The column has too many values, or bins are given for what is no number.
    """
    if part.newest:
        return _newest(part, rows)
    import pyarrow as pa

    values = pa.array(_values(part, rows, derived), from_pandas=True)
    if part.bins:
        names = bin_names(part.bins)
        return [f"{part.name}: {names[code]}" for code in binned(values, part.bins, part.by).tolist()]
    coded = values.dictionary_encode(null_encoding="encode")
    if len(coded.dictionary) > MOST_VALUES:
        raise ProblemError(
            f"gate.slices.by of {part.name!r} has {len(coded.dictionary):,} values, more than {MOST_VALUES}; "
            "cut numbers with bins = [...], or take a column of fewer values."
        )
    names = value_names(coded.dictionary.to_pylist())
    return [f"{part.name}: {names[code]}" for code in coded.indices.to_pylist()]


def masks(labelled: dict[str, list[str | None]]) -> dict[str, NDArray[np.bool_]]:
    """Give for each slice that occurs which rows are in it, an array of shape (rows,), sorted by name."""
    found: dict[str, NDArray[np.bool_]] = {}
    for each in labelled.values():
        values = np.array(each, dtype="object")
        for name in sorted({label for label in each if label is not None}):
            found[name] = values == name
    return found


def _values(part: Slice, rows: pa.Table, derived: dict[str, str]) -> Any:
    if part.by in rows.column_names:
        return rows[part.by].combine_chunks()
    expressions = derived if part.by in derived else {**derived, part.name: part.by}
    name = part.by if part.by in derived else part.name
    role = "numeric" if gives(expressions[name]) == "number" else "categorical"
    return derive(rows.to_pandas(), FeatureSet(target="", roles={name: role}, derived=expressions))[name]


def _newest(part: Slice, rows: pa.Table) -> list[str | None]:
    moments = times(rows[part.by].combine_chunks(), part.by, f"gate.slices.by of {part.name!r}")
    here = ~lacking(moments)
    if moments.dtype.kind == "f" or not here.any():
        raise ProblemError(f"gate.slices.by of {part.name!r} is to be a time, but {part.by!r} holds none.")
    start = back(int(moments[here].max()), str(part.newest), getattr(rows.schema.field(part.by).type, "tz", None))
    name = f"{part.name}: newest {part.newest}"
    return [name if new else None for new in (here & (moments > start)).tolist()]

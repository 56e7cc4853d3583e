"""What columns mean: which are features, of which role, and what makes two rows the same."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.candidates import Feature
from tasks.errors import ProblemError
from tasks.expressions import Kind, Read, columns_in, evaluate, gives, is_arithmetic, reads
from tasks.gate import Behaviour
from tasks.problem import Problem
from tasks.records import Artifact, Column, FeatureSet, Role, Table
from tasks.row_functions import texts
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

NUMBERS = ("int", "uint", "float", "double", "bool", "half", "decimal")
MISSING = np.uint64(2**64 - 1)
"""Pandas' hash of a missing text."""

ROW = "salamander_row"
"""The column of a split's tables that holds the hash of each row's identity."""

FOLD = "salamander_fold"
"""The column of the training rows that holds the fold in which each is held out (int16, from 0), or -1 for never."""


def feature_set(problem: Problem, columns: Iterable[Column]) -> FeatureSet:
    """Give what models of a problem read, after checking every declared column against the data.

    Numbers are numeric, dates are no features by themselves, everything else is categorical, unless the problem says
    otherwise. A derived column is numeric or categorical by what its expression gives.

    Raises
    ------
    ProblemError
        The problem names a column that the data does not have, or that holds something else than is needed.
    """
    dtypes = {column.name: column.dtype for column in with_history(problem, columns)}
    kinds: dict[str, Kind] = {name: kind_of(dtype) for name, dtype in dtypes.items()}
    where = f"data/{problem.name}/problem.toml"
    if taken := [name for name in problem.derived if name in dtypes]:
        raise ProblemError(f"{where}: derived.{taken[0]} has the name of a column of the data.")
    check_names(problem.name, _named(problem), dtypes, problem.derived)
    for name, text in problem.derived.items():
        for read in reads(text):
            _check_read(f"{where}: derived.{name}", read, problem, kinds, dtypes)
        kinds[name], dtypes[name] = gives(text), f"{gives(text)}s"
    for key, needed in (("numeric", "number"), ("text", "text")):
        for name in getattr(problem.columns, key):
            if kinds[name] != needed:
                raise ProblemError(
                    f"{where}: columns.{key} needs {needed}s, but the column {name!r} "
                    f"holds {dtypes[name]}; correct the data, or leave the column out."
                )
    _check_behaviours(where, problem.gate.behaviours, dtypes)
    left_out = {problem.target, *problem.columns.drop}
    roles: dict[str, Role] = {}
    for name, kind in kinds.items():
        if name not in left_out and (role := _role(problem, name, kind)):
            roles[name] = role
    features = tuple(each.model_copy(update={"columns": matching(each.columns, roles)}) for each in problem.features)
    _check_features(where, features, roles)
    return FeatureSet(target=problem.target, roles=roles, derived=problem.derived, features=features)


def matching(declared: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Give the names that are meant by names or patterns; a pattern that nothing matches stays, to be refused.

    >>> matching(["place", "pixel_*"], ["pixel_0", "pixel_1", "place"])
    ('place', 'pixel_0', 'pixel_1')
    """
    known = list(names)
    meant_by = {each: [each] if each in known else fnmatch.filter(known, each) or [each] for each in declared}
    return tuple(dict.fromkeys(name for each in meant_by.values() for name in each))


def _check_features(where: str, features: Iterable[Feature], roles: Mapping[str, Role]) -> None:
    """Check that what is made inside cross-validation reads features; the transformer itself says which kind."""
    for feature in features:
        for name in feature.columns:
            if name not in roles:
                raise ProblemError(
                    f"{where}: features.columns of {feature.name!r} names {name!r}, which is no feature"
                    f"{meant(name, roles)}; the features: {listed(roles)}."
                )


def check_names(
    problem: str, named: Mapping[str, Iterable[str]], data: Iterable[str], derived: Iterable[str] = ()
) -> None:
    """Check that columns which a problem names, by the key that they stand under, are columns of the data.

    Those of ``columns`` may be derived ones as well.

    Raises
    ------
    ProblemError
        One is not: says which, and under which key.
    """
    columns, more = list(data), list(derived)
    for key, names in named.items():
        known = [*columns, *more] if key.startswith("columns.") else columns
        for name in names:
            if name not in known:
                raise ProblemError(
                    f"data/{problem}/problem.toml: {key} names the column {name!r}, which the data does not have"
                    f"{meant(name, known)}; its columns: {listed(columns)}."
                )


def _named(problem: Problem) -> dict[str, tuple[str, ...]]:
    """Give the names of columns that a problem declares, by the key that they stand under."""
    return {
        "target": (problem.target,),
        "identity": problem.identity,
        "split.by": problem.split.by,
        "split.stratify": (problem.split.stratify,) if problem.split.stratify else (),
        "columns.drop": problem.columns.drop,
        "columns.numeric": problem.columns.numeric,
        "columns.categorical": problem.columns.categorical,
        "columns.text": problem.columns.text,
        "gate.behaviours.column": tuple(behaviour.column for behaviour in problem.gate.behaviours),
    }


def with_history(problem: Problem, columns: Iterable[Column]) -> tuple[Column, ...]:
    """Give the columns of the data and those that `look_back` adds to them, after checking what it reads.

    Raises
    ------
    ProblemError
        ``history`` names a column that the data does not have or that holds no numbers, or would make one that it has.
    """
    found = {column.name: column for column in columns}
    history, where = problem.history, f"data/{problem.name}/problem.toml: history"
    if history is None:
        return tuple(found.values())
    for key, names in {"order": (history.order,), "of": history.of, "by": history.by}.items():
        for name in names:
            if name not in found:
                raise ProblemError(
                    f"{where}.{key} names the column {name!r}, which the data does not have{meant(name, found)}; "
                    f"its columns: {listed(found)}."
                )
            if key == "of" and kind_of(found[name].dtype) != "number":
                raise ProblemError(
                    f"{where}.of needs numbers, but the column {name!r} holds {found[name].dtype}; correct the data, "
                    "or name another column."
                )
    if taken := [name for name in history.columns if name in found]:
        raise ProblemError(
            f"{where} makes the column {taken[0]!r}, but the data has one of that name; rename that one."
        )
    return (*found.values(), *(Column(name=name, dtype="double") for name in history.columns))


def _check_read(key: str, read: Read, problem: Problem, kinds: dict[str, Kind], dtypes: dict[str, str]) -> None:
    """Check that a derived column can read a column: one of the data, or one derived before it."""
    name, kind = read.column, kinds.get(read.column)
    if name in problem.derived and kind is None:
        raise ProblemError(f"{key} reads {name!r}, which is derived after it; declare {name!r} first.")
    if name == problem.target:
        raise ProblemError(f"{key} reads the target {name!r}, which nobody knows when a model predicts.")
    if kind is None:
        raise ProblemError(
            f"{key} names the column {name!r}, which the data does not have"
            f"{meant(name, dtypes)}; its columns: {listed(dtypes)}."
        )
    if read.takes not in {kind, "any value"} and not (read.takes == "date" and kind == "text"):
        needs = {"number": "numbers", "text": "text", "date": "dates"}[read.takes]
        raise ProblemError(
            f"{key}{f': {read.function}' if read.function else ''} needs {needs}, but the column {name!r} "
            f"holds {dtypes[name]}; correct the data, or leave the column out."
        )


def _check_behaviours(where: str, behaviours: Iterable[Behaviour], dtypes: Mapping[str, str]) -> None:
    """Check that columns hold what declared behaviours change in them; a derived column changes with its source."""
    for behaviour in behaviours:
        name, dtype, new = behaviour.column, dtypes[behaviour.column], behaviour.replace
        truth, number = dtype.startswith("bool"), kind_of(dtype) == "number"
        fits = isinstance(new, (int, float) if number else str) and isinstance(new, bool) == truth
        if new is None and (truth or not number):
            raise ProblemError(
                f"{where}: gate.behaviours: add and multiply need numbers, but the column {name!r} holds {dtype}; "
                "use replace, or name another column."
            )
        if new is not None and not fits:
            needed = "true or false" if truth else "a number" if number else "a text"
            raise ProblemError(
                f"{where}: gate.behaviours: replace = {new!r} is nothing that the column {name!r} can hold; "
                f"it holds {dtype}, so {needed} is needed."
            )


def _role(problem: Problem, name: str, kind: Kind) -> Role | None:
    declared: tuple[Role, ...] = ("numeric", "categorical", "text")
    for role in declared:
        if name in getattr(problem.columns, role):
            return role
    if kind == "date":
        return None
    return "numeric" if kind == "number" else "categorical"


def kind_of(dtype: str) -> Kind:
    """Give what a column of an Arrow type holds."""
    if dtype.startswith(("date", "timestamp")):
        return "date"
    return "number" if dtype.startswith(NUMBERS) else "text"


def derive(frame: pd.DataFrame, columns: FeatureSet) -> pd.DataFrame:
    """Give the features of rows, see `derived`, as a frame in the order of the roles."""
    import pandas as pd

    made = pd.DataFrame(derived(frame.reset_index(drop=True), columns), index=pd.RangeIndex(len(frame)))
    return made.set_axis(frame.index)


def derived(rows: pd.DataFrame | Mapping[str, NDArray[Any]], columns: FeatureSet) -> dict[str, Any]:
    """Give the features of rows: the source's columns and the derived ones, by name in the order of the roles.

    Every derived value depends on its own row alone, so it is the same in training, in evaluation and in production.
    Division by zero gives a missing value. Numeric features are arrays of float64, categorical ones series of strings
    (missing stays missing), texts series of strings (a missing one is empty).
    """
    values = _Values(rows)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name, expression in columns.derived.items():
            found = evaluate(expression, values.read_by(expression))
            if gives(expression) == "number":
                number = np.asarray(found, dtype="float64")
                found = np.where(np.isfinite(number), number, np.nan)
            values.derived[name] = found
    return {name: _feature(values[name], role) for name, role in columns.roles.items()}


class _Values:
    """The columns of rows and those derived so far."""

    def __init__(self, rows: pd.DataFrame | Mapping[str, NDArray[Any]]) -> None:
        self.rows = rows
        self.derived: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.derived[name] if name in self.derived else self.rows[name]

    def read_by(self, expression: str) -> dict[str, Any]:
        """Give the columns that an expression reads: numbers as float64 arrays, others as they are."""
        return {
            read.column: _numbers(self[read.column]) if read.takes == "number" else self[read.column]
            for read in sorted(reads(expression), key=lambda read: read.takes == "number")
        }


def _feature(values: Any, role: Role) -> Any:
    match role:
        case "numeric":
            return _numbers(values)
        case "categorical":
            return texts(values)
        case "text":
            return texts(values).fillna("")


def _numbers(values: Any) -> NDArray[np.float64]:
    if isinstance(values, np.ndarray):
        return values.astype("float64", copy=False)
    return values.to_numpy(dtype="float64", na_value=np.nan)


def names_with_role(columns: FeatureSet, role: Role) -> list[str]:
    """Give the names of the features of a role, in order."""
    return [name for name, given in columns.roles.items() if given == role]


def source_columns(columns: FeatureSet) -> list[str]:
    """Give the columns of the source that a model needs: its features and what the derived ones read."""
    plain = [name for name in columns.roles if name not in columns.derived]
    inputs = {name for text in columns.derived.values() for name in columns_in(text) if name not in columns.derived}
    return list(dict.fromkeys([*plain, *sorted(inputs)]))


def served_columns(columns: FeatureSet) -> dict[str, bool]:
    """Give what an exported network takes, and whether each is a number (else text).

    Arithmetic is evaluated inside the network, on raw columns. What is derived from texts or dates is not: the network
    takes such a feature itself, instead of the columns that it is derived from.
    """
    inside = arithmetic_inside(columns)
    taken = [name for name in columns.roles if name not in inside]
    inputs = {name for text in inside.values() for name in columns_in(text) if name not in inside}
    return {name: columns.roles.get(name, "numeric") == "numeric" for name in dict.fromkeys([*taken, *sorted(inputs)])}


def arithmetic_inside(columns: FeatureSet) -> dict[str, str]:
    """Give the derived columns that are arithmetic on numbers that an exported network has, in order."""
    inside: dict[str, str] = {}
    for name, text in columns.derived.items():
        outside = [read for read in columns_in(text) if read in columns.derived and read not in inside]
        given = [read for read in columns_in(text) if read not in inside]
        if (
            is_arithmetic(text)
            and columns.roles.get(name, "numeric") == "numeric"
            and all(read in columns.roles for read in outside)
            and all(columns.roles.get(read, "numeric") == "numeric" for read in given)
        ):
            inside[name] = text
    return inside


def identity_columns(declared: tuple[str, ...], target: str, data: Artifact | Table) -> tuple[str, ...]:
    """Give the columns that make a row what it is: as declared, else all but the target."""
    return declared or tuple(name for name in data.names if name not in {target, ROW, FOLD})


def row_hashes(rows: pd.DataFrame | pa.RecordBatch | pa.Table, identity: Iterable[str]) -> NDArray[np.uint64]:
    """Give a hash of each row's identity, an array of shape (rows,).

    It depends on nothing but the values: not on the order of rows or columns, nor on whether a column was read as
    integers or, because of one missing value, as floats. Vectorised (pandas' hash is keyed and the same on every
    machine), and of texts each different one is hashed once.
    """
    import pandas as pd

    total = np.zeros(len(rows) if isinstance(rows, pd.DataFrame) else rows.num_rows, dtype="uint64")
    for name in sorted(identity):
        hashed = _series_hashes(rows[name]) if isinstance(rows, pd.DataFrame) else _array_hashes(rows[name])
        total = pd.util.hash_array(total * np.uint64(31) + hashed + _salt(name))
    return cast("NDArray[np.uint64]", total)


def _series_hashes(values: pd.Series[Any]) -> NDArray[np.uint64]:
    import pandas as pd

    truth = values.dtype == "object" and pd.api.types.infer_dtype(values, skipna=True) == "boolean"
    if not truth and not pd.api.types.is_numeric_dtype(values):
        return _text_hashes(values)
    whole = values.fillna(0).to_numpy() if pd.api.types.is_integer_dtype(values) else None
    return _number_hashes(values.to_numpy(dtype="float64", na_value=np.nan), whole)


def _array_hashes(values: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """Give the hashes of Arrow values, the same as those of the series that pandas makes of them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if types.is_boolean(array.type) or types.is_integer(array.type):
        array = array.cast("uint8") if types.is_boolean(array.type) else array
        whole = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
        gone = array.is_null().to_numpy(zero_copy_only=False)
        return _number_hashes(np.where(gone, np.nan, whole.astype("float64")), whole)
    if types.is_floating(array.type):
        return _number_hashes(array.to_numpy(zero_copy_only=False).astype("float64"))
    if types.is_nested(array.type):
        return _text_hashes(array.to_pandas())
    coded = array if types.is_dictionary(array.type) else array.dictionary_encode()
    codes = pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)
    return np.append(_text_hashes(coded.dictionary.to_pandas()), MISSING)[codes]


def _text_hashes(values: pd.Series[Any]) -> NDArray[np.uint64]:
    import pandas as pd

    texts = values.astype("object").where(values.notna(), None).astype("str")
    return pd.util.hash_array(texts.to_numpy(dtype="object"))


def _number_hashes(numbers: NDArray[np.float64], whole: NDArray[Any] | None = None) -> NDArray[np.uint64]:
    """Give the hashes of numbers; ``whole`` are the same as integers, where they are, any value where one is missing.

    From 2**53 on floats no longer tell integers apart, so these are hashed by their digits.
    """
    import pandas as pd

    hashed = pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers + 0.0))  # -0.0 and 0.0 are one value
    if whole is not None and (large := np.abs(numbers) >= 2.0**53).any():
        hashed[large] = pd.util.hash_array(whole[large].astype("str").astype("object"))
    return hashed


def _salt(name: str) -> np.uint64:
    import pandas as pd

    return cast("np.uint64", pd.util.hash_array(np.array([name], dtype="object"))[0])

"""What columns mean: which are features, of which role, and what makes two rows the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import ProblemError
from tasks.expressions import columns_in, evaluate
from tasks.problem import Problem
from tasks.records import Artifact, Column, FeatureSet, Role
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ROW = "salamander_row"
"""The column of a split's tables that holds the hash of each row's identity."""


def feature_set(problem: Problem, columns: Iterable[Column]) -> FeatureSet:
    """Give what models of a problem read, after checking every declared column against the data.

    Numbers are numeric, everything else is categorical, unless the problem says otherwise.

    Raises
    ------
    ProblemError
        The problem names a column that the data does not have.
    """
    dtypes = {column.name: column.dtype for column in columns}
    derived = dict(problem.derived)
    named = {
        "target": (problem.target,),
        "identity": problem.identity,
        "split.stratify": (problem.split.stratify,) if problem.split.stratify else (),
        "columns.drop": problem.columns.drop,
        "columns.numeric": problem.columns.numeric,
        "columns.categorical": problem.columns.categorical,
    } | {f"derived.{name}": columns_in(text) for name, text in derived.items()}
    for key, names in named.items():
        for name in names:
            if name not in dtypes:
                raise ProblemError(
                    f"data/{problem.name}/problem.toml: {key} names the column {name!r}, which the data does not have"
                    f"{meant(name, dtypes)}; its columns: {listed(dtypes)}."
                )
    for key, names in named.items():
        if key == "columns.numeric" or key.startswith("derived."):
            for name in names:
                if not _is_number(dtypes[name]):
                    raise ProblemError(
                        f"data/{problem.name}/problem.toml: {key} needs numbers, but the column {name!r} "
                        f"holds {dtypes[name]}; correct the data, or leave the column out."
                    )
    if taken := [name for name in derived if name in dtypes]:
        raise ProblemError(
            f"data/{problem.name}/problem.toml: derived.{taken[0]} has the name of a column of the data."
        )
    roles: dict[str, Role] = {
        name: _role(problem, name, dtype)
        for name, dtype in dtypes.items()
        if name != problem.target and name not in problem.columns.drop
    }
    for name in derived:
        roles[name] = "numeric"
    return FeatureSet(target=problem.target, roles=roles, derived=derived)


def _role(problem: Problem, name: str, dtype: str) -> Role:
    return "categorical" if name in problem.columns.categorical or not _is_number(dtype) else "numeric"


def _is_number(dtype: str) -> bool:
    return dtype.startswith(("int", "uint", "float", "double", "bool", "half", "decimal"))


def derive(frame: pd.DataFrame, columns: FeatureSet) -> pd.DataFrame:
    """Give the features of rows: the source's columns and the derived ones, in the order of the roles.

    Every derived value depends on its own row alone, so it is the same in training, in evaluation and in production.
    Division by zero gives a missing value. Numeric features are float64, categorical ones are strings (missing stays
    missing).
    """
    import pandas as pd

    numbers = {name: frame[name].to_numpy(dtype="float64", na_value=np.nan) for name in _numeric_inputs(columns)}
    features: dict[str, Any] = {}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name, role in columns.roles.items():
            if name in columns.derived:
                value = np.asarray(evaluate(columns.derived[name], numbers), dtype="float64")
                features[name] = np.where(np.isfinite(value), value, np.nan)
            elif role == "numeric":
                features[name] = frame[name].to_numpy(dtype="float64", na_value=np.nan)
            else:
                features[name] = _texts(frame[name])
    return pd.DataFrame(features, index=frame.index)


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Give categories as text: 12 and 12.0 are one, as one missing value makes pandas read whole numbers as floats."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values):
        values = values.map(lambda number: str(int(number)) if number.is_integer() else str(number), na_action="ignore")
    return values.astype("str").where(values.notna())


def _numeric_inputs(columns: FeatureSet) -> set[str]:
    return {name for text in columns.derived.values() for name in columns_in(text)}


def names_with_role(columns: FeatureSet, role: Role) -> list[str]:
    """Give the names of the features of a role, in order."""
    return [name for name, given in columns.roles.items() if given == role]


def source_columns(columns: FeatureSet) -> list[str]:
    """Give the columns of the source that a model needs: its features and what the derived ones read."""
    plain = [name for name in columns.roles if name not in columns.derived]
    return list(dict.fromkeys([*plain, *sorted(_numeric_inputs(columns))]))


def identity_columns(declared: tuple[str, ...], target: str, data: Artifact) -> tuple[str, ...]:
    """Give the columns that make a row what it is: as declared, else all but the target."""
    return declared or tuple(name for name in data.names if name not in {target, ROW})


def row_hashes(frame: pd.DataFrame, identity: Iterable[str]) -> NDArray[np.uint64]:
    """Give a hash of each row's identity, an array of shape (rows,).

    It depends on nothing but the values: not on the order of rows or columns, nor on whether a column was read as
    integers or, because of one missing value, as floats. Vectorised (pandas' hash is keyed and the same on every
    machine).
    """
    import pandas as pd

    total = np.zeros(len(frame), dtype="uint64")
    for name in sorted(identity):
        total = pd.util.hash_array(total * np.uint64(31) + _value_hashes(frame[name]) + _salt(name))
    return cast("NDArray[np.uint64]", total)


def _value_hashes(values: pd.Series[Any]) -> NDArray[np.uint64]:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(values):
        texts = values.astype("object").where(values.notna(), None).astype("str")
        return pd.util.hash_array(texts.to_numpy(dtype="object"))
    numbers = values.to_numpy(dtype="float64", na_value=np.nan) + 0.0  # -0.0 and 0.0 are one value
    hashed = pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers))
    large = np.abs(numbers) >= 2.0**53  # where floats no longer tell integers apart
    if pd.api.types.is_integer_dtype(values) and large.any():
        hashed[large] = pd.util.hash_array(values[large].astype("str").to_numpy(dtype="object"))
    return hashed


def _salt(name: str) -> np.uint64:
    import pandas as pd

    return cast("np.uint64", pd.util.hash_array(np.array([name], dtype="object"))[0])

"""Pitfalls: what people overlook in a table before they train on it, each as a sentence with its figures.

Nothing here changes the data. What would make a model worthless (a column that gives the target away) is said first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import TaskKind
from tasks.drafting.profile import ISO, ColumnProfile, figure, numbers

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ROWS_TRIED = 5_000
"""So many rows are enough to see whether one column alone tells the target."""


@dataclass(frozen=True)
class Pitfall:
    """One thing to look at: what kind it is, the column, the sentence and how many rows it concerns."""

    kind: str
    sentence: str
    column: str | None = None
    rows: int | None = None


def giveaways(frame: pd.DataFrame, y: NDArray[Any], task: TaskKind, features: Sequence[str]) -> list[Pitfall]:
    """Give the features that tell the target all but perfectly, each by itself, unless there is one feature only."""
    if len(features) < 2:
        return []
    chosen = np.sort(np.random.default_rng(0).permutation(len(frame))[:ROWS_TRIED])
    few, target = frame.iloc[chosen], y[chosen]
    tells = _tells_class if task == "classification" else _tells_number
    said = {name: how for name in features if (how := tells(few[name], target))}
    kept_out = "it was left out of the features: take it back only if it is known before the target is"
    return [
        Pitfall("gives the target away", f"{name} alone tells the target ({how}); {kept_out}", name)
        for name, how in said.items()
    ]


def _tells_class(values: pd.Series[Any], y: NDArray[Any]) -> str | None:
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    classes, counts = np.unique(y, return_counts=True)
    usual = np.isin(y, classes[counts >= 3])
    if len(np.unique(y[usual])) < 2:
        return None
    tree = DecisionTreeClassifier(max_leaf_nodes=max(8, 2 * len(classes)), random_state=0)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's, of many classes for few rows
        predicted = cross_val_predict(tree, _inputs(values)[usual], y[usual], cv=folds)
    score = float(balanced_accuracy_score(y[usual], predicted))
    return f"balanced accuracy {score:.3f} of a small tree" if score > 0.98 else None


def _tells_number(values: pd.Series[Any], y: NDArray[Any]) -> str | None:
    from scipy.stats import rankdata
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeRegressor

    inputs = _inputs(values)
    if inputs.shape[1] == 1 and (known := np.isfinite(inputs[:, 0])).sum() > max(10, len(y) / 2):
        ranks = [rankdata(each[known]) for each in (inputs[:, 0], y)]
        spread = [float(each.std()) for each in ranks]
        correlation = float(np.corrcoef(*ranks)[0, 1]) if min(spread) > 0 else 0.0
        if abs(correlation) > 0.98:
            return f"rank correlation {correlation:.3f}"
    tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
    score = float(r2_score(y, cross_val_predict(tree, inputs, y, cv=KFold(3, shuffle=True, random_state=0))))
    return f"R² {score:.3f} of a tree" if score > 0.99 else None


def _inputs(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Give what a tree reads of a column: the number itself, or an indicator for each text; shape (rows, inputs)."""
    import pandas as pd

    if (found := numbers(values)) is not None:
        return np.where(np.isfinite(found), found, np.nan)[:, None]
    return pd.get_dummies(values.astype("str").where(values.notna(), "missing")).to_numpy(dtype="float64")


def pitfalls(
    frame: pd.DataFrame, profiles: Mapping[str, ColumnProfile], target: str, task: TaskKind, identity: Sequence[str]
) -> list[Pitfall]:
    """Give everything else that is worth a look, the target's first, then the rows', then the columns'."""
    of_target = _imbalance if task == "classification" else _skew
    found = [*_unlabelled(profiles[target]), *of_target(frame[target].dropna(), target)]
    found += _twins(frame, profiles, target, identity)
    checks: tuple[Callable[[ColumnProfile], list[Pitfall]], ...] = (_constant, _gaps, _infinite, _text_dates)
    found += [pitfall for check in checks for each in profiles.values() for pitfall in check(each)]
    numeric = [each.name for each in profiles.values() if each.kind in {"whole", "number"}]
    if task == "classification":
        numeric = [name for name in numeric if name != target]
    return found + [pitfall for name in numeric for pitfall in caps(frame[name], name)]


def _unlabelled(target: ColumnProfile) -> list[Pitfall]:
    if not target.missing:
        return []
    sentence = f"{target.name} is missing in {target.missing:,} of {target.rows:,} rows, which are not learnt from"
    return [Pitfall("missing target", sentence, target.name, target.missing)]


def _imbalance(y: pd.Series[Any], name: str) -> list[Pitfall]:
    counts = y.value_counts()
    smallest, rows = counts.index[-1], int(counts.iloc[-1])
    if rows / len(y) >= 0.05 or len(counts) > 20:
        return []
    largest = counts.iloc[0] / len(y)
    return [
        Pitfall(
            "imbalanced target",
            f"{name}: only {rows:,} of {len(y):,} rows ({rows / len(y):.1%}) are {_said(smallest)}; always saying "
            f"{_said(counts.index[0])} is right in {largest:.1%}, so look at metric = 'log_loss' too",
            name,
            rows,
        )
    ]


def _said(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _skew(y: pd.Series[Any], name: str) -> list[Pitfall]:
    from scipy.stats import skew as skewness

    values = y.to_numpy(dtype="float64")
    skew = float(skewness(values)) if values.std() > 0 else 0.0
    if not (values.min() >= 0 and skew > 2):
        return []
    sentence = (
        f"{name} is skewed ({skew:.1f}): its mean is {figure(float(values.mean()))}, its median "
        f"{figure(float(np.median(values)))}; "
        "a few large values rule the RMSE, so consider metric = 'mae' or 'mape'"
    )
    return [Pitfall("skewed target", sentence, name)]


def _constant(column: ColumnProfile) -> list[Pitfall]:
    if column.kind == "empty":
        return [Pitfall("empty column", f"{column.name} has no value in any row", column.name, column.rows)]
    if column.distinct > 1:
        return []
    value = f" ({column.values[0]!r})" if column.values else ""
    where = f"the same value{value} in all rows" if not column.missing else f"one value{value}, or none"
    return [Pitfall("constant column", f"{column.name} has {where}", column.name, column.rows - column.missing)]


def _gaps(column: ColumnProfile) -> list[Pitfall]:
    if not 1 / 3 < column.missing_share < 1:
        return []
    sentence = f"{column.name} is missing in {column.missing:,} of {column.rows:,} rows ({column.missing_share:.0%})"
    return [Pitfall("many missing values", sentence, column.name, column.missing)]


def _infinite(column: ColumnProfile) -> list[Pitfall]:
    if not column.infinite:
        return []
    sentence = f"{column.name} is infinite in {column.infinite:,} rows, often a division by zero; it is no feature so"
    return [Pitfall("infinite numbers", sentence, column.name, column.infinite)]


def _text_dates(column: ColumnProfile) -> list[Pitfall]:
    if not column.date_formats:
        return []
    first = column.date_formats[0]
    if first in ISO or len(column.date_formats) == 1:
        said = f"{column.name} holds dates as text ({first})"
    else:
        formats = " or ".join(column.date_formats)
        said = f"{column.name} holds dates whose day and month cannot be told apart ({formats})"
    return [Pitfall("dates as text", said, column.name)]


def caps(values: pd.Series[Any], name: str) -> list[Pitfall]:
    """Give the piles at the ends of a number's range: a limit of how it was measured, not a value."""
    found = numbers(values)
    finite = np.empty(0) if found is None else found[np.isfinite(found)]
    different, counts = (each.tolist() for each in np.unique(finite, return_counts=True))
    if len(different) < 20:
        return []
    ends = [("above", different[-1], counts[-1], counts[-6:-1]), ("below", different[0], counts[0], counts[1:6])]
    return [
        Pitfall(
            "capped values",
            f"{name} looks capped {side}: {count:,} rows ({count / len(finite):.1%}) are exactly {figure(value)}, "
            f"at most {max(near):,} share a value near it",
            name,
            count,
        )
        for side, value, count, near in ends
        if count >= 10 and count > 5 * max(near) and value != 0  # nothing at all is a usual value
    ]


def _twins(
    frame: pd.DataFrame, profiles: Mapping[str, ColumnProfile], target: str, identity: Sequence[str]
) -> list[Pitfall]:
    """Give how many rows say the same as another, but for identity, spelling and the last digits of numbers."""
    names = [name for name in profiles if name not in identity or len(identity) > 1]
    if len(names) < 3:  # a number or two are often equal by chance
        return []
    hashes = np.stack([_hashed(frame[name]) * np.uint64(2 * place + 3) for place, name in enumerate(names)])
    total = hashes.sum(axis=0, dtype="uint64")
    features = total - hashes[names.index(target)]
    found: list[Pitfall] = []
    if again := _repeated(total):
        said = "but for identity, spelling and the last digits of numbers"
        found.append(Pitfall("equal rows", f"{again:,} rows repeat another ({said})", rows=again))
    if (contrary := _repeated(features) - again) and len(names) > 3:
        found.append(
            Pitfall("contrary rows", f"{contrary:,} rows differ from another in the target alone", rows=contrary)
        )
    if 6 <= len(names) <= 50 and len(frame) <= 5_000:
        near = np.zeros(len(frame), dtype=bool)
        for name, each in zip(names, hashes, strict=True):
            if name != target:
                near |= _is_repeated(total - each)
        if one := int((near & ~_is_repeated(total)).sum()):
            found.append(Pitfall("near-equal rows", f"{one:,} rows differ from another in one column alone", rows=one))
    return found


def _hashed(values: pd.Series[Any]) -> NDArray[np.uint64]:
    import pandas as pd

    if (found := numbers(values)) is not None:
        texts = np.char.mod("%.6g", found + 0.0)
        return pd.util.hash_array(texts.astype("object"))
    texts = values.astype("object").where(values.notna(), "")
    return pd.util.hash_array(np.array([" ".join(str(text).casefold().split()) for text in texts], dtype="object"))


def _is_repeated(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell for each row whether an earlier one is equal."""
    first = np.unique(hashes, return_index=True)[1]
    repeated = np.ones(len(hashes), dtype=bool)
    repeated[first] = False
    return repeated


def _repeated(hashes: NDArray[np.uint64]) -> int:
    return int(_is_repeated(hashes).sum())

"""Guesses: what a table's columns mean and how a problem is best declared, each with its reason in words.

A guess is never silent: whoever reads the draft sees what was taken for what, and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tasks.candidates import TaskKind
from tasks.drafting.profile import MOST_VALUES, ColumnProfile, figure, numbers
from tasks.errors import ProblemError
from tasks.sentences import listed

if TYPE_CHECKING:
    import pandas as pd

Part = Literal["target", "identity", "numeric", "categorical", "dropped"]

IDENTIFIER = re.compile(
    r"(?:^|[_\W])(?:id|uuid|guid|key|index|row|rownum|nr|no)$|[a-z](?:Id|ID|Key|Nr|No)$|^(?:id|no|unnamed: 0)$"
)
CODE = re.compile(
    r"(?:^|[_\W])(?:code|cd|zip|zipcode|postcode|plz|id|type|class|category)$|[a-z](?:Code|Zip|Id|ID|Type)$|^zip",
    re.ASCII,
)
MOST_CLASSES = 10
"""Whole numbers of so many different values or fewer are taken for classes."""


@dataclass(frozen=True)
class Guess:
    """What part a column plays, and why it is thought so."""

    column: str
    part: Part
    why: str


def guess_task(target: ColumnProfile, asked: TaskKind | None = None) -> tuple[TaskKind, str]:
    """Give the task that a target asks for, and why.

    Raises
    ------
    ProblemError
        The target can be neither classes nor numbers.
    """
    name = repr(target.name)
    if target.kind in {"date", "nested", "empty"}:
        what = {"date": "dates", "nested": "nested values", "empty": "nothing"}[target.kind]
        raise ProblemError(f"The target {name} holds {what}; a target is classes or numbers: name another --target.")
    if target.distinct < 2:
        raise ProblemError(
            f"The target {name} has one value, {target.values[0]!r}, in all rows: nothing to tell apart."
        )
    if target.infinite:
        raise ProblemError(
            f"The target {name} is infinite in {target.infinite:,} rows; correct them or leave them out."
        )
    if not target.is_number and (target.distinct > MOST_VALUES or target.distinct > target.rows / 4):
        raise ProblemError(
            f"The target {name} has {target.distinct:,} different texts in {target.rows:,} rows: too many for classes, "
            "and no numbers; name another --target, or clean it first."
        )
    if asked == "regression" and not target.is_number:
        raise ProblemError(f"The target {name} holds text, so --task regression does not fit; leave it out.")
    if asked == "classification" and target.distinct > max(MOST_VALUES, 100):
        raise ProblemError(f"The target {name} has {target.distinct:,} different values: too many for classes.")
    if asked:
        return asked, "as asked for with --task"
    if not target.is_number or target.kind == "truth":
        return "classification", f"{name} has {target.distinct} classes: {_some(target.values)}"
    if target.kind == "whole" and target.distinct <= MOST_CLASSES and target.distinct <= target.rows / 5:
        return "classification", (
            f"{name} has {target.distinct} different whole numbers ({_some(target.values)}), taken for classes; "
            "if they count or measure something, use --task regression"
        )
    return "regression", (
        f"{name} has {target.distinct:,} different numbers, {figure(target.low)} to {figure(target.high)}"
    )


def guess_identity(profiles: Mapping[str, ColumnProfile], target: str) -> tuple[tuple[str, ...], str]:
    """Give the columns that make a row the same row (none: all but the target), and why."""
    unique = [each for each in profiles.values() if each.unique and each.name != target]
    for each in unique:
        if each.kind in {"whole", "text"} and _like_identifier(each):
            return (
                each.name,
            ), f"{each.name} is different in each of the {each.rows:,} rows and looks like an identifier"
    if dates := [each for each in unique if each.kind == "date"]:
        return (dates[0].name,), f"each of the {dates[0].rows:,} rows has a {dates[0].name} of its own"
    return (), "no column identifies a row, so all columns but the target do; a corrected value makes a new row"


def _like_identifier(column: ColumnProfile) -> bool:
    if IDENTIFIER.search(column.name):
        return True
    if column.kind == "whole":
        return column.high - column.low == column.rows - 1 and column.low in {0, 1}
    return column.words == 1 and column.rows > MOST_VALUES


def guess_part(column: ColumnProfile, target: str, identity: Sequence[str]) -> Guess:
    """Give the part that a column plays by its looks alone."""
    name, seen = column.name, f"{column.distinct:,} different"
    if name == target:
        return Guess(name, "target", f"as asked for; {seen} values")
    if name in identity:
        return Guess(name, "identity", "makes a row the same row; says nothing else, so it is no feature")
    if why := _why_not(column):
        return Guess(name, "dropped", why)
    return _text_part(column) if column.kind == "text" else _number_part(column)


def _why_not(column: ColumnProfile) -> str | None:
    """Give the reason why a column cannot be a feature, whatever it means."""
    reasons = {
        "has no value in any row": column.kind == "empty",
        "has the same value in all rows": column.distinct == 1 and not column.missing,
        "holds lists, structures or bytes": column.kind == "nested",
        "dates are no features by themselves": column.kind == "date",
        f"is infinite in {column.infinite:,} rows, which no estimator takes": column.infinite > 0,
        "different in each row: an identifier": column.kind == "whole" and column.unique and _like_identifier(column),
    }
    return next((why for why, holds in reasons.items() if holds), None)


def _number_part(column: ColumnProfile) -> Guess:
    name = column.name
    if column.kind == "truth":
        return Guess(name, "numeric", "true or false")
    if column.kind == "whole" and (CODE.search(name) or _like_zip(column)) and column.distinct > 2:
        if column.distinct <= MOST_VALUES:
            return Guess(name, "categorical", f"whole numbers, but by its name a code: {_some(column.values)}")
        return Guess(
            name, "dropped", f"by its name a code or an identifier, with {column.distinct:,} different numbers"
        )
    return Guess(name, "numeric", f"{figure(column.low)} to {figure(column.high)}{_gaps(column)}")


def _text_part(column: ColumnProfile) -> Guess:
    if column.distinct <= MOST_VALUES and column.distinct <= (column.rows - column.missing) / 2:
        return Guess(column.name, "categorical", f"{column.distinct} texts: {_some(column.values)}{_gaps(column)}")
    what = "free text" if column.words >= 3 else "text"
    return Guess(column.name, "dropped", f"{what} with {column.distinct:,} different values{_gaps(column)}")


def _like_zip(column: ColumnProfile) -> bool:
    named = re.search(r"zip|postal|postcode|plz|fips|icd|naics", column.name, re.IGNORECASE)
    return bool(named) and column.low >= 0


def _gaps(column: ColumnProfile) -> str:
    return f"; {column.missing:,} missing" if column.missing else ""


def _some(values: Sequence[object]) -> str:
    shown = [_short(str(value)) for value in values[:4]]
    return listed(shown) + (", ..." if len(values) > 4 else "")


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."


def guess_codes(frame: pd.DataFrame, y: Any, task: TaskKind, columns: Sequence[ColumnProfile]) -> dict[str, str]:
    """Give the numeric columns whose numbers are names, with the reason: order tells little, groups much."""
    import pandas as pd

    indicators = pd.get_dummies(pd.Series(y)).to_numpy(dtype="float64")[:, :20] if task == "classification" else None
    targets = indicators if indicators is not None else np.asarray(y, dtype="float64")[:, None]
    found: dict[str, str] = {}
    for column in columns:
        if column.kind != "whole" or not 3 <= column.distinct <= 20 or column.rows < 20 * column.distinct:
            continue
        values = numbers(frame[column.name])
        if values is None or np.isnan(values).any():
            continue
        by_group, by_order = _explained(values, targets)
        if by_group - by_order > 0.1 and by_group > 3 * by_order:
            found[column.name] = (
                f"{column.distinct} whole numbers whose groups explain {by_group:.0%} of the target, their order "
                f"{by_order:.0%}: a code"
            )
    return found


def _explained(values: Any, targets: Any) -> tuple[float, float]:
    """Give the share of the targets' variance that the groups of a column explain (adjusted), and that a line does."""
    groups = np.unique(values, return_inverse=True)[1]
    counts = np.bincount(groups)
    centred = targets - targets.mean(axis=0)
    total = float((centred**2).sum())
    if total == 0:
        return 0.0, 0.0
    means = np.stack([np.bincount(groups, weights=column) / counts for column in centred.T], axis=1)
    within = float(((centred - means[groups]) ** 2).sum())
    adjusted = 1 - (within / total) * (len(values) - 1) / (len(values) - len(counts))
    line = values - values.mean()
    return adjusted, float(((line @ centred) ** 2).sum() / ((line**2).sum() * total))

"""Sides: which rows are for training, for validation and for the test, decided from arrays alone.

``hash`` and ``group``: the smallest hashes of each stratum are the test rows, the next smallest the validation rows.
``time``: the newest rows are the test rows, the newest of the others the validation rows. ``shuffle``: scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.dividing.times import back
from tasks.dividing.units import Units
from tasks.errors import DataRefused
from tasks.evidence import Evidence
from tasks.problem import SplitRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST, VALIDATION, TRAINING = 0, 1, 2


@dataclass(frozen=True)
class Sides:
    """The positions of the rows of both tables, in their order, and which of the training rows are for validation."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    validation: NDArray[np.bool_]


def smallest_hashes(hashes: NDArray[np.uint64], stratum: NDArray[Any], *shares: float) -> NDArray[np.int8]:
    """Give the number of the share that each row falls in, an array of shape (rows,); the rest has ``len(shares)``.

    Parameters
    ----------
    hashes : array of shape (rows,)
        Rows with equal hashes are one unit: they stay together, in the stratum that comes first among theirs.
    stratum : array of shape (rows,)
        Small whole numbers.
    shares : float
        The shares of each stratum: the first is that of the smallest hashes. Exact to a row where hashes are unique,
        else to a unit.
    """
    units = Units.of(hashes)
    of_unit = units.least(stratum)
    rows = np.bincount(of_unit, weights=units.sizes)
    by_stratum = np.argsort(of_unit.astype(np.min_scalar_type(len(rows))), kind="stable")  # small numbers sort faster
    of_unit, sizes = of_unit[by_stratum], units.sizes[by_stratum]
    rank = np.cumsum(sizes) - (np.cumsum(rows) - rows)[of_unit]
    middle = rank - sizes / 2  # a unit goes to a share if more than half of it fits
    part = np.zeros(len(sizes), dtype="int8")
    wanted = np.zeros(len(rows))
    for share in shares:
        wanted += np.round(rows * share)
        part[by_stratum] += middle > wanted[of_unit]
    return units.to_rows(part)


def newest(times: NDArray[Any], size: float | str, rows: int, zone: str | None = None) -> NDArray[np.bool_]:
    """Tell for each row whether it is among the newest: a share of ``rows``, or those of a period up to the newest."""
    if isinstance(size, str):
        return times > back(int(times.max()), size, zone)
    moments, counts = np.unique(times, return_counts=True)
    middle = np.cumsum(counts[::-1]) - counts[::-1] / 2  # rows equal in time are one unit, as in `smallest_hashes`
    fit = int((middle <= np.round(rows * size)).sum())
    return times >= moments[-fit] if fit else np.zeros(len(times), dtype="bool")


def decide(evidence: Evidence, rule: SplitRule) -> Sides:
    """Give the sides of the rows as a rule wants them.

    Raises
    ------
    DataRefused
        A stratum is too small to have a row in every part.
    """
    counts = np.bincount(evidence.stratum, minlength=len(evidence.names))
    if counts.min() < 2:
        raise DataRefused(_too_small(evidence, int(counts.argmin()), rule))
    found = _shuffled(evidence, rule) if rule.kind == "shuffle" else _ordered(evidence, rule)
    parts = [found.test, found.train[~found.validation]]
    parts += [found.train[found.validation]] if rule.validation_size else []
    for part in parts:
        if not (shares := np.bincount(evidence.stratum[part], minlength=len(evidence.names))).all():
            raise DataRefused(_too_small(evidence, int(shares.argmin()), rule))
    return found


def _ordered(evidence: Evidence, rule: SplitRule) -> Sides:
    """Give the sides of what is decided by hash or by time; rows come in the order of that, then of their hash."""
    sizes = [size for size in (rule.test_size, rule.validation_size) if size is not None]
    if evidence.times is None:
        shares = cast("list[float]", sizes)  # a rule has periods for kind = 'time' only
        part = smallest_hashes(evidence.units, evidence.stratum, *shares)
        keys = (evidence.rows,) if rule.kind == "hash" else (evidence.rows, evidence.units)
    else:
        part = np.full(len(evidence.rows), len(sizes), dtype="int8")
        for number, size in enumerate(sizes):
            left = np.flatnonzero(part == len(sizes))
            if len(left):
                part[left[newest(evidence.times[left], size, len(part), evidence.zone)]] = number
        keys = (evidence.rows, evidence.times)
    order = np.lexsort(keys)
    part = part[order]
    return Sides(order[part != TEST], order[part == TEST], (part == VALIDATION)[part != TEST] & (len(sizes) > 1))


def _shuffled(evidence: Evidence, rule: SplitRule) -> Sides:
    """Give the sides as scikit-learn shuffles them, in its order; validation rows are another shuffle of the others."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    splitter: Any = ShuffleSplit if rule.stratify is None else StratifiedShuffleSplit

    def shuffle(stratum: NDArray[Any], size: float | int) -> list[NDArray[np.int64]]:
        drawn = splitter(n_splits=1, test_size=size, random_state=rule.seed).split(stratum, stratum)
        return list(next(drawn))

    try:
        train, test = shuffle(evidence.stratum, cast("float", rule.test_size))
        validation = np.zeros(len(train), dtype="bool")
        if rule.validation_size:
            rows = round(cast("float", rule.validation_size) * len(evidence.stratum))
            validation[shuffle(evidence.stratum[train], rows)[1]] = True
    except ValueError as error:  # fewer rows than strata, or a stratum of one row
        counts = np.bincount(evidence.stratum)
        raise DataRefused(_too_small(evidence, int(counts.argmin()), rule)) from error
    return Sides(train, test, validation)


def _too_small(evidence: Evidence, stratum: int, rule: SplitRule) -> str:
    rows = int((evidence.stratum == stratum).sum())
    sizes = f"test_size = {rule.test_size}"
    if rule.validation_size:
        sizes += f" and validation_size = {rule.validation_size}"
    remedies = {
        "group": f"join strata with split.bins, divide by smaller groups than those of {', '.join(rule.by)}",
        "time": "choose other sizes, so that rows are left to train on",
    }.get(
        rule.kind,
        "join strata with split.bins, stratify by another column, declare an identity that tells rows apart",
    )
    return (
        f"The data is too small for its strata: stratum {evidence.names[stratum]!r} has {rows} rows, too few for "
        f"{sizes}; {remedies}, or gather more rows."
    )

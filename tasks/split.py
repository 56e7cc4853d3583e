"""Split: training and test rows, so that the test set is never seen, not even by an earlier or a later model.

Sides are decided by a hash of each row's identity, ranked within its stratum: the smallest hashes are the test rows.
The shares of the strata hold, the order of rows does not matter, rows equal in identity stay together, corrected
rows keep their side, and growth moves only the few rows whose rank crosses the boundary. (Géron, 2nd ed., chapter 2,
"Create a Test Set", hashes identifiers too, but neither stratifies nor fixes the share.)

``kind = "shuffle"`` is scikit-learn's `StratifiedShuffleSplit`, row for row, for comparison with published figures.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from prefect import get_run_logger, task

from tasks.columns import ROW, identity_columns, row_hashes
from tasks.errors import DataRefused
from tasks.problem import SplitRule
from tasks.records import Split, Stratum, Validated
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ONE_STRATUM = "all"


def strata(frame: pd.DataFrame, rule: SplitRule) -> NDArray[Any]:
    """Give the name of each row's stratum, an array of shape (rows,): its class, or the bin that its number is in."""
    import pandas as pd

    if rule.stratify is None:
        return np.full(len(frame), ONE_STRATUM, dtype="object")
    values = frame[rule.stratify]
    if rule.bins:
        edges = [-np.inf, *rule.bins, np.inf]
        labels = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
        values = pd.cut(values, bins=edges, labels=labels)
    return values.astype("object").where(values.notna(), "missing").astype("str").to_numpy(dtype="object")


def smallest_hashes(hashes: NDArray[np.uint64], stratum: NDArray[Any], test_size: float) -> NDArray[np.bool_]:
    """Tell for each row whether it is a test row.

    Parameters
    ----------
    hashes : array of shape (rows,)
        Of the rows' identity. Rows with equal hashes are one unit: they stay together, in the stratum
        whose name comes first among theirs.
    stratum : array of shape (rows,)
    test_size : float
        The share of each stratum that becomes test rows: exact to a row where identities are unique, else to a unit.
    """
    import pandas as pd

    rows = pd.DataFrame({"hash": hashes, "stratum": pd.factorize(stratum, sort=True)[0]})
    units = rows.groupby("hash", sort=True)["stratum"].agg(["min", "size"])
    by_stratum = units.groupby("min")["size"]
    wanted = (by_stratum.transform("sum") * test_size).round()
    middle = by_stratum.cumsum() - units["size"] / 2  # a unit goes to the test side if more than half of it fits
    chosen = units.index[middle <= wanted]
    return cast("NDArray[np.bool_]", rows["hash"].isin(chosen).to_numpy())


def shuffled_rows(stratum: NDArray[Any], rule: SplitRule) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the positions of the training and the test rows as scikit-learn shuffles them, in its order."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    splitter = ShuffleSplit if rule.stratify is None else StratifiedShuffleSplit
    shuffle = splitter(n_splits=1, test_size=rule.test_size, random_state=rule.seed)
    train, test = next(shuffle.split(np.zeros(len(stratum)), stratum))
    return train, test


def divide(
    frame: pd.DataFrame, rule: SplitRule, identity: Sequence[str], target: str
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Stratum, ...]]:
    """Give the training rows, the test rows and the shares of the strata.

    Both tables carry the hash of each row's identity in the column `ROW`. Rows without a target are left out: nothing
    can be learnt from them or measured on them. Hash splits are sorted by that hash, so the order of the source
    does not matter.

    Raises
    ------
    DataRefused
        A stratum is too small to have a row on both sides.
    """
    labelled = frame[frame[target].notna()]
    rows = labelled.assign(**{ROW: row_hashes(labelled, identity)})
    stratum = strata(rows, rule)
    names, counts = np.unique(stratum.astype("str"), return_counts=True)
    if len(rows) == 0:
        raise DataRefused("The data is too small for its strata: there are no rows with a target; gather some.")
    if counts.min() < 2:
        raise DataRefused(_too_small(str(names[counts.argmin()]), int(counts.min()), rule))
    if rule.kind == "hash":
        chosen = smallest_hashes(rows[ROW].to_numpy(), stratum, rule.test_size)
        order = np.lexsort([rows[ROW].to_numpy()])
        train, test = order[~chosen[order]], order[chosen[order]]
    else:
        train, test = shuffled_rows(stratum, rule)
    shares = tuple(
        Stratum(name=str(name), train=int((stratum[train] == name).sum()), test=int((stratum[test] == name).sum()))
        for name in names
    )
    if empty := [share for share in shares if min(share.train, share.test) == 0]:
        raise DataRefused(_too_small(empty[0].name, empty[0].train + empty[0].test, rule))
    return rows.iloc[train], rows.iloc[test], shares


def _too_small(stratum: str, rows: int, rule: SplitRule) -> str:
    return (
        f"The data is too small for its strata: stratum {stratum!r} has {rows} rows, too few for "
        f"test_size = {rule.test_size}; join strata with split.bins, stratify by another column, declare an identity "
        "that tells rows apart, or gather more rows."
    )


@task(task_run_name="split")
def split(validated: Validated, rule: SplitRule, identity: tuple[str, ...], target: str, store: Store) -> Split:
    """Divide validated rows into training and test rows."""
    import pyarrow as pa

    logger = get_run_logger()
    logger.info("Dividing %s rows.", f"{validated.data.rows:,}")
    frame = store.table(validated.data).to_pandas()
    columns = identity_columns(identity, target, validated.data)
    train, test, shares = divide(frame, rule, columns, target)
    by = f", stratified by {rule.stratify}" if rule.stratify else ""
    logger.info("%s training and %s test rows%s.", f"{len(train):,}", f"{len(test):,}", by)
    tables = [pa.Table.from_pandas(side, preserve_index=False) for side in (train, test)]
    return Split(train=store.keep_table(tables[0], "train"), test=store.keep_table(tables[1], "test"), strata=shares)

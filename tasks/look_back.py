"""Look back: each row with what was known before it, as columns of its own: earlier values and their statistics.

It runs before the split, on the whole series: the first test row may know the last training rows, as it will in
production, and nothing looks ahead, because every value comes from rows strictly before its own. A step back is a row,
not a day: where the calendar has a gap, "one before" is the last row that there is. (Lags by calendar would be missing
wherever a day is, and again a year later; mlforecast and sktime count rows too.)

Rows with too little history stay, with missing values: the pipelines fill them in, or read them as they are. Rows whose
value of the series is missing stay too, so that they keep their step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import get_run_logger, task

from tasks.dividing.times import lacking, times
from tasks.errors import DataRefused
from tasks.problem import History
from tasks.records import Table, Validated
from tasks.sentences import listed, meant
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


def moments(order: pd.Series[Any]) -> NDArray[Any]:
    """Give the moment of each row as a number that can be compared, an array of shape (rows,); see `times.times`.

    Raises
    ------
    DataRefused
        A value is missing, or no date.
    """
    import pyarrow as pa

    found = times(pa.array(order, from_pandas=True), str(order.name), "history.order")
    if missing := int(lacking(found).sum()):
        raise DataRefused(
            f"history.order: {missing:,} rows have no {order.name!r}, so they have no place in their series; correct "
            "them, or set them aside by an expectation."
        )
    return found


def series_numbers(rows: pd.DataFrame, by: tuple[str, ...]) -> NDArray[np.int64]:
    """Give the number of the series that each row belongs to, an array of shape (rows,); a missing value is one too."""
    if not by:
        return np.zeros(len(rows), dtype="int64")
    return np.asarray(rows.groupby(list(by), dropna=False, sort=False).ngroup(), dtype="int64")


def known_before(rows: pd.DataFrame, history: History) -> pd.DataFrame:
    """Give the declared columns of the history of each row, shape (rows, columns), in the order of the rows.

    A statistic leaves missing values out; it is missing where fewer than half of its rows have a value.

    Raises
    ------
    DataRefused
        A moment is missing, or stands twice in a series: nobody could say which row was before.
    """
    import pandas as pd

    when = moments(rows[history.order])
    series = series_numbers(rows, history.by)
    keys = pd.DataFrame({"series": series, "when": when})
    _refuse_equal_moments(rows, keys.duplicated().to_numpy(), history)
    order = keys.sort_values(["series", "when"]).index.to_numpy()
    found: dict[str, NDArray[np.float64]] = {}
    for of in history.of:
        values = rows[of].to_numpy(dtype="float64", na_value=np.nan)[order]
        ordered = pd.Series(np.where(np.isfinite(values), values, np.nan))
        for name, column in _looking_back(ordered, series[order], history).items():
            found[f"{of}_{name}"] = np.empty(len(rows))
            found[f"{of}_{name}"][order] = column
    return pd.DataFrame(found, index=rows.index)[list(history.columns)]


def read_by(history: History) -> list[str]:
    """Give the columns that a history reads."""
    return list(dict.fromkeys([history.order, *history.by, *history.of]))


def known_after(rows: pa.Table, earlier: pa.Table, history: History) -> pd.DataFrame:
    """Give the declared columns of the history of rows that follow earlier ones, shape (rows, columns), in their order.

    A row with the moment of an earlier one of its series stands in its place, with its value where it has none itself.

    Raises
    ------
    DataRefused
        As `known_before` says, or the rows have no moment or series, or other types than the earlier ones.
    """
    import pandas as pd
    import pyarrow as pa

    names = read_by(history)
    given = [name for name in names if name in rows.column_names]
    if missing := [name for name in (history.order, *history.by) if name not in given]:
        raise DataRefused(
            f"The rows have no column {missing[0]!r}{meant(missing[0], rows.column_names)}, which history reads; they "
            f"have: {listed(rows.column_names)}."
        )
    try:
        both = [earlier.select(names), rows.select(given)]
        every = pa.concat_tables(both, promote_options="permissive").to_pandas()
    except pa.ArrowException as error:
        raise DataRefused(
            f"The rows do not have the types of the last accepted snapshot in {listed(names)}: {error}."
        ) from error
    keys = pd.MultiIndex.from_arrays([series_numbers(every, history.by), moments(every[history.order])])
    for of in history.of:
        every[of] = every.groupby([keys.codes[0], keys.codes[1]])[of].transform("last")
    new = np.arange(len(every)) >= earlier.num_rows
    stays = new | ~keys.isin(keys[new])
    return known_before(every[stays].reset_index(drop=True), history).tail(rows.num_rows)


def _looking_back(values: pd.Series[Any], series: NDArray[np.int64], history: History) -> dict[str, Any]:
    """Give lags and statistics of values that stand in the order of their series and, within one, of time."""
    found: dict[str, Any] = {f"lag_{lag}": values.groupby(series).shift(lag) for lag in history.lags}
    before = values.groupby(series).shift(1).groupby(series)
    for rows in history.rolling:
        window = before.rolling(rows, min_periods=(rows + 1) // 2)
        found |= {f"{statistic}_{rows}": getattr(window, statistic)() for statistic in history.statistics}
    return {name: column.to_numpy() for name, column in found.items()}


def _refuse_equal_moments(rows: pd.DataFrame, repeated: NDArray[np.bool_], history: History) -> None:
    if not repeated.any():
        return
    first = rows[repeated].iloc[0]
    which = ", ".join(f"{name} = {str(first[name])!r}" for name in (*history.by, history.order))
    raise DataRefused(
        f"history.order: {int(repeated.sum()):,} rows have the moment of another row of their series (the first: "
        f"{which}), so nobody can say which was before; correct the rows, or name in history.by what tells the series "
        "apart."
    )


@task(task_run_name="look_back")
def look_back(validated: Validated, history: History, store: Store, before: Table | None = None) -> Validated:
    """Add the declared columns of history to validated rows; ``before`` are rows that are known besides."""
    import pyarrow as pa

    logger = get_run_logger()
    logger.info("Looking back from %s rows.", f"{validated.data.rows:,}")
    table = store.table(validated.data)
    if before:
        found = known_after(table, store.table(before, read_by(history)), history)
    else:
        found = known_before(table.to_pandas(), history)
    for name in found.columns:
        table = table.append_column(name, pa.array(found[name], from_pandas=True))
    short = int(found.isna().any(axis=1).sum())
    logger.info("%s columns of history; %s rows have no value in one.", found.shape[1], f"{short:,}")
    kept = Table(parts=(store.keep_table(table, "history"),))
    return validated.model_copy(update={"data": kept})

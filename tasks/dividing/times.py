"""Times of rows as numbers that can be compared: microseconds since 1970 for dates and texts, numbers as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import DataRefused, ProblemError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MISSING = np.iinfo("int64").min


def times(values: pa.Array, column: str, key: str = "split.by") -> NDArray[Any]:
    """Give the time of each row, an array of shape (rows,) of int64 or float64, and `MISSING` or NaN where it has none.

    Dates, time stamps (kept as microseconds, in UTC) and texts in ISO 8601; numbers stay what they are. ``key`` is
    where the problem names the column.

    Raises
    ------
    ProblemError
        The column holds neither times nor texts nor numbers.
    DataRefused
        A text is no time.
    """
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False).astype("float64")
        return np.where(np.isfinite(numbers), numbers, np.nan)
    if types.is_string(values.type) or types.is_large_string(values.type) or types.is_string_view(values.type):
        return _of_texts(values, column, key)
    if types.is_date(values.type) or types.is_timestamp(values.type):
        zone = getattr(values.type, "tz", None)
        return _whole(values.cast(_microseconds(zone), safe=False).cast("int64"))
    if types.is_integer(values.type) and not types.is_uint64(values.type):
        return _whole(values.cast("int64"))
    raise ProblemError(
        f"{key} = {column!r} is to be a time, but the column holds {values.type}; "
        "allowed are dates, time stamps, texts such as '2026-11-21' and numbers."
    )


def lacking(found: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows have no time."""
    return np.isnan(found) if found.dtype.kind == "f" else found == MISSING


def back(newest: int, period: str, zone: str | None) -> int:
    """Give the time that is a period such as ``"2 years"`` before another, by the calendar, in microseconds.

    >>> back(0, "1 day", None) / 86_400_000_000
    -1.0
    """
    import pandas as pd

    count, unit = period.split()
    parts: dict[str, Any] = {unit.removesuffix("s") + "s": int(count)}
    moment = pd.Timestamp(newest, unit="us", tz="UTC").tz_convert(zone or "UTC")
    try:
        return int((moment - pd.DateOffset(**parts)).to_datetime64().astype("datetime64[us]").astype("int64"))
    except (OverflowError, ValueError):  # before the year 1
        return MISSING


def sentence(moment: float, *, calendar: bool) -> str:
    """Give a time as a person would write it."""
    if not calendar:
        return f"{moment:g}"
    return str(np.datetime64(int(moment), "us").astype("datetime64[s]")).removesuffix("T00:00:00")


def _microseconds(zone: str | None) -> Any:
    import pyarrow as pa

    return pa.timestamp("us", zone)


def _whole(values: pa.Array) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    return cast("NDArray[np.int64]", pc.fill_null(values, MISSING).to_numpy(zero_copy_only=False))


def _of_texts(values: pa.Array, column: str, key: str) -> NDArray[np.int64]:
    """Give the times of ISO texts; each different text is read once."""
    import pandas as pd
    import pyarrow.compute as pc

    coded = values.dictionary_encode()
    texts = coded.dictionary.to_pandas()
    read = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    if len(wrong := texts[read.isna()]):
        raise DataRefused(
            f"{key} = {column!r} is to be a time, but {wrong.iloc[0]!r} is none; dates are written as in "
            "'2026-11-21' or '2026-11-21T09:30:00'; where a file has them otherwise, say how in source.dialect.dates."
        )
    distinct = read.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("int64")
    codes = pc.fill_null(coded.indices, len(distinct)).to_numpy(zero_copy_only=False)
    return np.append(distinct, MISSING)[codes]

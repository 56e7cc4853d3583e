"""The text and date functions of derived columns: each value depends on its own row alone, a column at a time.

Regular expressions run in RE2 (through PyArrow), whose time is linear in the text: none that a problem declares can
hang a run, which Python's own could. A date may be a date, a timestamp or ISO 8601 text; its hour is the one on the
clock where it was written down, so a zone or an offset changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrow import compute

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

OTHER = "other"
"""What `among` gives for a value that is not one of those listed."""


def texts(values: Any) -> pd.Series[Any]:
    """Give values as text: 12 and 12.0 are one, as one missing value makes pandas read whole numbers as floats."""
    import pandas as pd

    values = pd.Series(values)
    if pd.api.types.is_float_dtype(values):
        values = values.map(lambda number: str(int(number)) if number.is_integer() else str(number), na_action="ignore")
    return values.astype("str").where(values.notna())


def dates(values: Any) -> pd.Series[Any]:
    """Give values as timestamps without a zone; what is no date is missing."""
    import pandas as pd

    values = pd.Series(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(values):
        return values
    written = texts(values).str.replace(r"(:\d\d(?:\.\d+)?)\s*(?:Z|[+-]\d\d:?\d\d)$", r"\1", regex=True)
    return pd.to_datetime(written, format="ISO8601", errors="coerce")


def regex_mistake(pattern: str) -> str | None:
    """Give what is wrong with a regular expression in RE2's words, or nothing.

    >>> regex_mistake("([A-Z])[0-9]+")
    >>> regex_mistake("[A-Z]")
    'it has no group (...) to extract'
    """
    import pyarrow as pa

    try:
        compute().match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ")
    try:
        _first_group(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return "it has no group (...) to extract"
    return None


def _first_group(values: Any, pattern: str) -> Any:
    """Give the first group of the first match in each text; where nothing matches, the whole text."""
    return compute().replace_substring_regex(values, rf"(?s:\A.*?)(?:{pattern})(?s:.*\z)", r"\1", max_replacements=1)


def extract(values: Any, pattern: str) -> pd.Series[Any]:
    """Give the first group of the pattern's first match in each text; missing where nothing matches.

    >>> extract(["C85", "none"], "([A-Z])[0-9]+").tolist()
    ['C', nan]
    """
    found = _arrow(values)
    matches = compute().match_substring_regex(found, pattern)
    return _series(compute().if_else(matches, _first_group(found, pattern), None), values)


def among(values: Any, *kept: str) -> pd.Series[Any]:
    """Give each text that is one of those listed, ``other`` for the rest; missing stays missing."""
    found = texts(values)
    return found.where(found.isin(kept) | found.isna(), OTHER)


def lower(values: Any) -> pd.Series[Any]:
    """Give texts in lower case."""
    return _series(compute().utf8_lower(_arrow(values)), values)


def first(values: Any) -> pd.Series[Any]:
    """Give the first character of each text."""
    return _series(compute().utf8_slice_codeunits(_arrow(values), 0, 1), values)


def length(values: Any) -> NDArray[np.float64]:
    """Give the number of characters of each text, an array of shape (rows,); missing stays missing."""
    return _numbers(compute().utf8_length(_arrow(values)))


def words(values: Any) -> NDArray[np.float64]:
    """Give the number of words (what stands between blanks) of each text, an array of shape (rows,)."""
    return _numbers(compute().count_substring_regex(_arrow(values), r"\S+"))


def is_missing(values: Any) -> NDArray[np.float64]:
    """Give 1 where a value is missing, else 0, an array of shape (rows,)."""
    import pandas as pd

    return pd.Series(values).isna().to_numpy().astype("float64")


def _date_part(part: str) -> Callable[[Any], NDArray[np.float64]]:
    def give(values: Any) -> NDArray[np.float64]:
        return getattr(dates(values).dt, part).to_numpy(dtype="float64", na_value=np.nan)

    return give


year = _date_part("year")
month = _date_part("month")
day = _date_part("day")
weekday = _date_part("day_of_week")
day_of_year = _date_part("day_of_year")
hour = _date_part("hour")


def _arrow(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(texts(values), pa.large_string(), from_pandas=True)


def _series(found: Any, values: Any) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(found.to_pandas().to_numpy(dtype="object"), index=pd.Series(values).index, dtype="str")


def _numbers(found: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    return found.cast(pa.float64()).to_numpy(zero_copy_only=False)

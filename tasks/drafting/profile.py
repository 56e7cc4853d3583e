"""Profile: what each column of a table looks like, measured, before anybody decides what it means.

Kinds go by the values, not by the type in which they happened to arrive: whole numbers that one missing value made
floats are whole numbers, and dates that are written as text are dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["whole", "number", "truth", "text", "date", "nested", "empty"]

ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%z")
DATES = (
    *ISO,
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
)
MOST_VALUES = 50
"""Beyond so many different values, a column is not taken for categories."""


@dataclass(frozen=True)
class ColumnProfile:
    """What was seen in a column.

    ``values`` are the different values in their order, where there are at most `MOST_VALUES`; ``low``, ``high`` and
    ``mean`` are of the finite numbers; ``date_formats`` are the formats that all its texts fit.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    values: tuple[str | int | float | bool, ...] = ()
    infinite: int = 0
    low: float = np.nan
    high: float = np.nan
    mean: float = np.nan
    date_formats: tuple[str, ...] = ()
    words: float = 0.0

    @property
    def is_number(self) -> bool:
        """Whether it can be calculated with."""
        return self.kind in {"whole", "number", "truth"}

    @property
    def unique(self) -> bool:
        """Whether every row has a value and no two have the same."""
        return self.missing == 0 and self.distinct == self.rows

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.rows


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame whose nested values (lists, structures, bytes) are texts, so that all can be compared."""
    nested = [name for name in frame.columns if is_nested(frame[name])]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore") for name in nested}) if nested else frame


def is_nested(values: pd.Series[Any]) -> bool:
    """Tell whether a column holds lists, structures or bytes."""
    if values.dtype != object:
        return False
    first = values.dropna().head(1)
    return len(first) > 0 and isinstance(first.iloc[0], list | dict | tuple | bytes | np.ndarray)


def profiled(frame: pd.DataFrame) -> dict[str, ColumnProfile]:
    """Give the profile of each column of a frame, by name."""
    return {str(name): profile(frame[name], str(name)) for name in frame.columns}


def profile(values: pd.Series[Any], name: str) -> ColumnProfile:
    """Give the profile of one column."""
    import pandas as pd

    known = values.dropna()
    if is_nested(values):
        return ColumnProfile(name, "nested", len(values), len(values) - len(known), known.map(str).nunique())
    distinct = int(known.nunique())
    shape = (len(values), len(values) - len(known), distinct)
    if len(known) == 0:
        return ColumnProfile(name, "empty", *shape)
    if pd.api.types.is_bool_dtype(known) or all(isinstance(value, bool) for value in known.head(100)):
        return ColumnProfile(name, "truth", *shape, values=_values(known, distinct), low=0, high=1)
    if (found := numbers(known)) is not None:
        return _of_numbers(name, shape, found, _values(known, distinct))
    return _of_texts(name, shape, known)


def numbers(values: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Give a column of numbers as floats of shape (rows,), missing ones as NaN; None for another column."""
    import decimal

    import pandas as pd

    is_decimal = values.dtype == object and isinstance(next(iter(values.dropna()), None), decimal.Decimal)
    is_bool = values.dtype == object and isinstance(next(iter(values.dropna()), None), bool)
    if not pd.api.types.is_numeric_dtype(values) and not is_decimal and not is_bool:
        return None
    return values.to_numpy(dtype="float64", na_value=np.nan)


def date_formats(texts: pd.Series[Any]) -> tuple[str, ...]:
    """Give the formats that all texts fit, ISO first; more than one where day and month can be swapped."""
    import pandas as pd

    sample = texts.drop_duplicates().head(1000)
    if not sample.str.contains(r"\d").all() or sample.str.len().max() > 40:
        return ()
    return tuple(
        each for each in DATES if bool(pd.to_datetime(sample, format=each, errors="coerce", utc=True).notna().all())
    )


def _of_numbers(
    name: str, shape: tuple[int, int, int], found: NDArray[np.float64], values: tuple[str | int | float | bool, ...]
) -> ColumnProfile:
    finite = found[np.isfinite(found)]
    infinite = len(found) - len(finite)
    if len(finite) == 0:
        return ColumnProfile(name, "number", *shape, infinite=infinite)
    kind: Kind = "whole" if infinite == 0 and bool((finite == np.round(finite)).all()) else "number"
    return ColumnProfile(
        name,
        kind,
        *shape,
        values=tuple(int(value) for value in values) if kind == "whole" else values,
        infinite=infinite,
        low=float(finite.min()),
        high=float(finite.max()),
        mean=float(finite.mean()),
    )


def _of_texts(name: str, shape: tuple[int, int, int], known: pd.Series[Any]) -> ColumnProfile:
    """Give the profile of what is neither numbers nor nested: dates, dates as text, or text."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(known) or type(known.iloc[0]).__name__ in {"date", "datetime", "Timestamp"}:
        return ColumnProfile(name, "date", *shape)
    texts = known.astype("str")
    if formats := date_formats(texts):
        return ColumnProfile(name, "date", *shape, date_formats=formats)
    words = float(np.mean([len(text.split()) for text in texts.head(1000)]))
    return ColumnProfile(name, "text", *shape, values=_values(texts, shape[2]), words=words)


def _values(known: pd.Series[Any], distinct: int) -> tuple[str | int | float | bool, ...]:
    if distinct > MOST_VALUES:
        return ()
    found = [value.item() if isinstance(value, np.generic) else value for value in known.unique()]
    return tuple(sorted(float(value) if not isinstance(value, str | int | float) else value for value in found))


def figure(value: float) -> str:
    """Give a number as it stands in a sentence.

    >>> figure(39320.0), figure(15.0001), figure(206855.82), figure(1 / 3)
    ('39,320', '15.0001', '206,856', '0.333333')
    """
    if 1e4 <= abs(value) < 1e15 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.6g}"

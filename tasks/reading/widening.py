"""The types of columns that arrive as text: declared, held since the last snapshot, or inferred and widened.

What is declared or held is never changed: a value that does not fit is refused by name. What was only inferred from the
first rows is widened (`Widened`) when a later value does not fit, and the reader starts over, so no value is lost and
memory holds no more than a few batches.

Plain columns are converted by PyArrow's own CSV reader; here stands what it cannot do: blanks around values, thousands
separators, dates in a format (by pandas, which refuses the 31st of February where PyArrow makes it March).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tasks.arrow import compute
from tasks.errors import DataRefused, ProblemError
from tasks.sentences import listed, meant
from tasks.sources import Dialect, FilesSource, UrlSource

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_SHOWN = 60


class Widened(Exception):  # noqa: N818 - no error: the reader starts over
    """A column needs a wider type than the first rows let expect."""

    def __init__(self, column: str, kind: pa.DataType) -> None:
        super().__init__(f"{column} is {kind}")
        self.column, self.kind = column, kind


class Unconvertible(ValueError):  # noqa: N818 - says what the value is
    """A value that the type does not take."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True)
class Types:
    """The type of each column as far as it is known: ``declared`` wins, then ``held``, then what was ``inferred``.

    With ``yielding``, a held type gives way to a wider one where a value does not fit, as an inferred one does.
    """

    declared: Mapping[str, pa.DataType] = field(default_factory=dict)
    held: Mapping[str, pa.DataType] = field(default_factory=dict)
    inferred: Mapping[str, pa.DataType] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    yielding: bool = False

    def of(self, column: str) -> pa.DataType | None:
        """Give a column's type, or None where nothing is known of it."""
        return next((known[column] for known in (self.declared, self.held, self.inferred) if column in known), None)

    def with_inferred(self, kinds: Mapping[str, pa.DataType]) -> Types:
        """Give the same with more types inferred."""
        return replace(self, inferred={**self.inferred, **kinds})

    def widened(self, column: str, kind: pa.DataType) -> Types:
        """Give the same with a wider type for a column, which is no longer held."""
        held = {name: each for name, each in self.held.items() if name != column}
        return replace(self, held=held, inferred={**self.inferred, column: kind})

    def is_inferred(self, column: str) -> bool:
        """Tell whether nobody has said or accepted a column's type, so that what its texts look like decides."""
        return column not in self.declared and (self.yielding or column not in self.held)

    def beyond(self, file: str, column: str, kind: pa.DataType, value: str) -> Exception:
        """Give what to raise where a value does not fit its column's type."""
        shown = value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}..."
        if column in self.declared:
            how = self.dialect.dates.get(column)
            key = f"source.dialect.dates = {how!r}" if how else "source.types"
            return DataRefused(f"{file}: column {column!r} is declared as {kind} by {key}; {shown!r} is not.")
        if not self.is_inferred(column):
            return DataRefused(
                f"{file}: column {column!r} held {kind} until now; {shown!r} is not; "
                "correct the data, or declare the new type in source.types."
            )
        return Widened(column, wider(kind, _as_point(value, self.dialect)))

    def check(self, names: Iterable[str], file: str) -> None:
        """Refuse a name in the declaration that is not a column, and a column that is there twice."""
        known = list(names)
        if twice := sorted({name for name in known if known.count(name) > 1}):
            raise DataRefused(f"{file} has the column {twice[0]!r} twice; each column needs a name of its own.")
        for name in self.declared:
            if name not in known:
                key = "source.dialect.dates" if name in self.dialect.dates else "source.types"
                raise ProblemError(
                    f"{key} names the column {name!r}, which {file} does not have{meant(name, known)}; "
                    f"its columns: {listed(known)}."
                )


def types_of(source: UrlSource | FilesSource, held: pa.Schema | None, yielding: bool = False) -> Types:
    """Give what is known of a source's columns before it is read; a column that held no value holds no type.

    Raises
    ------
    ProblemError
        A format of dates, or the encoding, is none.
    """
    import pyarrow as pa

    words = {
        "int": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us"),
    }
    encoding_of(source.dialect)
    declared = {name: _date_type(form) for name, form in source.dialect.dates.items()}
    for name, form in source.dialect.dates.items():
        import pandas as pd

        try:
            pd.to_datetime(pd.Series(["?"]), format=form, errors="coerce")
        except ValueError as error:
            raise ProblemError(f"source.dialect.dates.{name} = {form!r} is not a format of dates: {error}.") from error
    declared |= {name: words[word] for name, word in source.types.items()}
    kinds = {each.name: each.type for each in held or () if not pa.types.is_null(each.type)}
    return Types(declared=declared, held=kinds, dialect=source.dialect, yielding=yielding)


def encoding_of(dialect: Dialect) -> str:
    """Give the usual name of the declared encoding.

    Raises
    ------
    ProblemError
        It is none, or not one of text.
    """
    try:
        "".encode(dialect.encoding)  # of text to bytes: others (rot13, zlib) are not encodings
    except (LookupError, TypeError, ValueError) as error:
        raise ProblemError(
            f"source.dialect.encoding = {dialect.encoding!r} is not an encoding; "
            "usual are utf-8, latin-1, cp1252 and utf-16."
        ) from error
    return codecs.lookup(dialect.encoding).name


def wider(kind: pa.DataType, value: str) -> pa.DataType:
    """Give the narrowest type beyond ``kind`` that takes the value; text takes every value."""
    import pyarrow as pa

    moments = [pa.timestamp("us"), pa.timestamp("ns")]
    beyond = {
        pa.null(): [pa.int64(), pa.bool_(), pa.date32(), *moments, pa.timestamp("us", "UTC"), pa.float64()],
        pa.int64(): [pa.float64()],
        pa.date32(): moments,
        pa.timestamp("us"): moments[1:],
    }
    return next((each for each in beyond.get(kind, []) if _takes(each, value)), pa.string())


def settled(kind: pa.DataType) -> pa.DataType:
    """Give the type to keep for one that PyArrow inferred: moments are microseconds, times of day are text."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.string() if pa.types.is_time(kind) else kind


def first_code(texts: pa.Array) -> str | None:
    """Give the first text of digits that begins with a zero, or None: 007 is a code, and not the number 7."""
    found = texts.filter(compute().match_substring_regex(texts, r"^0\d+$"))
    return found[0].as_py() if len(found) else None


def trimmed(texts: pa.Array) -> pa.Array:
    """Give texts without the blanks around them."""
    return compute().utf8_trim_whitespace(texts)


def cleaned(texts: pa.Array, dialect: Dialect) -> pa.Array:
    """Give texts without the blanks around them (where declared), marks of missing values as missing values."""
    import pyarrow as pa

    if dialect.strip:
        texts = trimmed(texts)
    marks = pa.array(["", *dialect.missing])
    return compute().if_else(compute().is_in(texts, marks), pa.scalar(None, pa.string()), texts)


def inferred(texts: pa.Array, dialect: Dialect) -> pa.DataType:
    """Give the narrowest type that takes all of these texts."""
    import pyarrow as pa

    kind, values = pa.null(), texts
    if first_code(texts) is not None:
        return pa.string()
    while True:
        try:
            converted(values, kind, dialect)
        except Unconvertible as error:
            kind = wider(kind, _as_point(error.value, dialect))
        else:
            return kind


def converted(texts: pa.Array, kind: pa.DataType, dialect: Dialect, date_format: str | None = None) -> pa.Array:
    """Give texts as values of a type.

    Raises
    ------
    Unconvertible
        A text is no such value; it is named.
    """
    import pyarrow as pa

    try:
        return cast_texts(texts, kind, dialect, date_format)
    except pa.ArrowInvalid as error:
        single = texts.drop_null().unique()
        if len(single) == 1:
            raise Unconvertible(single[0].as_py()) from error
        for value in single:
            converted(pa.array([value.as_py()]), kind, dialect, date_format)
        raise


def cast_texts(texts: pa.Array, kind: pa.DataType, dialect: Dialect, date_format: str | None = None) -> pa.Array:
    """Give texts as values of a type, without looking for the one that is no such value.

    Raises
    ------
    pyarrow.ArrowInvalid, Unconvertible
        A text is no such value.
    """
    import pyarrow as pa

    if pa.types.is_null(kind):
        if texts.null_count < len(texts):
            raise Unconvertible(texts.drop_null()[0].as_py())
        return pa.nulls(len(texts))
    if date_format:
        return _dated(texts, date_format).cast(kind)
    return (_numbers(texts, dialect) if _is_number(kind) else texts).cast(kind)


def _dated(texts: pa.Array, form: str) -> pa.Array:
    """Give moments (microseconds) from texts in a format."""
    import pandas as pd
    import pyarrow as pa

    read = pd.to_datetime(texts.to_pandas(), format=form, errors="coerce", utc="%z" in form)
    moments = pa.Array.from_pandas(read)
    lost = moments.is_null().to_numpy(zero_copy_only=False) & texts.is_valid().to_numpy(zero_copy_only=False)
    if lost.any():
        raise Unconvertible(texts[int(lost.argmax())].as_py())
    kind = pa.timestamp("us", "UTC" if "%z" in form else None)
    return moments.cast(kind)


def _numbers(texts: pa.Array, dialect: Dialect) -> pa.Array:
    """Give numbers as PyArrow reads them: no thousands separators (which must part three digits each), a point."""
    if dialect.thousands:
        mark, point = re.escape(dialect.thousands), re.escape(dialect.decimal)
        grouped = compute().match_substring_regex(texts, rf"^[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{point}\d+)?$")
        texts = compute().if_else(grouped, compute().replace_substring(texts, dialect.thousands, ""), texts)
    if dialect.decimal == ",":
        texts = compute().replace_substring(compute().replace_substring(texts, ".", "no number"), ",", ".")
    return texts


def _as_point(value: str, dialect: Dialect) -> str:
    """Give a single value as `_numbers` gives it."""
    import pyarrow as pa

    return _numbers(pa.array([value], pa.string()), dialect)[0].as_py() if dialect != Dialect() else value


def _takes(kind: pa.DataType, value: str) -> bool:
    import pyarrow as pa

    try:
        pa.array([value], pa.string()).cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _date_type(form: str) -> Any:
    import pyarrow as pa

    if re.search(r"%[HIMSpfXcTRz]", form):
        return pa.timestamp("us", "UTC" if "%z" in form else None)
    return pa.date32()

"""CSV and TSV as a stream of batches, by PyArrow's own streaming reader, in the dialects that people write.

The reader infers types from the first block alone (16 MB); see `widening` for what happens when a later value does
not fit. Digits after a zero (007) are a code, so whole numbers that nobody has declared or accepted are read as texts
first. A row longer or shorter than the header is an error, never an index, and no value is guessed.
"""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.errors import DataRefused
from tasks.reading.archives import Openable
from tasks.reading.streams import Stream
from tasks.reading.widening import (
    Types,
    Unconvertible,
    Widened,
    cleaned,
    converted,
    encoding_of,
    first_code,
    inferred,
    settled,
    trimmed,
)
from tasks.sources import Dialect

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv

BLOCK = 2**24
SEPARATORS = {";": ";", "\t": "\\t", "|": "|", ",": ","}
CONVERSION = re.compile(r"In CSV column #(\d+): .*?CSV conversion error to .*?: invalid value '(.*)'", re.DOTALL)


def delimited(file: Openable, separator: str, types: Types) -> Stream:
    """Give the rows of a table whose values are parted by ``separator``, unless the dialect declares another.

    Raises
    ------
    DataRefused
        It is empty, not in the declared encoding or separator, its rows differ in length, or a value does not fit.
    ProblemError
        The declaration names a column that is not there, or an encoding that is none.
    widening.Widened
        The same with this type, please; also while the batches are gone through.
    """
    import pyarrow as pa

    reading = _Reading(file, types, types.dialect.separator or separator, _head(file, types.dialect))
    try:
        reader = reading.opened({})
        raw, guessed = list(reader.schema.names), reader.schema.types
        names = [name.strip() if types.dialect.strip else name for name in raw]
        reading.separator_fits(names)
        types.check(names, file.name)
        if any(pa.types.is_binary(kind) for kind in guessed):
            raise reading.undecoded()
        known = {name: types.of(name) or settled(kind) for name, kind in zip(names, guessed, strict=True)}
        whole = [name for name in names if known[name] == pa.int64() and types.is_inferred(name)]
        texts = names if types.dialect.strip or types.dialect.thousands else [*types.dialect.dates, *whole]
        wanted = [pa.string() if name in texts else known[name] for name in names]
    except (pa.ArrowException, UnicodeError) as error:
        raise reading.sentence(error) from error
    schema = pa.schema(list(zip(names, wanted, strict=True)))
    again = None if wanted == guessed else dict(zip(raw, wanted, strict=True))
    batches = reading.batches(reader if again is None else again, schema)
    return _with_texts(Stream(schema, batches), set(texts), set(whole), types, file.name)


@dataclass(frozen=True)
class _Reading:
    """A file, how it is to be read, and the beginning of its text."""

    file: Openable
    types: Types
    separator: str
    head: str

    def opened(self, kinds: dict[str, pa.DataType]) -> pyarrow.csv.CSVStreamingReader:
        """Give PyArrow's reader; columns without a type are inferred."""
        from pyarrow import csv

        dialect = self.types.dialect
        return csv.open_csv(
            self.file.open(),
            read_options=csv.ReadOptions(
                block_size=BLOCK,
                encoding=encoding_of(dialect),
                column_names=list(dialect.names) or None,
                skip_rows=dialect.skip_rows,
            ),
            parse_options=csv.ParseOptions(delimiter=self.separator, quote_char=dialect.quote, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=kinds,
                null_values=["", *dialect.missing],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                decimal_point=dialect.decimal,
            ),
        )

    def batches(
        self, reader: pyarrow.csv.CSVStreamingReader | dict[str, pa.DataType], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Give the batches of a reader, or of one that is opened with these types; what is wrong is a sentence."""
        import pyarrow as pa

        last = None
        try:
            for batch in self.opened(reader) if isinstance(reader, dict) else reader:
                last = batch[-1][-1].as_py() if batch.num_rows else last
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except (pa.ArrowException, UnicodeError) as error:
            raise self.sentence(error, schema) from error
        if isinstance(last, str) and "\n" in last and not self.ends_with_quote():
            raise DataRefused(f"{self.file.name} cannot be read as csv: the quote before {last[:40]!r} is not closed.")

    def ends_with_quote(self) -> bool:
        """Tell whether the last value of the file is a quoted one whose quote is closed."""
        with self.file.open() as stream:
            stream.seek(max(stream.seek(0, io.SEEK_END) - 64, 0))
            end = stream.read().decode(encoding_of(self.types.dialect), errors="replace")
        return end.rstrip().endswith(self.types.dialect.quote)

    def sentence(self, error: Exception, schema: pa.Schema | None = None) -> Exception:
        """Give what to raise for what PyArrow says."""
        said = str(error)
        if schema is not None and (found := CONVERSION.search(said)):
            column = schema.field(int(found[1]))
            return self.types.beyond(self.file.name, column.name, column.type, found[2])
        if isinstance(error, UnicodeError) or "invalid UTF8" in said:
            return self.undecoded()
        if "straddling" in said:
            said = f"a row is longer than {BLOCK >> 20} MB, as where a quote is not closed"
        elif "Expected" in said and (other := self.other_separator()):
            said = f'rows differ in length; perhaps source.dialect.separator = "{SEPARATORS[other]}" is missing'
        return DataRefused(f"{self.file.name} cannot be read as csv: {said.splitlines()[0][:300]}.")

    def undecoded(self) -> DataRefused:
        """Give the sentence for bytes that are no text."""
        return DataRefused(
            f"{self.file.name} cannot be read as csv: it has bytes that are not {self.types.dialect.encoding}; declare "
            "source.dialect.encoding, for instance 'cp1252' or 'latin-1', or mend the file where it mixes several."
        )

    def separator_fits(self, names: list[str]) -> None:
        """Refuse a table of one column whose name has another separator in it."""
        if len(names) == 1 and not self.types.dialect.names and (other := self.other_separator()):
            used = SEPARATORS.get(self.separator, self.separator)
            raise DataRefused(
                f"{self.file.name} has a single column, {names[0][:80]!r}, when its values are parted by '{used}'; "
                f'declare source.dialect.separator = "{SEPARATORS[other]}".'
            )

    def other_separator(self) -> str | None:
        """Give the separator that the first line has instead of the one that was expected."""
        if self.separator in self.head:
            return None
        return next((mark for mark in SEPARATORS if mark in self.head), None)


def _with_texts(stream: Stream, texts: set[str], whole: set[str], types: Types, file: str) -> Stream:
    """Give a stream whose columns ``texts`` are converted here, to the known type or that of the first rows.

    Blanks around ``whole`` numbers are none of their digits, whatever the dialect.
    """
    import pyarrow as pa

    def values_of(batch: pa.RecordBatch, name: str) -> pa.Array:
        values = cleaned(batch[name], types.dialect)
        return trimmed(values) if name in whole else values

    first = next(stream.batches, None)
    schema = stream.schema
    for name in texts:
        seen = pa.array([], pa.string()) if first is None else values_of(first, name)
        kind = types.of(name) or settled(inferred(seen, types.dialect))
        schema = schema.set(schema.get_field_index(name), pa.field(name, kind))

    def column(batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
        if name not in texts:
            return batch[name]
        values = values_of(batch, name)
        if pa.types.is_integer(kind) and types.is_inferred(name) and first_code(values) is not None:
            raise Widened(name, pa.string())
        try:
            return converted(values, kind, types.dialect, types.dialect.dates.get(name))
        except Unconvertible as error:
            raise types.beyond(file, name, kind, error.value) from error

    batches = itertools.chain([] if first is None else [first], stream.batches)
    arrays = ([column(batch, each.name, each.type) for each in schema] for batch in batches)
    return Stream(schema, (pa.RecordBatch.from_arrays(columns, schema=schema) for columns in arrays))


def _head(file: Openable, dialect: Dialect) -> str:
    """Give the first line that counts, after refusing what has none and what its first bytes say is UTF-16."""
    encoding = encoding_of(dialect)
    with file.open() as stream:
        start = stream.read(2**16)
    if not start.strip():
        raise DataRefused(f"{file.name} cannot be read as csv: it is empty.")
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} and encoding == "utf-8":
        raise DataRefused(f"{file.name} is written in UTF-16; declare source.dialect.encoding = 'utf-16'.")
    lines = start.decode(encoding, errors="replace").splitlines()
    return next(iter(lines[dialect.skip_rows :]), "")

"""Files as one stream of rows: every format that a source may have, none of which runs code that a file brings along.

Where a type that was inferred from the first rows turns out too narrow, everything is read again from the beginning
with a wider one (`widening`); so `read` is given what shall be done with the rows, and does it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, TypeVar

from tasks.errors import DataRefused, ProblemError
from tasks.reading.addresses import Found, with_columns
from tasks.reading.archives import Openable, unpacked
from tasks.reading.columnar import arrow, images, parquet, texts
from tasks.reading.delimited import delimited
from tasks.reading.json_lines import json_lines
from tasks.reading.streams import Stream
from tasks.reading.widening import Types, Widened, types_of
from tasks.sentences import listed
from tasks.sources import FilesSource, Format, UrlSource

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R")
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".npz": "npz",
}
TEXTS_CHARACTERS = 2**25


def read(
    files: Sequence[Openable],
    source: UrlSource | FilesSource,
    folder: Path,
    use: Callable[[Stream], R],
    held: pa.Schema | None = None,
    yielding: bool = False,
) -> R:
    """Give what ``use`` gives for the rows of all files, one after the other; it may be called several times.

    Parameters
    ----------
    files : sequence of archives.Openable
        The files, as they were delivered.
    source : sources.UrlSource or sources.FilesSource
        How they are to be read.
    folder : pathlib.Path
        An empty folder for what has to be unpacked.
    use : callable
        What shall be done with the rows.
    held : pyarrow.Schema, optional
        The types of the last accepted snapshot; a column named there is read with its type.
    yielding : bool
        Whether a held type gives way to a wider one where a value does not fit.

    Raises
    ------
    DataRefused
        A file is not what it should be, or there are no rows at all.
    ProblemError
        The declaration names a format, an encoding or a column that is none.
    """
    types = types_of(source, held, yielding)
    plain = [_Plain(file if source.format == "texts" else unpacked(file, source, folder), file) for file in files]
    while True:
        try:
            return use(_counted(_joined(plain, source, types), plain))
        except Widened as wider:
            types = types.widened(wider.column, wider.kind)


def _joined(files: Sequence[_Plain], source: UrlSource | FilesSource, types: Types) -> Stream:
    """Give the rows of all files with the columns of the first."""
    with ExitStack() as opening:
        first = replace(files[0], opened=opening).stream(source, types)
        until_read = opening.pop_all()
    types = types.with_inferred({field.name: field.type for field in first.schema})

    def batches() -> Iterator[pa.RecordBatch]:
        with until_read:
            yield from first.batches
        for file in files[1:]:
            with ExitStack() as opened:
                stream = replace(file, opened=opened).stream(source, types)
                _same_columns(files[0].name, first.schema, file.name, stream.schema)
                for batch in stream.batches:
                    yield batch.select(first.schema.names)

    return Stream(first.schema, batches())


@dataclass(frozen=True)
class _Plain:
    """A file as it is read, and as it was delivered; its streams are closed with a stack."""

    file: Openable
    delivered: Openable
    opened: ExitStack = field(default_factory=ExitStack)

    @property
    def name(self) -> str:
        return self.file.name

    def open(self) -> IO[bytes]:
        return self.opened.enter_context(self.file.open())

    def stream(self, source: UrlSource | FilesSource, types: Types) -> Stream:
        """Give the rows, with the columns that the folders of the file give."""
        if not isinstance(self.delivered, Found):
            return _stream(self, source, types)
        given = self.delivered.columns
        own = replace(types, declared={name: kind for name, kind in types.declared.items() if name not in given})
        return with_columns(_stream(self, source, own), self.delivered)


def _stream(file: Openable, source: UrlSource | FilesSource, types: Types) -> Stream:
    form = format_of(file.name, source)
    if form in {"csv", "tsv"}:
        return delimited(file, "," if form == "csv" else "\t", types)
    if form == "jsonl":
        return json_lines(file, types)
    own = replace(types, held={}) if types.yielding else types  # which such a file tells without guessing
    return {"parquet": parquet, "arrow": arrow, "npz": images, "texts": texts}[form](file, source, own)


def format_of(name: str, source: UrlSource | FilesSource) -> Format:
    """Give the format of a file: as declared, else by the ending of its name.

    Raises
    ------
    ProblemError
        The ending tells no format that is read.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if source.format is None and suffix not in FORMATS:
        raise ProblemError(
            f"source: {name} is of a kind that is not read; allowed: {listed(FORMATS)}, plain, with .gz after it or in "
            "a tar or zip archive; or declare source.format."
        )
    return source.format or FORMATS[suffix]


def _same_columns(first: str, expected: pa.Schema, file: str, found: pa.Schema) -> None:
    lacks = [name for name in expected.names if name not in found.names]
    new = [name for name in found.names if name not in expected.names]
    if lacks or new:
        what = f"lacks the column {lacks[0]!r}, which" if lacks else f"has the column {new[0]!r}, which not"
        raise DataRefused(f"{file} {what} {first} has; all files of a source have the same columns.")


def _counted(stream: Stream, files: Sequence[Openable]) -> Stream:
    """Give a stream that ends with a refusal where it had no row or no column."""

    def batches() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in stream.batches:
            rows += batch.num_rows
            yield batch
        if not rows or not stream.schema.names:
            what = f"{files[0].name} has no rows" if len(files) == 1 else f"None of {len(files)} files has rows"
            raise DataRefused(f"{what}; the data was refused and nothing was changed.")

    return Stream(stream.schema, batches())

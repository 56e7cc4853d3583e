"""Files that bring their types along: Parquet, Arrow, images in npz, and texts in a folder a class.

Every batch is checked in full before it is used, as a damaged file can name places outside itself; and npz is loaded
without pickle, so a file is data, never a program.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tasks.arrow import parquet_file
from tasks.errors import DataRefused
from tasks.reading.archives import Openable, contents
from tasks.reading.conversion import kept_type
from tasks.reading.streams import Stream
from tasks.reading.widening import Types, Widened
from tasks.sentences import listed
from tasks.sources import FilesSource, UrlSource

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

BATCH_ROWS, BATCH_CHARACTERS = 2**17, 2**25
Files = UrlSource | FilesSource


def parquet(file: Openable, _source: Files, types: Types) -> Stream:
    """Give the rows of a Parquet file."""
    with _sentences(file.name, "parquet"):
        opened = parquet_file(file.open())
        schema = opened.schema_arrow
    return _kept(file.name, "parquet", schema, opened.iter_batches(BATCH_ROWS), types)


def arrow(file: Openable, _source: Files, types: Types) -> Stream:
    """Give the rows of an Arrow file (also called Feather) or of an Arrow stream."""
    import pyarrow as pa

    with _sentences(file.name, "arrow"):
        stream = file.open()
        is_file = stream.read(6) == b"ARROW1"
        stream.seek(0)
        if not is_file:
            reader = pa.ipc.open_stream(stream)
            return _kept(file.name, "arrow", reader.schema, reader, types)
        opened = pa.ipc.open_file(stream)
        batches = (opened.get_batch(index) for index in range(opened.num_record_batches))
        return _kept(file.name, "arrow", opened.schema, batches, types)


def images(file: Openable, source: Files, types: Types) -> Stream:
    """Give the images of an npz file as rows: the columns pixel_0, pixel_1, ... and ``target``.

    Raises
    ------
    DataRefused
        An array is missing, of another shape, holds objects, or unpacks to too much.
    """
    import pyarrow as pa

    with _sentences(file.name, "npz"):
        pictures, labels = _arrays(file, source)
        names = [*(f"pixel_{index}" for index in range(pictures.shape[1])), "target"]
        kinds = [*[pa.from_numpy_dtype(pictures.dtype)] * pictures.shape[1], pa.array(labels[:1]).type]

        def batch(start: int) -> pa.RecordBatch:
            part = slice(start, start + BATCH_ROWS // 8)
            columns = [pa.array(column) for column in pictures[part].T.copy()]
            return pa.RecordBatch.from_arrays([*columns, pa.array(labels[part])], names=names)

        schema = pa.schema(list(zip(names, kinds, strict=True)))
    batches = (batch(start) for start in range(0, len(labels), BATCH_ROWS // 8))
    return _kept(file.name, "npz", schema, batches, types)


def texts(file: Openable, source: Files, types: Types) -> Stream:
    """Give texts in class sub-folders as rows: the columns ``text``, ``target`` (the sub-folder) and ``file``.

    Raises
    ------
    DataRefused
        A text is not in the declared encoding, or stands in no sub-folder.
    """
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in ("text", "target", "file")])

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[tuple[str, str, str]] = []
        characters = 0
        for row in _texts(file, source):
            rows.append(row)
            characters += len(row[0])
            if characters > BATCH_CHARACTERS:
                yield pa.record_batch(list(zip(*rows, strict=True)), schema=schema)
                rows, characters = [], 0
        if rows:
            yield pa.record_batch(list(zip(*rows, strict=True)), schema=schema)

    return _kept(file.name, "texts", schema, batches(), types)


def _texts(file: Openable, source: Files) -> Iterator[tuple[str, str, str]]:
    folder = f"/{source.member.strip('/')}/" if source.member else "/"
    for name, content in contents(file, source):
        path = PurePosixPath(name)
        if path.name.startswith(".") or "__MACOSX" in path.parts or folder not in f"/{name}":
            continue
        if len(path.parts) < 2:
            raise DataRefused(
                f"{file.name}: {name!r} stands in no sub-folder that names its class; name the folder in source.member."
            )
        try:
            text = content.decode(source.dialect.encoding)
        except (UnicodeError, LookupError) as error:
            raise DataRefused(
                f"{file.name}: {name!r} is not {source.dialect.encoding}: {error}; declare source.dialect.encoding."
            ) from error
        yield text, path.parent.name, path.name


def _arrays(file: Openable, source: Files) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the images, shape (rows, pixels), and the labels, shape (rows,)."""
    import numpy as np

    wanted = (source.arrays.images, source.arrays.labels)
    with file.open() as stream, zipfile.ZipFile(stream) as archive:
        sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
    if missing := [name for name in wanted if name not in sizes]:
        raise DataRefused(
            f"{file.name} has no array {missing[0]!r}; it has: {listed(sizes) or 'none'}; declare source.arrays."
        )
    if sum(sizes[name] for name in wanted) > source.largest_bytes:
        raise DataRefused(f"{file.name} unpacks to more than source.largest_bytes = {source.largest_bytes:,}.")
    with file.open() as stream, np.load(stream, allow_pickle=False) as arrays:
        pictures, labels = (arrays[name] for name in wanted)
    if pictures.ndim < 2 or labels.ndim != 1 or len(pictures) != len(labels):
        raise DataRefused(
            f"{file.name}: the images have the shape {pictures.shape} and the labels {labels.shape}; "
            "as many labels as images are needed, and one label an image."
        )
    return pictures.reshape(len(pictures), math.prod(pictures.shape[1:])), labels


def _kept(file: str, form: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], types: Types) -> Stream:
    """Give batches with the types that are known, or else with the few that are kept."""
    import pyarrow as pa

    types.check(schema.names, file)
    wanted = pa.schema([(field.name, _wanted(file, field, types)) for field in schema])

    def checked() -> Iterator[pa.RecordBatch]:
        with _sentences(file, form):
            for batch in batches:
                batch.validate(full=True)
                columns = [_cast(file, batch[field.name], field, types) for field in wanted]
                yield pa.RecordBatch.from_arrays(columns, schema=wanted)

    return Stream(wanted, checked())


def _wanted(file: str, field: pa.Field, types: Types) -> pa.DataType:
    import pyarrow as pa

    own = field.type if pa.types.is_null(field.type) else kept_type(field, file)
    known = types.of(field.name)
    if known is None or field.name in types.declared or own in {known, pa.null()}:
        return own if known is None else known
    numbers = {pa.int64(), pa.float64()}
    if {own, known} <= numbers and (field.name in types.held or known == pa.float64()):
        return known
    if field.name in types.held:
        raise types.beyond(file, field.name, known, str(own))
    if pa.types.is_null(known) or {own, known} == numbers:
        raise Widened(field.name, own)
    raise DataRefused(f"{file} has {own} in the column {field.name!r}, the files before it have {known}.")


def _cast(file: str, column: pa.Array, field: pa.Field, types: Types) -> pa.Array:
    import pyarrow as pa

    try:
        return column.cast(field.type, safe=not pa.types.is_timestamp(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        said = str(error).splitlines()[0]
        why = "declared by source.types" if field.name in types.declared else "held until now"
        raise DataRefused(f"{file}: column {field.name!r} does not fit {field.type}, {why}: {said}.") from error


@contextmanager
def _sentences(file: str, form: str) -> Generator[None]:
    """Say what is wrong with a file as a sentence, whichever library found it."""
    import pyarrow as pa

    try:
        yield
    except (
        EOFError,
        KeyError,
        MemoryError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        pa.ArrowException,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise DataRefused(f"{file} cannot be read as {form}: {said}.") from error

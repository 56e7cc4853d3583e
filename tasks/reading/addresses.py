"""Addresses of files: paths, globs, folders, and whatever fsspec reaches (``s3://``, ``gs://``, ``memory://``).

All of them become a sorted list of files of any format, opened one after the other and read as streams.

Every look makes its own connection: fsspec would give one that remembers what a bucket held the last time.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from tasks.errors import NetworkError, ProblemError, SalamanderError
from tasks.reading.credentials import hidden
from tasks.reading.hive import folder_columns
from tasks.reading.streams import Stream

if TYPE_CHECKING:
    import pyarrow as pa

BUFFER_BYTES = 2**20
PASSING = {"ClientConnectionError", "ClientPayloadError", "ConnectionError", "HTTPClientError", "TimeoutError"}
"""Errors of Python, botocore and aiohttp that may pass by themselves."""
PASSING_NUMBERS = {errno.EBUSY, errno.EIO, errno.ETIMEDOUT}
"""What s3fs makes of answers such as "slow down" and "internal error"."""


@dataclass(frozen=True)
class Found:
    """A file that was found.

    ``name`` is its path below the declared folder (or just its own name); ``columns`` are those that its folders give,
    the same ones and of the same types for all files that were found together.
    """

    name: str
    place: Place
    path: str
    columns: Mapping[str, pa.Scalar] = field(default_factory=dict)

    def open(self) -> BinaryIO:
        """Open the file as a stream, to be closed by whoever opened it.

        Raises
        ------
        DataRefused
            It may not be read, or is gone; also while it is read.
        NetworkError
            The server does not answer; also while it is read.
        """
        with self.place.sentences():
            if self.place.local:
                return Path(self.path).open("rb")
            opened = self.place.system.open(self.path, "rb")
        return cast("BinaryIO", io.BufferedReader(_Remote(opened, self.place), BUFFER_BYTES))


@dataclass(frozen=True)
class Place:
    """A file system and the address in it: as it is used, and as it was declared (without credentials)."""

    system: Any
    path: str
    address: str
    declared: str

    @property
    def local(self) -> bool:
        """Whether the files are this machine's own."""
        return "file" in self.system.protocol

    @contextmanager
    def sentences(self) -> Generator[None]:
        """Say as one sentence, without credentials, whatever a file system says."""
        try:
            yield
        except SalamanderError:
            raise
        except Exception as error:
            raise self._said(error) from None

    def _said(self, error: Exception) -> SalamanderError:
        where = f"source.path = {self.declared!r}"
        said = hidden(str(error).splitlines()[0] if str(error) else type(error).__name__, self.address, self.declared)
        if isinstance(error, FileNotFoundError):
            return ProblemError(f"{where}: there is nothing at this address ({said}); check it.")
        if isinstance(error, PermissionError):
            return SalamanderError(f"{where} may not be read: {said}; check the credentials and their rights.")
        passing = {kind.__name__ for kind in type(error).__mro__} & PASSING
        if passing or (not self.local and isinstance(error, OSError) and error.errno in PASSING_NUMBERS):
            return NetworkError(f"{where} cannot be reached: {said}.")
        return SalamanderError(f"{where} cannot be read: {said}; check the address and the credentials.")


class _Remote(io.RawIOBase):
    """A file elsewhere, of which every error is a sentence."""

    def __init__(self, file: Any, place: Place) -> None:
        self._file, self._place = file, place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._place.sentences():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        with self._place.sentences():
            content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def found(path: str, folder: Path = Path(), declared: str | None = None) -> list[Found]:
    """Give the files at a path, a glob, a folder (and below) or an address of fsspec, sorted.

    What begins with a dot or an underscore, as Spark's marks do, is found only where it is the whole path.

    Parameters
    ----------
    path : str
        The address, with its credentials.
    folder : pathlib.Path
        The project's folder, which a path is relative to.
    declared : str, optional
        The address as it is declared, which is what messages quote.

    Raises
    ------
    ProblemError
        There is nothing, or the kind of address is not known, or needs a package that is not installed.
    SalamanderError
        It may not be read.
    DataRefused
        The hive columns differ.
    NetworkError
        The server does not answer.
    """
    place = _place(path, folder, declared or path)
    with place.sentences():
        base, names = _names(place.system, place.path)
    if not names:
        where = "" if place.declared == place.path else f" ({place.path})"
        raise ProblemError(f"source.path = {place.declared!r}: there is no such file{where}; check the path.")
    below = {str(PurePosixPath(name).relative_to(base)): name for name in sorted(names)}
    columns = folder_columns(list(below))
    return [Found(name, place, path, each) for (name, path), each in zip(below.items(), columns, strict=True)]


def _place(path: str, folder: Path, declared: str) -> Place:
    import fsspec

    where = f"source.path = {declared!r}"
    address = path if "://" in path else str(folder.absolute() / Path(path).expanduser())
    try:
        system, inside = fsspec.url_to_fs(address, skip_instance_cache=True)
    except ImportError as error:
        raise ProblemError(f"{where} needs a package that is not installed: {error}.") from None
    except ValueError as error:
        raise ProblemError(f"{where} is not an address: {hidden(str(error), address, declared)}.") from None
    return Place(system, str(inside), address, declared)


def _names(system: Any, path: str) -> tuple[str, list[str]]:
    """Give the folder that names are relative to, and the paths of all files."""
    path = path.rstrip("/")
    if system.isfile(path):
        return str(PurePosixPath(path).parent), [path]
    if not re.search(r"[*?\[]", path) or system.isdir(path):
        return path, _shown(system.find(path), path)
    parts = PurePosixPath(path).parts
    first = next(index for index, part in enumerate(parts) if re.search(r"[*?\[]", part))
    base = str(PurePosixPath(*parts[:first]))
    entries = system.glob(path, detail=True)
    if not entries:
        system.ls(base)  # says what is wrong, of which a glob says nothing
    below = {name: system.find(name) if entry["type"] == "directory" else [name] for name, entry in entries.items()}
    return base, _shown({name for names in below.values() for name in names}, base)


def _shown(names: Iterable[str], base: str) -> list[str]:
    """Give the paths that do not stand, below a base, under a name that begins with a dot or an underscore."""
    parts = {name: PurePosixPath(name).relative_to(base).parts for name in names}
    return [name for name, below in parts.items() if not any(part.startswith((".", "_")) for part in below)]


def with_columns(stream: Stream, file: Found) -> Stream:
    """Give a file's rows with the columns of its folders at the end; a column that the file has itself stays."""
    import pyarrow as pa

    added = {name: value for name, value in file.columns.items() if name not in stream.schema.names}
    schema = pa.schema([*stream.schema, *(pa.field(name, value.type) for name, value in added.items())])

    def wider(batch: pa.RecordBatch) -> pa.RecordBatch:
        constants = [pa.repeat(value, batch.num_rows) for value in added.values()]
        return pa.RecordBatch.from_arrays([*batch.columns, *constants], schema=schema)

    return Stream(schema, (wider(batch) for batch in stream.batches))

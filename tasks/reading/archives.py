"""The data file inside what was delivered: itself, unpacked from gz, or the wanted member of a tar or zip archive.

An archive is never unpacked by its own paths: the one member that is wanted is read as a stream into a scratch file of
our naming, so no path can leave the folder. Whatever unpacks is counted while it unpacks, in bytes and against what was
packed, so no bomb can go off. A scratch file, because a reader that finds a wider type starts over.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, cast

from tasks.errors import DataRefused
from tasks.sentences import listed
from tasks.sources import FilesSource, UrlSource

ARCHIVES = (".tar", ".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tgz", ".txz", ".zip")
ZIP_BY_THEMSELVES = (".npz", ".xlsx", ".ods", ".docx")
COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7z": lzma.open}
DAMAGED = (
    EOFError,
    NotImplementedError,  # a method of compression that is not known
    OSError,
    OverflowError,  # a place that no file has
    RuntimeError,  # an encrypted member
    ValueError,  # a header that is none
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
CHUNK, LONGEST_HEADER = 2**20, 2**24
HARMLESS_BYTES = 10_000_000
"""Below this size the ratio does not count: a small file of equal rows packs very well."""


class Openable(Protocol):
    """A named file that can be read from its beginning as often as needed."""

    @property
    def name(self) -> str:
        """What the file is called; its ending tells its format."""
        ...

    def open(self) -> IO[bytes]:
        """Give its bytes from the beginning."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine under the name that its publisher gave it."""

    name: str
    path: Path

    def open(self) -> IO[bytes]:
        """Give its bytes from the beginning."""
        return self.path.open("rb")


class Limited:
    """A stream that refuses to give more than a source allows, in bytes or against what was packed."""

    def __init__(self, stream: Any, name: str, source: UrlSource | FilesSource, packed: Callable[[], int]) -> None:
        self._stream, self._name, self._source, self._packed = stream, name, source, packed

    def read(self, size: int) -> bytes:
        """Give up to ``size`` bytes; archives never need many at once, only a forged header asks for them."""
        if size > LONGEST_HEADER:
            raise DataRefused(f"{self._name} is not a whole archive: a header claims {size:,} bytes.")
        chunk = self._stream.read(size)
        self._check(self._stream.tell())
        return chunk

    def seek(self, position: int) -> int:
        """Move on by reading, so that what is skipped is counted too."""
        if position < self._stream.tell():
            return self._stream.seek(position)
        while self._stream.tell() < position and self.read(min(CHUNK, position - self._stream.tell())):
            pass
        return self._stream.tell()

    def tell(self) -> int:
        """Give the position."""
        return self._stream.tell()

    def _check(self, size: int) -> None:
        if size > self._source.largest_bytes:
            raise DataRefused(
                f"{self._name} unpacks to more than source.largest_bytes = {self._source.largest_bytes:,}."
            )
        if size > HARMLESS_BYTES and size > self._source.largest_ratio * max(self._packed(), 1):
            raise DataRefused(
                f"{self._name} unpacks to more than source.largest_ratio = {self._source.largest_ratio:g} times its "
                "size, as only a bomb or very monotonous data does; raise the limit if it is meant."
            )


@dataclass(frozen=True)
class _Member:
    link: bool
    open: Callable[[], IO[bytes]]


def unpacked(file: Openable, source: UrlSource | FilesSource, folder: Path) -> Openable:
    """Give the data file: the file itself, or what is inside it, unpacked into ``folder``.

    Raises
    ------
    DataRefused
        The archive is damaged, unpacks to too much, or has not exactly one regular file of the wanted name.
    """
    found = file
    with _archive(file, source) as members:
        if members is not None:
            name = _wanted(members, source, PurePosixPath(file.name).name)
            found = LocalFile(name, folder / f"member-{len(list(folder.iterdir()))}")
            with members[name].open() as stream:
                _copied(stream, found, source, _size(file))
    if not found.name.lower().endswith(".gz"):
        if found is file and _size(file)() > source.largest_bytes:
            raise DataRefused(f"{file.name} is larger than source.largest_bytes = {source.largest_bytes:,}.")
        return found
    plain = LocalFile(found.name[:-3], folder / f"unpacked-{len(list(folder.iterdir()))}")
    with _sentences(found.name), found.open() as packed, gzip.open(packed) as stream:
        _copied(cast("IO[bytes]", stream), plain, source, packed.tell)
    return plain


def contents(file: Openable, source: UrlSource | FilesSource) -> Iterator[tuple[str, bytes]]:
    """Give the name and the content of every regular file in an archive, in its order, or of the file itself."""
    with _archive(file, source) as members:
        if members is None:
            with file.open() as stream:
                yield file.name, _whole(stream, file.name, source, _size(file))
            return
        for name, member in members.items():
            if not member.link and not name.endswith("/"):
                with member.open() as stream:
                    content = _whole(stream, name, source, _size(file))
                yield name, content


@contextmanager
def _archive(file: Openable, source: UrlSource | FilesSource) -> Generator[dict[str, _Member] | None]:
    """Give the members of an archive by name, or None where the file is not an archive."""
    with _sentences(file.name), file.open() as raw:
        start = raw.read(4)
        raw.seek(0)
        unpack = next((COMPRESSED[magic] for magic in COMPRESSED if start.startswith(magic)), None)
        if start in {b"PK\x03\x04", b"PK\x05\x06"} and not file.name.lower().endswith(ZIP_BY_THEMSELVES):
            with zipfile.ZipFile(raw) as archive:
                yield _zip_members(archive)
        elif _is_tar(raw, unpack):
            stream = Limited(unpack(raw), file.name, source, raw.tell) if unpack else raw
            with tarfile.open(fileobj=cast("Any", stream), mode="r:") as archive:
                yield _tar_members(archive)
                while stream.read(CHUNK):  # to the end, where the checksum is compared
                    pass
        elif file.name.lower().endswith(ARCHIVES):
            raise DataRefused(f"{file.name} is not a whole archive: its beginning or its end is damaged.")
        else:
            yield None


def _is_tar(raw: IO[bytes], unpack: Callable[[IO[bytes]], Any] | None) -> bool:
    """Tell by the checksum of the first header, without reading what that header announces."""
    try:
        start = (unpack(raw) if unpack else raw).read(512)
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except (*DAMAGED, tarfile.TarError):
        return False
    finally:
        raw.seek(0)
    return True


def _zip_members(archive: zipfile.ZipFile) -> dict[str, _Member]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    return {
        info.filename: _Member(stat.S_ISLNK(info.external_attr >> 16), partial(archive.open, info)) for info in files
    }


def _tar_members(archive: tarfile.TarFile) -> dict[str, _Member]:
    files = [info for info in archive if info.isreg() or info.issym() or info.islnk()]
    return {
        info.name.removeprefix("./"): _Member(
            not info.isreg(), cast("Callable[[], IO[bytes]]", partial(archive.extractfile, info))
        )
        for info in files
    }


def _wanted(members: dict[str, _Member], source: UrlSource | FilesSource, archive: str) -> str:
    """Give the name of the one member to read, which is a regular file inside the archive's own folder."""
    files = sorted(name for name, member in members.items() if not member.link)
    name = source.member if source.member is not None else files[0] if len(files) == 1 else None
    if name is not None and name in members:
        if members[name].link:
            raise DataRefused(f"{archive}: {name!r} is a link, which is not followed; it holds: {listed(files[:20])}.")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataRefused(f"{archive}: the name {name!r} leads out of the archive, which is not followed.")
        return name
    wanted = f"no file {name!r}" if name else f"{len(files)} files; name one in source.member"
    raise DataRefused(f"{archive} has {wanted}; it holds: {listed(files[:20]) or 'none'}.")


def _copied(stream: IO[bytes], target: LocalFile, source: UrlSource | FilesSource, packed: Callable[[], int]) -> None:
    limited = Limited(stream, target.name, source, packed)
    with target.path.open("wb") as file:
        while chunk := limited.read(CHUNK):
            file.write(chunk)


def _whole(stream: IO[bytes], name: str, source: UrlSource | FilesSource, packed: Callable[[], int]) -> bytes:
    limited = Limited(stream, name, source, packed)
    return b"".join(iter(lambda: limited.read(CHUNK), b""))


def _size(file: Openable) -> Callable[[], int]:
    with file.open() as stream:
        size = stream.seek(0, io.SEEK_END)
    return lambda: size


@contextmanager
def _sentences(name: str) -> Generator[None]:
    """Say what is wrong with an archive as a sentence, whichever library found it."""
    try:
        yield
    except DAMAGED as error:
        raise DataRefused(f"{name} is not a whole archive: {error or type(error).__name__}.") from error

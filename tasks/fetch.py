"""Fetch: raw data as it is published, kept as Parquet, the file itself kept beside it.

A file is downloaded once: under its pinned digest it is found again, and a mirror folder (``SALAMANDER_MIRROR``) stands
in where there is no network. An archive is never unpacked: the one member that is wanted is read as a stream, with a
limit on its size, so no path can leave the folder and no bomb can go off.
"""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect import get_run_logger, task
from prefect.tasks import exponential_backoff

from tasks.errors import DataRefused, ProblemError, SalamanderError
from tasks.problem import BundledSource, Source, UrlSource
from tasks.records import File, Snapshot
from tasks.sentences import listed
from tasks.store import Store, digest_of

if TYPE_CHECKING:
    import pyarrow as pa

MIRROR = "SALAMANDER_MIRROR"
ARCHIVES = (".tar", ".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tgz", ".txz", ".zip")
DAMAGED = (
    EOFError,
    NotImplementedError,  # a method of compression that is not known
    OSError,
    RuntimeError,  # an encrypted member
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class NetworkError(SalamanderError):
    """The address did not answer as it should; worth another try."""


def bundled(source: BundledSource) -> pa.Table:
    """Give a data set of scikit-learn as a table; the label is the column ``target``."""
    import pyarrow as pa
    import sklearn.datasets

    frame = getattr(sklearn.datasets, f"load_{source.name}")(as_frame=True).frame
    return pa.Table.from_pandas(frame, preserve_index=False)


def mirrored(url: str, mirror: Path) -> Path | None:
    """Give the file of a mirror folder that stands for an address: the longest end of its path that exists there."""
    parts = [part for part in PurePosixPath(urlsplit(url).path).parts if part not in {"/", "..", "."}]
    candidates = (mirror.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in candidates if path.is_file()), None)


def download(url: str, target: Path, largest_bytes: int) -> None:
    """Write what an address answers into a file.

    Raises
    ------
    NetworkError
        No connection, a connection cut short, or an answer that may pass (408, 425, 429, 5xx).
    DataRefused
        The address does not exist, or answers more than ``largest_bytes``.
    """
    import httpx

    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response, target.open("wb") as file:
            if response.status_code in {408, 425, 429} or response.status_code >= 500:
                raise NetworkError(f"{url} answered {response.status_code} {response.reason_phrase}.")
            if response.status_code != 200:
                raise DataRefused(f"{url} answered {response.status_code} {response.reason_phrase}; check source.url.")
            for chunk in response.iter_bytes():
                file.write(chunk)
                if file.tell() > largest_bytes:
                    raise DataRefused(f"{url} is larger than source.largest_bytes = {largest_bytes:,}.")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise DataRefused(f"{url} is not an address: {error}; check source.url.") from error
    except httpx.HTTPError as error:
        raise NetworkError(
            f"{url} could not be fetched: {error or type(error).__name__}; "
            f"without a network, name a folder that has the file in {MIRROR}."
        ) from error


@contextmanager
def opened(path: Path, source: UrlSource) -> Generator[tuple[str, IO[bytes]]]:
    """Give the name and the stream of the data file: the file itself, or the wanted member of an archive.

    Raises
    ------
    DataRefused
        The archive is damaged, or has not exactly one regular file of the wanted name.
    """
    name = PurePosixPath(urlsplit(source.url).path).name
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                files = {member.name.removeprefix("./"): member for member in archive if member.isreg()}
                member = _wanted(list(files), source, name)
                stream = archive.extractfile(files[member])
                if stream is None:
                    raise DataRefused(f"{name}: the member {member!r} is not a file.")
                with stream:
                    yield member, stream
                _read_to_the_end(archive.fileobj)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                member = _wanted([info.filename for info in archive.infolist() if not info.is_dir()], source, name)
                with archive.open(member) as stream:
                    yield member, stream
        elif name.lower().endswith(ARCHIVES):
            raise DataRefused(f"{source.url} is not a whole archive: its beginning or its end is damaged.")
        else:
            with path.open("rb") as stream:
                yield name, stream
    except DAMAGED as error:
        raise DataRefused(f"{source.url} is not a whole archive: {error}.") from error


def _read_to_the_end(stream: Any) -> None:
    """Read what is left of an archive, so that its checksum is compared."""
    while stream.read(2**20):
        pass


def _wanted(members: list[str], source: UrlSource, name: str) -> str:
    if source.member is not None and source.member in members:
        return source.member
    if source.member is None and len(members) == 1:
        return members[0]
    wanted = f"no file {source.member!r}" if source.member else f"{len(members)} files; name one in source.member"
    raise DataRefused(f"{name} has {wanted}; it holds: {listed(sorted(members)[:20])}.")


def read(name: str, stream: IO[bytes], largest_bytes: int) -> pa.Table:
    """Give the table of a CSV or Parquet stream.

    Raises
    ------
    DataRefused
        It is larger than allowed, empty, or not of the kind that its name says.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = stream.read(largest_bytes + 1)
    if len(content) > largest_bytes:
        raise DataRefused(f"{name} unpacks to more than source.largest_bytes = {largest_bytes:,}.")
    readers: dict[str, Any] = {
        ".csv": lambda: pa.Table.from_pandas(_csv(content), preserve_index=False),
        ".parquet": lambda: pq.read_table(io.BytesIO(content)),
    }
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in readers:
        raise ProblemError(f"source: {name} is of a kind that is not read; allowed: {listed(readers)}.")
    try:
        table = readers[suffix]()
    except (ValueError, pd.errors.ParserWarning, pa.ArrowException) as error:
        raise DataRefused(f"{name} cannot be read as {suffix[1:]}: {str(error).splitlines()[0]}.") from error
    if table.num_rows == 0 or table.num_columns == 0:
        raise DataRefused(f"{name} has no rows; the data was refused and nothing was changed.")
    return table


def _csv(content: bytes) -> Any:
    """Give the frame of a CSV; a row that is longer than the header is an error, not an index."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(io.BytesIO(content), index_col=False)


def _try_again(_task: object, _run: object, state: Any) -> bool:
    """Tell whether a failure may pass by itself: the network's, never the data's."""
    return isinstance(state.data, NetworkError) or isinstance(getattr(state.data, "__cause__", None), NetworkError)


@task(
    task_run_name="fetch",
    retries=4,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=0.5,
    retry_condition_fn=_try_again,
)
def fetch(source: Source, store: Store) -> Snapshot:
    """Fetch the raw data of a source into the store."""
    logger = get_run_logger()
    if isinstance(source, BundledSource):
        logger.info("Reading %s, which comes with scikit-learn.", source.name)
        table, origin = bundled(source), f"scikit-learn's {source.name}"
    else:
        logger.info("Fetching %s.", source.url)
        file = _downloaded(source, store)
        with opened(store.path(file), source) as (name, stream):
            table, origin = read(name, stream, source.largest_bytes), source.url
    snapshot = Snapshot(data=store.keep_table(table, "raw"), origin=origin)
    logger.info("%s rows and %s columns from %s.", f"{table.num_rows:,}", table.num_columns, origin)
    return snapshot


def _downloaded(source: UrlSource, store: Store) -> File:
    """Give the source's file in the store: kept under its pinned digest, from the mirror, or from its address."""
    if source.sha256 and (kept := store.find("downloads", source.sha256)):
        return kept
    name = PurePosixPath(urlsplit(source.url).path).name
    with store.scratch() as folder:
        path = folder / "download"
        mirror = os.environ.get(MIRROR)
        found = mirrored(source.url, Path(mirror)) if mirror else None
        if found:
            path.write_bytes(found.read_bytes())
        else:
            download(source.url, path, source.largest_bytes)
        digest = digest_of(path)
        if source.sha256 and digest != source.sha256:
            raise DataRefused(
                f"{found or source.url} is not the pinned file: its sha256 is {digest}, "
                f"source.sha256 is {source.sha256}; if the new content is right, pin it."
            )
        return store.keep(path, "downloads", f"-{name}")

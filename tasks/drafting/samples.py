"""Samples: the first rows of a file or an address, and the ``[source]`` that reads them the same way again.

What a file's name does not say is found by looking into it: its format, and the dialect of its text. The rows are then
read by the reader of every run, so that what is looked at here is what a run will get.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from tasks.drafting.dialects import detect
from tasks.errors import ProblemError
from tasks.reading.archives import LocalFile, unpacked
from tasks.reading.downloads import MIRROR, download, mirrored
from tasks.reading.readers import FORMATS, read
from tasks.sentences import listed, meant
from tasks.sources import BundledSource, FilesSource, UrlSource
from tasks.store import digest_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tasks.reading.streams import Stream

MOST_ROWS = 200_000
HEAD_BYTES = 2**20
BUNDLED = "sklearn:"


@dataclass(frozen=True)
class Sample:
    """The rows that were looked at, where they came from and how that is declared.

    ``source`` is the ``[source]`` table; ``whole`` tells whether these are all rows; ``sha256`` is of a download.
    """

    frame: pd.DataFrame
    origin: str
    source: dict[str, Any]
    whole: bool = True
    sha256: str | None = None


def take(data: str, project: Path, rows: int = MOST_ROWS) -> Sample:
    """Give the first rows of a file, an address, or a data set of scikit-learn (``sklearn:iris``).

    Raises
    ------
    ProblemError
        There is no such file, or it is not of a kind that is read.
    DataRefused
        It cannot be read, or has no rows.
    """
    if data.startswith(BUNDLED):
        return bundled(data.removeprefix(BUNDLED))
    with tempfile.TemporaryDirectory(prefix="salamander-new-") as scratch:
        folder = Path(scratch)
        if data.startswith(("http://", "https://")):
            address = UrlSource(kind="url", url=data)
            file = _downloaded(address, folder)
            return _sample(file, address, data, folder, rows, digest_of(file.path))
        path = Path(data).expanduser()
        if not path.is_file():
            raise ProblemError(f"There is no file {data}; name a file, an http address, or {BUNDLED}iris and the like.")
        source = FilesSource(kind="files", path=declared_path(path, project))
        return _sample(LocalFile(path.name, path), source, path.name, folder, rows, None)


def bundled(name: str) -> Sample:
    """Give a data set that comes with scikit-learn; its label is the column ``target``."""
    import sklearn.datasets

    known = get_args(BundledSource.model_fields["name"].annotation)
    if name not in known:
        raise ProblemError(f"scikit-learn's {name!r} is not known{meant(name, known)}; allowed: {listed(known)}.")
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    return Sample(frame, f"scikit-learn's {name}", {"kind": "bundled", "name": name})


def declared_path(path: Path, project: Path) -> str:
    """Give a path as it is declared: from the project on where the file is inside it, else in full."""
    whole, root = path.resolve(), project.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)


def _downloaded(source: UrlSource, folder: Path) -> LocalFile:
    """Give the file of an address, from the mirror folder where it has it."""
    address, mirror = source.addresses[0], os.environ.get(MIRROR)
    name = PurePosixPath(urlsplit(address).path).name or "download"
    if mirror and (found := mirrored(address, Path(mirror))):
        return LocalFile(name, found)
    path = folder / "download"
    download(address, path, source.largest_bytes)
    return LocalFile(name, path)


def format_of(name: str, head: bytes) -> str:
    """Give the format of a file, by its beginning where its name does not tell."""
    if known := FORMATS.get(PurePosixPath(name).suffix.lower()):
        return known
    for mark, kind in ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"{", "jsonl")):
        if head.startswith(mark):
            return kind
    return "csv"


def first_rows(rows: int) -> Callable[[Stream], tuple[pa.Table, bool]]:
    """Give a function that takes the first rows of a stream and tells whether these are all."""

    def use(stream: Stream) -> tuple[pa.Table, bool]:
        import pyarrow as pa

        taken: list[pa.RecordBatch] = []
        for batch in stream.batches:
            taken.append(batch)
            if sum(each.num_rows for each in taken) > rows:
                break
        table = pa.Table.from_batches(taken, schema=stream.schema)
        return table.slice(0, rows), table.num_rows <= rows

    return use


def _sample(
    file: LocalFile, source: UrlSource | FilesSource, origin: str, folder: Path, rows: int, sha256: str | None
) -> Sample:
    inside = unpacked(file, source, folder)
    with inside.open() as stream:
        head = stream.read(HEAD_BYTES)
    kind = format_of(inside.name, head)
    found: dict[str, Any] = {}
    if FORMATS.get(PurePosixPath(inside.name).suffix.lower()) is None:
        found["format"] = kind
    if kind in {"csv", "tsv"} and (dialect := detect(head)):
        found["dialect"] = {
            key: value for key, value in dialect.items() if (kind, key, value) != ("tsv", "separator", "\t")
        }
    known = source.model_validate({**source.model_dump(exclude_defaults=True), "kind": source.kind, **found})
    table, whole = read([file], known, folder, first_rows(rows))
    declared = {"kind": source.kind, **source.model_dump(exclude_defaults=True), **found}
    frame = table.to_pandas()
    return Sample(frame, origin, declared, whole, sha256)

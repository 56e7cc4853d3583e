"""Outputs: a kept table as a CSV or Parquet file outside the store, on this machine or in a bucket.

It is there whole or not at all: a file is renamed when it is complete, and an object store shows an object only when
all of it has arrived. That is why no other kinds of addresses are written to.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tasks.errors import ProblemError, SalamanderError
from tasks.records import Artifact
from tasks.store import Store, check_kind, check_output

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")


def check_target(target: str) -> None:
    """Refuse a path or an address that a table cannot be written to.

    Raises
    ------
    ProblemError
        Its folder does not exist, its name ends with neither .csv nor .parquet, or the kind of address is not written.
    """
    if path := _local(target):
        check_output(path)
    else:
        check_kind(PurePosixPath(target), target)
        _bucket(target)


def write_to(store: Store, table: Artifact, target: str) -> None:
    """Write a kept table where `check_target` allows it, in place of what is there.

    Raises
    ------
    SalamanderError
        It cannot be written; what was there before still is.
    """
    if path := _local(target):
        try:
            return store.write_out(table, path)
        except OSError as error:
            raise SalamanderError(f"{target} cannot be written: {error.strerror or error}.") from error
    system, name = _bucket(target)
    with store.scratch() as folder:
        draft = folder / PurePosixPath(name).name
        store.write_out(table, draft)
        try:
            system.put_file(str(draft), name)
        except Exception as error:  # each library has its own
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            text = f"{target} cannot be written: {said}; check the address, the credentials and their rights."
            raise SalamanderError(text) from error
    return None


def _local(target: str) -> Path | None:
    """Give the path of a file on this machine, or None for another address."""
    kind, separator, path = target.partition("://")
    if not separator:
        return Path(target)
    return Path(path) if kind == "file" else None


def _bucket(target: str) -> tuple[AbstractFileSystem, str]:
    """Give the file system of an object store's address, and the name in it."""
    import fsspec

    if target.partition("://")[0] not in OBJECT_STORES:
        allowed = ", ".join(f"{kind}://" for kind in ("file", *OBJECT_STORES))
        raise ProblemError(f"{target} is nothing that is written to; allowed are a path, {allowed}.")
    try:
        return fsspec.url_to_fs(target, skip_instance_cache=True)
    except ImportError as error:
        raise ProblemError(f"{target} needs a package that is not installed: {error}.") from None

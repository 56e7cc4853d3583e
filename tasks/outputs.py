"""Outputs: a kept table as a CSV or Parquet file outside the store, on this machine or at an address of fsspec.

It is there whole or not at all: a file is renamed when it is complete, and what is sent elsewhere is complete before it
is sent (an object store shows an object only when all of it has arrived).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tasks.errors import ProblemError, SalamanderError
from tasks.records import Artifact
from tasks.store import Store, check_kind, check_output

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def check_target(target: str) -> None:
    """Refuse a path or an address that a table cannot be written to.

    Raises
    ------
    ProblemError
        Its folder does not exist, its name ends with neither .csv nor .parquet, or the kind of address is not known.
    """
    if "://" not in target:
        check_output(Path(target))
    else:
        check_kind(PurePosixPath(target), target)
        _system(target)


def write_to(store: Store, table: Artifact, target: str) -> None:
    """Write a kept table where `check_target` allows it, in place of what is there.

    Raises
    ------
    SalamanderError
        It cannot be written; what was there before still is.
    """
    if "://" not in target:
        try:
            return store.write_out(table, Path(target))
        except OSError as error:
            raise SalamanderError(f"{target} cannot be written: {error.strerror or error}.") from error
    system, path = _system(target)
    with store.scratch() as folder:
        draft = folder / PurePosixPath(path).name
        store.write_out(table, draft)
        try:
            system.put_file(str(draft), path)
        except Exception as error:  # each library has its own
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            text = f"{target} cannot be written: {said}; check the address, the credentials and their rights."
            raise SalamanderError(text) from error
    return None


def _system(target: str) -> tuple[AbstractFileSystem, str]:
    """Give the file system of an address, and the path in it."""
    import fsspec

    try:
        return fsspec.url_to_fs(target, skip_instance_cache=True)
    except ImportError as error:
        raise ProblemError(f"{target} needs a package that is not installed: {error}.") from None
    except ValueError as error:
        raise ProblemError(f"{target} is not an address: {error}.") from None

"""The one door to storage: immutable files named by their content, and records that can be created only once.

Two primitives carry everything, so that an object store can do it too (a conditional write, no rename is ever seen):

- *keep*: bytes go to a temporary file, are flushed to the disk and then appear under the name of their digest. What is
  there already is the same by definition. Reading checks the digest again: a changed byte is found and named.
- *create*: a record appears whole under a name that must be free, or not at all. Of two writers one wins and the other
  is told. Numbered records created this way (*append*) are a compare-and-swap and an append-only history at once. Each
  is sealed with its own sha256, and says its number inside.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tasks.arrow import parquet_file
from tasks.errors import ProblemError, StoreError
from tasks.records import Artifact, Column, File, Record, Table
from tasks.registering.seals import number_of, opened, sealed, unsealed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

R = TypeVar("R", bound=Record)
DAY_SECONDS = 86_400
ROW_GROUP, BATCH = 2**18, 2**17
POSITION = "position"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class Stored(NamedTuple):
    """A file in the store: its path below the problem's folder, its size in bytes and when it was written or used."""

    path: str
    size: int
    time: float


class Store:
    """The files of one problem, below ``root / problem``.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the whole store.
    problem : str
        The problem's name: the folder below the root.
    """

    def __init__(self, root: Path, problem: str) -> None:
        self.root = root
        self.problem = problem
        self.folder = root / problem

    @classmethod
    def at(cls, url: str, problem: str) -> Store:
        """Give the store at a path or ``file://`` address.

        Raises
        ------
        ProblemError
            The address is of another kind.
        """
        scheme, separator, path = url.partition("://")
        if separator and scheme != "file":
            raise ProblemError(f"--store {url!r} is not supported; allowed are a folder and a file:// address.")
        return cls(Path(path if separator else url).expanduser().absolute(), problem)

    # Files named by their content.

    def keep(self, source: Path, kind: str, name: str) -> File:
        """Move a file into the store, under ``kind/<digest><name>``, and give its record.

        What is there already is as good as new: its time is set to now, so that it is not collected meanwhile.
        """
        digest = digest_of(source)
        kept = File(path=f"{kind}/{digest}{name}", sha256=digest, size=source.stat().st_size)
        target = self.folder / kept.path
        with self._writing():
            if not _refreshed(target) or digest_of(target) != digest:
                target.parent.mkdir(parents=True, exist_ok=True)
                _flush(source)
                source.replace(target)
                _flush(target.parent)
        return kept

    def find(self, kind: str, digest: str) -> File | None:
        """Give the record of a kept file of that digest, or None."""
        found = next((self.folder / kind).glob(f"{digest}*"), None)
        return File(path=f"{kind}/{found.name}", sha256=digest, size=found.stat().st_size) if found else None

    def path(self, file: File) -> Path:
        """Give the path of a kept file after checking that it is what its name says.

        Raises
        ------
        StoreError
            The file is missing, or a byte of it has changed.
        """
        path = self.folder / file.path
        if not path.is_file():
            raise StoreError(
                f"{path} is missing from the store; restore it from a backup (a table is made anew by training again)."
            )
        if digest_of(path) != file.sha256:
            raise StoreError(
                f"{path} was changed after it was written (its sha256 is not {file.sha256[:12]}...) and is not used; "
                "restore it from a backup (a table is made anew by removing it and training again)."
            )
        return path

    # Tables: Parquet, written and read batch by batch, so that memory need not grow with the rows.

    def keep_batches(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], kind: str) -> Artifact:
        """Write batches as one Parquet file (zstd) under ``artifacts/<kind>/`` and give its record.

        Equal rows give equal bytes under the same versions of the libraries, however they are cut into batches: row
        groups have `ROW_GROUP` rows, and no clock and no pandas metadata goes in.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = schema.remove_metadata()
        rows, waiting = 0, schema.empty_table()
        with self.scratch() as folder:
            path = folder / "table.parquet"
            with pq.ParquetWriter(path, schema, compression="zstd") as writer:
                for batch in batches:
                    rows += batch.num_rows
                    waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch.replace_schema_metadata()])])
                    while waiting.num_rows >= ROW_GROUP:  # in one piece: pages end where the pieces do
                        writer.write_table(waiting.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
                        waiting = waiting.slice(ROW_GROUP)
                if waiting.num_rows or not rows:
                    writer.write_table(waiting.combine_chunks(), row_group_size=ROW_GROUP)
            file = self.keep(path, f"artifacts/{kind}", ".parquet")
        columns = tuple(Column(name=field.name, dtype=str(field.type)) for field in schema)
        return Artifact(file=file, rows=rows, columns=columns)

    def keep_table(self, table: pa.Table, kind: str) -> Artifact:
        """Write a table that is in memory; see `keep_batches`."""
        return self.keep_batches(table.schema, table.to_batches(), kind)

    def batches(self, data: Table | Artifact, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Give the rows of a kept table, or some of its columns, batch by batch, after checking its digests."""
        import numpy as np
        import pyarrow as pa

        names = None if columns is None else list(columns)
        table = Table.model_validate(data)
        left_out, start = self.left_out(table), 0
        for part in table.parts:
            for batch in parquet_file(self.path(part.file)).iter_batches(BATCH, columns=names):
                low, high = np.searchsorted(left_out, [start, start + batch.num_rows])
                stays = np.ones(batch.num_rows, dtype="bool")
                stays[left_out[low:high] - start] = False
                start += batch.num_rows
                ordered = batch if names is None else batch.select(names)
                yield ordered if low == high else ordered.filter(pa.array(stays))

    def schema(self, data: Table | Artifact) -> pa.Schema:
        """Read the types of a kept table's columns, after checking the digest of its first part."""
        import pyarrow.parquet as pq

        return pq.read_schema(self.path(Table.model_validate(data).parts[0].file))

    def table(self, data: Table | Artifact, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a kept table, or some of its columns, into memory, after checking its digests."""
        import pyarrow as pa

        read = list(self.batches(data, columns))
        schema = self.schema(data)
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        return pa.Table.from_batches(read, schema=wanted)

    def write_out(self, artifact: Artifact, target: Path) -> None:
        """Write a kept table outside the store, as `check_output` allows; whole or not at all."""
        import pyarrow.csv
        import pyarrow.parquet as pq

        make = pyarrow.csv.CSVWriter if target.suffix == ".csv" else pq.ParquetWriter
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".salamander-") as folder:
            draft = Path(folder) / target.name
            with make(draft, self.schema(artifact)) as writer:
                for batch in self.batches(artifact):
                    writer.write_batch(batch)
            draft.replace(target)

    def left_out(self, table: Table) -> NDArray[np.int64]:
        """Give the positions of the rows that a table leaves out, rising: an array of shape (rows left out,)."""
        import numpy as np

        if table.left_out is None:
            return np.array([], dtype="int64")
        return self.table(table.left_out)[POSITION].to_numpy()

    def without(self, table: Table, positions: NDArray[np.int64]) -> Table:
        """Give a table that leaves out the rows at these positions as well; see `Table` for what a position is."""
        import numpy as np
        import pyarrow as pa

        gone = np.union1d(self.left_out(table), positions.astype("int64"))
        kept = self.keep_table(pa.table({POSITION: gone}), "left_out") if len(gone) else None
        return table.model_copy(update={"left_out": kept})

    # Records that are created once.

    def create(self, name: str, record: Record) -> bool:
        """Write a record, sealed, under a name that must be free; give False, and change nothing, where it is taken."""
        return self.create_file(name, sealed(record))

    def create_file(self, name: str, content: bytes) -> bool:
        """Write bytes under a name that must be free; give False, and change nothing, where it is taken."""
        target = self.folder / name
        with self._writing(), self.scratch() as folder:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = folder / "draft"
            draft.write_bytes(content)
            _flush(draft)
            try:
                os.link(draft, target)
            except FileExistsError:
                return False
            _flush(target.parent)
        return True

    def append(self, folder: str, make: Callable[[int], R], *, after: int = 0) -> R:
        """Create a record under the next free number of a folder and give it.

        Parameters
        ----------
        make : callable
            Gives the record of a number. It is asked again, with a higher one, where another writer was faster; so what
            it checks holds for the record just before. A record of another number is there already: it is given back
            as it is.
        after : int
            The number that all new ones are above.
        """
        while True:
            number = max((after, *self.numbers(folder))) + 1
            record = make(number)
            if number_of(record) not in {None, number} or self.create(numbered(folder, number), record):
                return record

    def read(self, name: str) -> bytes:
        """Read the bytes of a record as they are.

        Raises
        ------
        StoreError
            There is none.
        """
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}; restore it from a backup.") from error

    def record(self, name: str, kind: type[R], check: Callable[[bytes], None] | None = None) -> R:
        """Read the record of a name, after checking its seal.

        Parameters
        ----------
        check : callable, optional
            Looks at the bytes of the file before anything in it is parsed, and raises where they are not to be trusted.

        Raises
        ------
        StoreError
            There is none, it is not a record of that kind and number, or a byte of it was changed.
        """
        content = self.read(name)
        if check:
            check(content)
        return unsealed(self.folder / name, content, kind)

    def known(self, name: str, kind: type[R]) -> R | None:
        """Read the record of a result that can be had again, or None where it, or a file that it names, is not there.

        Their times are set to now, so that they are not collected meanwhile. A record that was changed is removed.
        """
        path = self.folder / name
        if not _refreshed(path):
            return None
        try:
            record = self.record(name, kind)
        except StoreError:
            path.unlink(missing_ok=True)
            return None
        if all(_refreshed(self.folder / file) for file in named_files(record.model_dump(mode="json"))):
            return record
        path.unlink(missing_ok=True)
        return None

    def numbers(self, folder: str) -> list[int]:
        """Give the numbers of the records ``folder/<number>.json``, rising."""
        names = (path.stem for path in (self.folder / folder).glob("*.json"))
        return sorted(int(name) for name in names if name.isdigit())

    def names(self, folder: str) -> list[str]:
        """Give the names of the records in a folder, sorted."""
        return sorted(path.relative_to(self.folder).as_posix() for path in (self.folder / folder).glob("*.json"))

    def gone(self, record: Record) -> list[str]:
        """Give the paths of the files that a record names and that are not in the store."""
        names = dict.fromkeys(named_files(record.model_dump(mode="json")))
        return [name for name in names if not (self.folder / name).is_file()]

    def named_by_records(self, folder: str) -> Iterator[str]:
        """Give the paths of the files that the records below a folder name, of whatever kind they are.

        Raises
        ------
        StoreError
            One of them is no record, or was changed.
        """
        for path in sorted((self.folder / folder).rglob("*.json")):
            content = self.read(path.relative_to(self.folder).as_posix())
            try:
                yield from named_files(json.loads(opened(path, content) or content))
            except ValueError as error:
                raise StoreError(f"{path} is not a record; restore it from a backup.") from error

    # What may be removed.

    def folders(self) -> list[str]:
        """Give the names of the problem's folders."""
        return sorted(path.name for path in self.folder.glob("*") if path.is_dir())

    def files(self, folder: str) -> Iterator[Stored]:
        """Give all files below a folder."""
        for path in sorted((self.folder / folder).rglob("*")):
            try:
                stat = path.stat()
            except FileNotFoundError:  # removed meanwhile
                continue
            if S_ISREG(stat.st_mode):
                yield Stored(path.relative_to(self.folder).as_posix(), stat.st_size, stat.st_mtime)

    def remove(self, path: str, unused_since: float) -> bool:
        """Remove a file, or a whole folder, unless something of it was written or used after that moment.

        Returns
        -------
        bool
            Whether it was removed.
        """
        found = self.folder / path
        if found.is_dir():
            if any(each.time > unused_since for each in self.files(path)):
                return False
            self.remove_folder(found)
            return True
        try:
            if found.stat().st_mtime > unused_since:
                return False
            found.unlink()
        except FileNotFoundError:
            return False
        return True

    # Cached results and projections.

    def discard_untrusted_result(self, key: str, serializer: dict[str, object]) -> None:
        """Remove a cached result that is not to be used again, before Prefect looks; the step runs again.

        That is one that another serializer wrote (a result names the serializer that reads it, and Prefect would
        believe it, a pickle's included), that is torn, that names a file which is gone, or that tells of a problem:
        memory that ran out and a champion that could not be read may be there again. The times of one that is used and
        of its files are set to now, so that they are not collected meanwhile.
        """
        path = self.folder / "results" / key
        if not path.is_file():
            return
        result, serialized_by, names = _result(path)
        whole = serialized_by == serializer and not _tells_of_a_problem(result)
        if whole and all(_refreshed(self.folder / name) for name in names):
            _refreshed(path)
        else:
            path.unlink(missing_ok=True)

    def named_by_result(self, path: str) -> set[str]:
        """Give the paths of the files that a cached result, or the record of one, names; a torn one names none."""
        found = self.folder / path
        try:
            return {*_result(found)[2], *named_files(json.loads(found.read_bytes()))}
        except (FileNotFoundError, ValueError, RecursionError):
            return set()

    def project(self, files: dict[str, File], target: Path) -> None:
        """Lay kept files out in a folder that appears whole or not at all; a folder that is there already stays."""
        if target.exists():
            return
        with self.scratch() as folder:
            draft = folder / "whole"
            for name, file in files.items():
                copy = draft / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.path(file), copy)
                _flush(copy)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.rename(target)
            except OSError:
                if not target.exists():
                    raise

    def remove_folder(self, target: Path) -> None:
        """Take a projected folder away: it disappears whole."""
        with self.scratch() as folder:
            target.rename(folder / target.name)

    def sweep(self) -> None:
        """Remove what runs that were killed more than a day ago left half done."""
        for folder in (self.root / ".scratch").glob("*"):
            if time.time() - folder.stat().st_mtime > DAY_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        why = os.strerror(error.errno) if error.errno else str(error)
        return StoreError(f"The store {self.root} cannot be written: {why}; nothing was changed.")

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """Give an empty folder on the store's own file system, removed at the end.

        Raises
        ------
        StoreError
            There is no room for what is written there, by whatever library.
        """
        parent = self.root / ".scratch"
        with self._writing():
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        except OSError as error:
            if error.errno in NO_ROOM:
                raise self._unwritable(error) from error
            raise
        finally:
            shutil.rmtree(folder)


def check_kind(path: PurePath, target: str) -> None:
    """Refuse a file, named as ``target``, whose name ends with neither .csv nor .parquet.

    Raises
    ------
    ProblemError
        It does.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise ProblemError(f"{target} is of a kind that is not written; allowed: .csv, .parquet.")


def check_output(target: Path) -> None:
    """Refuse a file that a table cannot be written to.

    Raises
    ------
    ProblemError
        Its folder does not exist, or its name ends with neither .csv nor .parquet.
    """
    check_kind(target, str(target))
    if not target.parent.is_dir():
        raise ProblemError(f"{target} cannot be written: the folder {target.parent} does not exist.")


def digest_of(path: Path) -> str:
    """Give the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbered(folder: str, number: int) -> str:
    """Give the name of the record of a number."""
    return f"{folder}/{number:06}.json"


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refreshed(path: Path) -> bool:
    """Set the time of a file to now; give whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _result(path: Path) -> tuple[object, object, list[str]]:
    """Give a cached result as Prefect lays it out, what wrote it, and the files that it names; nothing where torn."""
    try:
        stored = json.loads(path.read_bytes())
        result = json.loads(stored["result"])
        return result, stored["metadata"]["serializer"], [*named_files(result)]
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None, None, []


def _tells_of_a_problem(result: object) -> bool:
    data = result.get("data") if isinstance(result, dict) else None
    if not isinstance(data, dict):
        return False
    trials = data.get("trials") or []  # of which those that went well are known when it runs again
    return bool(data.get("problem")) or any(isinstance(trial, dict) and trial.get("problem") for trial in trials)


def named_files(value: object) -> Generator[str]:
    """Give the paths of all `File` records inside decoded JSON."""
    if isinstance(value, dict):
        if set(value) >= {"path", "sha256", "size"}:
            yield str(value["path"])
        for inner in value.values():
            yield from named_files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named_files(inner)

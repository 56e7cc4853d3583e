"""Fetch: raw data as it is published, kept as Parquet, downloads themselves kept beside it.

Each kind of source has its own module; here the rows of any of them become one kept table, as a stream, so that memory
does not grow with the rows. What is logged and recorded is the address as declared: credentials are filled in where a
connection is made, nowhere before.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from prefect import get_run_logger, task
from prefect.tasks import exponential_backoff

from tasks.errors import DataRefused, NetworkError, ProblemError
from tasks.held_columns import column_changes
from tasks.keys import digest
from tasks.reading.archives import LocalFile, Openable
from tasks.reading.streams import Stream
from tasks.records import Artifact, Snapshot, Table
from tasks.sentences import listed
from tasks.snapshots import RefusedBatch, taken
from tasks.sources import BundledSource, FilesSource, Source, SqlSource, UrlSource
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def bundled(source: BundledSource) -> Stream:
    """Give a data set of scikit-learn; the label is the column ``target``."""
    import pyarrow as pa
    import sklearn.datasets

    frame = getattr(sklearn.datasets, f"load_{source.name}")(as_frame=True).frame
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return Stream(table.schema, iter(table.to_batches()))


def arrived(
    source: Source,
    store: Store,
    held: pa.Schema | None = None,
    since: str | None = None,
    project: Path = Path(),
    yielding: bool = False,
) -> tuple[Artifact, str]:
    """Give what a source has now as one kept table, and where it came from, in words that hold no credentials.

    Parameters
    ----------
    source : sources.Source
        What is declared.
    store : store.Store
        Where the rows, and the files that they came in, are kept.
    held : pyarrow.Schema, optional
        The types of the last accepted snapshot; a column named there keeps its type.
    since : str, optional
        Where the last fetch of a query with a watermark ended.
    project : pathlib.Path
        The folder that paths and functions are looked up in.
    yielding : bool
        Whether values may have other types than those held: only what has to be guessed from text is read by them.
    """

    def keep(stream: Stream) -> Artifact:
        return store.keep_batches(stream.schema, stream.batches, "raw")

    if isinstance(source, BundledSource):
        return keep(bundled(source)), f"scikit-learn's {source.name}"
    if isinstance(source, UrlSource | FilesSource):
        from tasks.reading.readers import read

        with store.scratch() as folder:
            files, origin = _files(source, store, project)
            return read(files, source, folder, keep, held, yielding), origin
    if isinstance(source, SqlSource):
        from tasks.reading.credentials import filled
        from tasks.reading.databases import query

        address = filled(source.url, secret_block)
        if held and yielding:
            held = held.empty_table().select([name for name in held.names if name == source.watermark]).schema
        artifact, origin = keep(query(source, address, since, held=held, folder=project)), source.url
    else:
        from tasks.reading.functions import called

        artifact, origin = keep(called(source, project, None if yielding else held)), source.function
    if not artifact.rows and since is None:
        raise DataRefused(f"{origin} gave no rows; the data was refused and nothing was changed.")
    return artifact, origin


def _files(source: UrlSource | FilesSource, store: Store, project: Path) -> tuple[list[Openable], str]:
    """Give the files of a source and where they are, as declared."""
    from tasks.reading.credentials import filled

    if isinstance(source, FilesSource):
        from tasks.reading.addresses import found

        return list(found(filled(source.path, secret_block), project, source.path)), source.path
    from tasks.reading.downloads import downloaded

    files = [
        LocalFile(
            PurePosixPath(urlsplit(url).path).name,
            store.path(downloaded(url, filled(url, secret_block), source, store)),
        )
        for url in source.addresses
    ]
    return cast("list[Openable]", files), listed(source.addresses)


def secret_block(name: str) -> str:
    """Give the value of a Prefect Secret block.

    Raises
    ------
    ProblemError
        There is no such block.
    """
    from prefect.blocks.system import Secret

    load: Any = Secret.load
    try:
        block = load(name, _sync=True)
    except ValueError as error:
        raise ProblemError(
            f"source: there is no Prefect Secret block {name!r}; create it, in the Prefect UI under Blocks."
        ) from error
    return str(block.get())


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
def fetch(
    source: Source,
    store: Store,
    base: Snapshot | None = None,
    unit: tuple[tuple[str, ...], str] | None = None,
    accept_columns: bool = False,
    project: str = ".",
) -> Snapshot:
    """Fetch the data of a source into the store.

    Parameters
    ----------
    source : sources.Source
        What is declared.
    store : store.Store
        Where the rows are kept.
    base : Snapshot, optional
        The last accepted snapshot: its types are held, and a table that grows is added to it.
    unit : tuple, optional
        The identity as declared, and the target. Without it the rows are only read, as rows to predict are.
    accept_columns : bool
        Whether columns and types may differ from those of ``base``.
    project : str
        The folder that paths and functions are looked up in.
    """
    logger = get_run_logger()
    logger.info("Fetching from a source of kind %s.", source.kind)
    artifact, origin = _arrived(source, store, base, unit is not None, accept_columns, Path(project))
    logger.info("%s rows and %s columns from %s.", f"{artifact.rows:,}", len(artifact.columns), origin)
    if empty := [column.name for column in artifact.columns if column.dtype == "null"]:
        logger.warning("No row has a value in the column(s) %s.", listed(empty))
    if unit is None:
        return Snapshot(data=Table(parts=(artifact,)), origin=origin)
    snapshot = taken(store, artifact, origin, source, base, unit, accept_columns)
    if snapshot.ignored:
        new = listed(column.name for column in snapshot.ignored)
        logger.warning("New columns are left out until they are accepted with --accept-columns: %s.", new)
    if base:
        for change in column_changes(base.data, snapshot.data):
            logger.warning("%s", change)
        if source.mode == "append":
            replaced = base.data.rows + artifact.rows - snapshot.data.rows
            logger.info("%s of these rows replace earlier ones of the same identity, or equal them.", f"{replaced:,}")
    return snapshot.model_copy(update=_watermark(source, artifact, base, store))


def _arrived(
    source: Source, store: Store, base: Snapshot | None, kept: bool, accept_columns: bool, project: Path
) -> tuple[Artifact, str]:
    """Give what has arrived since the last accepted snapshot; where its types do not fit, it is kept with its own.

    Raises
    ------
    RefusedBatch
        A value does not fit the type that is held, and ``kept`` says that the batch is to be found again.
    """
    held = store.schema(base.data) if base else None
    since = base.watermark if base and base.watermark_of == _watermark_of(source) else None
    try:
        return arrived(source, store, held, since, project, accept_columns)
    except DataRefused as error:
        if held is None or accept_columns or not kept:
            raise
        try:
            artifact, origin = arrived(source, store, held, since, project, yielding=True)
        except DataRefused:
            raise error from None
        raise RefusedBatch(str(error), Snapshot(data=Table(parts=(artifact,)), origin=origin)) from error


def _watermark_of(source: Source) -> str | None:
    """Give the digest of what a watermark belongs to: with another query, or elsewhere, it says nothing."""
    if not isinstance(source, SqlSource) or source.watermark is None:
        return None
    return digest([source.url, source.query, source.watermark])


def _watermark(source: Source, new: Artifact, base: Snapshot | None, store: Store) -> dict[str, str | None]:
    """Give where the next fetch of a query goes on, and which query that is."""
    if not isinstance(source, SqlSource) or source.watermark is None:
        return {}
    from tasks.reading.databases import last_watermark

    reached, of = last_watermark(store.batches(new, [source.watermark]), source.watermark), _watermark_of(source)
    before = base.watermark if base and base.watermark_of == of else None
    return {"watermark": reached or before, "watermark_of": of}

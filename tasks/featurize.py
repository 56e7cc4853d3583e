"""Featurize: the training rows with their derived columns, batch by batch.

Only row-wise functions run here: nothing is fitted, so nothing can leak between rows or from the test set. The same
function derives the same columns again wherever a model predicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from tasks.columns import FOLD, ROW, derive, source_columns
from tasks.records import Features, FeatureSet, Split
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def features(rows: pa.RecordBatch, columns: FeatureSet) -> pa.Table:
    """Give the features of training rows, with their target, the hash of their identity and their fold."""
    import pyarrow as pa

    derived = derive(rows.select(source_columns(columns)).to_pandas(), columns)
    table = pa.Table.from_pandas(derived, preserve_index=False).replace_schema_metadata()
    for name in (columns.target, ROW, FOLD):
        table = table.append_column(name, rows[name])
    return table


@task(task_run_name="featurize")
def featurize(split: Split, columns: FeatureSet, store: Store) -> Features:
    """Derive the features of the training rows."""
    import pyarrow as pa

    logger = get_run_logger()
    logger.info("Deriving %s columns from %s.", len(columns.derived), len(source_columns(columns)))
    none = pa.RecordBatch.from_pylist([], schema=store.schema(split.train))
    schema = features(none, columns).schema
    tables = (features(batch, columns).cast(schema) for batch in store.batches(split.train))
    train = store.keep_batches(schema, (batch for table in tables for batch in table.to_batches()), "features")
    logger.info("%s features for %s training rows.", len(columns.roles), f"{train.rows:,}")
    return Features(train=train, columns=columns, folds=split.folds, forward=split.forward)

"""Featurize: the training rows with their derived columns.

Only row-wise functions run here: nothing is fitted, so nothing can leak between rows or from the test set. The same
function derives the same columns again wherever a model predicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from tasks.columns import ROW, derive, source_columns
from tasks.errors import DataRefused
from tasks.problem import TaskKind
from tasks.records import Features, FeatureSet, Split
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd


def features(rows: pd.DataFrame, columns: FeatureSet) -> pd.DataFrame:
    """Give the features of rows, with their target and the hash of their identity."""
    return derive(rows, columns).assign(**{columns.target: rows[columns.target], ROW: rows[ROW]})


def check_target(rows: pd.DataFrame, target: str, task_kind: TaskKind) -> None:
    """Refuse a target that the task cannot have.

    Raises
    ------
    DataRefused
        A number is wanted and the target is text, or there is only one class.
    """
    import pandas as pd

    values = rows[target]
    if task_kind == "regression" and not pd.api.types.is_numeric_dtype(values):
        raise DataRefused(f"The target {target!r} holds {values.dtype}, but task = 'regression' needs numbers.")
    if task_kind == "classification" and values.nunique() < 2:
        raise DataRefused(
            f"The target {target!r} has one class only, {values.iloc[0]!r}; there is nothing to tell apart."
        )


@task(task_run_name="featurize")
def featurize(split: Split, columns: FeatureSet, task_kind: TaskKind, store: Store) -> Features:
    """Derive the features of the training rows."""
    import pyarrow as pa

    logger = get_run_logger()
    logger.info("Deriving %s columns from %s.", len(columns.derived), len(source_columns(columns)))
    rows = store.table(split.train).to_pandas()
    check_target(rows, columns.target, task_kind)
    table = pa.Table.from_pandas(features(rows, columns), preserve_index=False)
    logger.info("%s features for %s training rows.", len(columns.roles), f"{table.num_rows:,}")
    return Features(train=store.keep_table(table, "features"), columns=columns)

"""Predict: a version's predictions for every row of a table, in its order, batch by batch.

Rows that break a critical expectation of single rows get no prediction but the reason why not: the model never saw
their like, because training sets such rows aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from prefect import get_run_logger, task

from tasks.checks import Breach, Checked, check, unmet
from tasks.columns import source_columns
from tasks.errors import DataRefused, ProblemError
from tasks.models import Prediction, Predictor
from tasks.quarantine import positions_of
from tasks.records import Artifact, Finding, Table, Version
from tasks.reference import load_version
from tasks.sentences import listed, meant
from tasks.store import Store
from tasks.suites import Suite, columns_read, expectations_for_scoring

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTION, VERSION, REASON = "prediction", "version", "reason"


class Scored(NamedTuple):
    """The predictions, how many rows are without one, and what the rows did not meet."""

    predictions: Artifact
    without: int
    findings: tuple[Finding, ...]


def check_columns(predictor: Predictor, names: tuple[str, ...], identity: Sequence[str]) -> None:
    """Refuse rows that lack a column which the model reads, or whose identity has the name of a column that is made.

    Raises
    ------
    DataRefused
        One or more are missing: says which.
    ProblemError
        A column of the identity would stand there twice.
    """
    missing = [name for name in source_columns(predictor.columns) if name not in names]
    if missing:
        raise DataRefused(
            f"The rows have no column {listed(map(repr, missing))}{meant(missing[0], names)}, which the model reads; "
            f"they have: {listed(names)}."
        )
    made = (PREDICTION, *_of_classes(_nothing(predictor)), VERSION, REASON)
    if taken := [name for name in identity if name in made]:
        raise ProblemError(
            f"identity names the column {taken[0]!r}, but predictions have a column of that name beside it; rename "
            f"that column in the data. Names that are taken: {listed(made)}."
        )


def predictions(
    predictor: Predictor, rows: pa.RecordBatch, identity: Sequence[str], version: int, reasons: pa.Array | None = None
) -> pa.RecordBatch:
    """Give the identity of rows, their predictions, the probabilities of the classes, the version and the reasons.

    ``reasons``, of shape (rows,), say why rows get no prediction; where there is none, a row gets one.
    """
    import pyarrow as pa

    why = reasons_of((), 0, rows.num_rows) if reasons is None else reasons
    fit = why.is_null().to_numpy(zero_copy_only=False)
    found = predictor.predict(rows.filter(pa.array(fit)).to_pandas()) if fit.any() else _nothing(predictor)
    places = pa.array(np.cumsum(fit) - 1, mask=~fit)
    columns: dict[str, Any] = {name: rows[name] for name in identity}
    columns[PREDICTION] = pa.array(np.ascontiguousarray(found.values)).take(places)
    if found.probabilities is not None:
        for name, shares in zip(_of_classes(found), found.probabilities.T, strict=True):
            columns[name] = pa.array(np.ascontiguousarray(shares)).take(places)
    columns[VERSION] = pa.array(np.full(rows.num_rows, version))
    columns[REASON] = why
    return pa.record_batch(columns)


def _nothing(predictor: Predictor) -> Prediction:
    """Give the prediction for no rows, which estimators refuse to give."""
    classes = np.asarray(getattr(predictor.estimator, "classes_", ()))
    if not len(classes):
        return Prediction(np.array([], dtype="float64"), classes)
    shares = np.empty((0, len(classes))) if hasattr(predictor.estimator, "predict_proba") else None
    return Prediction(classes[:0], classes, shares)


def _of_classes(found: Prediction) -> list[str]:
    return [f"probability_{label}" for label in found.classes] if found.probabilities is not None else []


def reasons_of(breaches: Sequence[Breach], start: int, rows: int) -> pa.Array:
    """Give why rows from a position on get no prediction, shape (rows,): missing for those that break nothing."""
    import pyarrow as pa

    found: list[list[str]] = [[] for _ in range(rows)]
    for each in breaches:
        low, high = np.searchsorted(each.positions, [start, start + rows])
        for at in each.positions[low:high] - start:
            found[at].append(f"{each.finding.expectation}: {each.finding.reason}")
    return pa.array(["; ".join(each) or None for each in found], pa.string())


def met(store: Store, rows: Table, suite: Suite, target: str) -> Checked:
    """Give what rows to predict do not meet; positions count them from 0.

    Raises
    ------
    DataRefused
        A critical expectation of the rows as a whole is not met, or one of single rows cannot be checked.
    """
    expectations = expectations_for_scoring(suite, target, rows.names)
    if not expectations:
        return Checked()
    frame = store.table(rows, columns_read(expectations, rows.names)).to_pandas()
    found = check(frame, expectations, f"{suite.name} scoring")
    if sentence := unmet(found.others, len(expectations)):
        raise DataRefused(f"No row was predicted: {sentence}")
    return found


@task(task_run_name="predict version {version.number}")
def predict(version: Version, rows: Table, identity: tuple[str, ...], suite: Suite, store: Store) -> Scored:
    """Predict for every row that meets what is expected; the columns of the identity stand beside the predictions.

    Raises
    ------
    DataRefused
        There are no rows, they lack a column, or a critical expectation of them as a whole is not met.
    StoreError
        The version cannot be loaded, or predicts something else than when it was judged.
    """
    if not rows.rows:
        raise DataRefused("There are no rows to predict.")
    logger = get_run_logger()
    logger.info("Predicting for %s rows.", f"{rows.rows:,}")
    predictor = load_version(version, store)
    kept = [name for name in identity if name in rows.names]
    check_columns(predictor, rows.names, kept)
    found = met(store, rows, suite, version.model.columns.target)

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in store.batches(rows):
            reasons = reasons_of(found.breaches, start, batch.num_rows)
            yield predictions(predictor, batch, kept, version.number, reasons)
            start += batch.num_rows

    stream = batches()
    first = next(stream)
    artifact = store.keep_batches(first.schema, chain([first], stream), "scored")
    without = len(positions_of(found.breaches))
    logger.info("%s predictions; %s rows have none.", f"{artifact.rows - without:,}", f"{without:,}")
    return Scored(artifact, without, tuple(found.findings))

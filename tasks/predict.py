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
from prefect.cache_policies import NO_CACHE

from tasks.checks import Breach, Checked
from tasks.columns import source_columns
from tasks.errors import DataRefused, ProblemError
from tasks.intervals import bounds, label_sets
from tasks.models import Prediction, Predictor
from tasks.progress import Progress
from tasks.quarantine import positions_of
from tasks.records import Artifact, Finding, Intervals, Table, Version
from tasks.reference import load_version
from tasks.sentences import listed, meant
from tasks.store import Store
from tasks.suites import Suite
from tasks.unfit import met

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTION, LOW, HIGH, SET, VERSION, REASON = "prediction", "low", "high", "set", "version", "reason"
SEPARATOR = "; "


class Scored(NamedTuple):
    """The predictions, how many rows are without one, and what the rows did not meet."""

    predictions: Artifact
    without: int
    findings: tuple[Finding, ...]


class Around(NamedTuple):
    """What is told beside each prediction: a version's intervals, and the level that is asked for."""

    intervals: Intervals | None
    level: float


def check_columns(
    predictor: Predictor, names: tuple[str, ...], identity: Sequence[str], around: Around | None = None
) -> None:
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
    nothing = _nothing(predictor)
    made = (PREDICTION, *_of_classes(nothing), *(_surroundings(nothing, around) if around else ()), VERSION, REASON)
    if taken := [name for name in identity if name in made]:
        raise ProblemError(
            f"identity names the column {taken[0]!r}, but predictions have a column of that name beside it; rename "
            f"that column in the data. Names that are taken: {listed(made)}."
        )


def predictions(
    predictor: Predictor,
    rows: pa.RecordBatch,
    identity: Sequence[str],
    version: int,
    reasons: pa.Array | None = None,
    around: Around | None = None,
) -> pa.RecordBatch:
    """Give the identity of rows, their predictions, the probabilities of the classes, the version and the reasons.

    ``reasons``, of shape (rows,), say why rows get no prediction; where there is none, a row gets one. With ``around``
    a number has the bounds of its interval beside it, a class the set of labels that are possible.
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
    if around:
        columns |= {name: values.take(places) for name, values in _surroundings(found, around).items()}
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


def _surroundings(found: Prediction, around: Around) -> dict[str, pa.Array]:
    """Give the bounds of predictions, or the sets of labels as texts, which CSV can hold too."""
    import pyarrow as pa

    if not len(found.classes):
        low, high = bounds(found, around.intervals, around.level)
        return {LOW: pa.array(low), HIGH: pa.array(high)}
    labels = np.array([str(label) for label in found.classes.tolist()], dtype=object)
    sets = label_sets(found, around.intervals, around.level)
    return {SET: pa.array([SEPARATOR.join(labels[row]) for row in sets], pa.string())}


def _of_classes(found: Prediction) -> list[str]:
    return [f"probability_{label}" for label in found.classes] if found.probabilities is not None else []


def reasons_of(breaches: Sequence[Breach], start: int, rows: int) -> pa.Array:
    """Give why rows from a position on get no prediction, shape (rows,): missing for those that break nothing."""
    import pyarrow as pa

    found: list[list[str]] = [[] for _ in range(rows)]
    for each in breaches:
        low, high = np.searchsorted(each.positions, [start, start + rows])
        sentence = f"{each.finding.expectation}: {each.finding.reason}"
        for place in range(low, high):
            told = f"{sentence}; it is {each.values[place]}" if each.values else sentence
            found[each.positions[place] - start].append(told)
    return pa.array(["; ".join(each) or None for each in found], pa.string())


@task(task_run_name="predict version {version.number}", cache_policy=NO_CACHE)
def predict(
    version: Version,
    rows: Table,
    identity: tuple[str, ...],
    suite: Suite,
    store: Store,
    unreadable: tuple[Breach, ...] = (),
    level: float | None = None,
    strict: bool = False,
) -> Scored:
    """Predict for every row that meets what is expected; the columns of the identity stand beside the predictions.

    Parameters
    ----------
    unreadable : tuple of Breach
        Rows that get no prediction because of a value that could not be read, see `tasks.readable`.
    level : float, optional
        Of the interval, or set of labels, that stands beside each prediction.
    strict : bool
        Whether a single row that gets no prediction refuses all.

    Raises
    ------
    DataRefused
        There are no rows, they lack a column, or a critical expectation of them as a whole is not met; or some row
        would have no prediction, where ``strict``.
    ProblemError
        The version has no intervals of that level.
    StoreError
        The version cannot be loaded, or predicts something else than when it was judged.
    """
    if not rows.rows:
        raise DataRefused("There are no rows to predict.")
    logger = get_run_logger()
    logger.info("Predicting for %s rows.", f"{rows.rows:,}")
    around = Around(version.intervals, level) if level is not None else None
    predictor = load_version(version, store)
    kept = [name for name in identity if name in rows.names]
    check_columns(predictor, rows.names, kept, around)
    found = Checked(unreadable).and_also(met(store, rows, suite, version.model, Progress(logger, "Checked", rows.rows)))
    if strict and found.breaches:
        raise DataRefused(f"No row was predicted, as strict asks for a prediction of every row: {_worst(found, rows)}")
    done = Progress(logger, "Predicted", rows.rows)

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in store.batches(rows):
            reasons = reasons_of(found.breaches, start, batch.num_rows)
            yield predictions(predictor, batch, kept, version.number, reasons, around)
            start += batch.num_rows
            done(start)

    stream = batches()
    first = next(stream)
    artifact = store.keep_batches(first.schema, chain([first], stream), "scored")
    without = len(positions_of(found.breaches))
    logger.info("%s predictions; %s rows have none.", f"{artifact.rows - without:,}", f"{without:,}")
    return Scored(artifact, without, tuple(found.findings))


def _worst(found: Checked, rows: Table) -> str:
    """Give how many rows break something, and what most of them break."""
    worst = max(found.breaches, key=lambda breach: len(breach.positions)).finding
    shown = f", e.g. {worst.examples[0]}" if worst.examples else ""
    return (
        f"{len(positions_of(found.breaches)):,} of {rows.rows:,} rows would have none; {worst.unexpected_rows:,} break "
        f"{worst.expectation} (expected because: {worst.reason}){shown}."
    )

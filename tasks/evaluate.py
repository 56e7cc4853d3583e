"""Evaluate: challenger and champion on the same test rows, none of which either was trained on.

Intervals are percentile bootstrap intervals (Efron and Tibshirani, 1993) from SciPy; the interval of the difference
resamples rows in pairs, so that what is hard for both models cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import get_run_logger, task

from tasks.columns import ROW, identity_columns, row_hashes, source_columns
from tasks.errors import DataRefused, ProblemError, StoreError
from tasks.metrics import METRICS, Metric, figure
from tasks.models import Prediction, load
from tasks.problem import MetricName
from tasks.records import Artifact, Interval, Model, Scores, Version
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

RESAMPLES = 2000


def interval(metric: Metric, losses: NDArray[np.float64], confidence: float, seed: int) -> Interval:
    """Give a metric with its confidence interval from the losses of the rows, an array of shape (rows,)."""

    def statistic(sample: NDArray[np.float64], axis: int = -1) -> Any:
        return metric.from_mean_loss(sample.mean(axis=axis))

    low, high = _bootstrap((losses,), statistic, confidence, seed)
    return Interval(value=float(statistic(losses)), low=low, high=high)


def difference(
    metric: Metric, challenger: NDArray[np.float64], champion: NDArray[np.float64], confidence: float, seed: int
) -> Interval:
    """Give the challenger's metric less the champion's, with its interval from rows resampled in pairs."""

    def statistic(ours: NDArray[np.float64], theirs: NDArray[np.float64], axis: int = -1) -> Any:
        return metric.from_mean_loss(ours.mean(axis=axis)) - metric.from_mean_loss(theirs.mean(axis=axis))

    low, high = _bootstrap((challenger, champion), statistic, confidence, seed)
    return Interval(value=float(statistic(challenger, champion)), low=low, high=high)


def _bootstrap(
    samples: tuple[NDArray[np.float64], ...], statistic: Any, confidence: float, seed: int
) -> tuple[float, float]:
    from scipy.stats import bootstrap

    found = bootstrap(
        samples,
        statistic,
        paired=len(samples) > 1,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, 4_000_000 // len(samples[0])),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def seen(rows: pa.Table, trained_on: pa.Table, unit: Sequence[str]) -> NDArray[np.bool_]:
    """Tell for each test row whether a model was trained on a row of the same unit: of the same identity or group.

    The unit may be declared otherwise now than when the model was trained, so both are hashed anew, in those of its
    columns that both have: with fewer columns more rows are equal, so a row may be left out but never counts wrongly.

    Raises
    ------
    ValueError
        The rows that the model was trained on have none of these columns of the same kind: nobody can tell.
    """
    both = [name for name in unit if _same_kind(rows, trained_on, name)]
    if not both:
        raise ValueError(
            f"the rows that it was trained on have no column {' or '.join(map(repr, unit))} of the same kind, "
            "so nobody can tell which test rows it has seen"
        )
    return np.isin(row_hashes(rows, both), row_hashes(trained_on, both))


def _same_kind(rows: pa.Table, trained_on: pa.Table, name: str) -> bool:
    if name not in rows.column_names or name not in trained_on.column_names:
        return False
    return _is_number(rows.schema.field(name)) == _is_number(trained_on.schema.field(name))


def check_read(model: Model, names: Sequence[str]) -> None:
    """Check that the rows to judge a model on have the columns that it reads, and its target.

    Raises
    ------
    ValueError
        They do not: says which.
    """
    missing = [name for name in (*source_columns(model.columns), model.columns.target) if name not in names]
    if missing:
        raise ValueError(f"it needs the column {listed(map(repr, missing))}, which they do not have")


def _is_number(field: pa.Field) -> bool:
    from pyarrow import types

    return types.is_boolean(field.type) or types.is_integer(field.type) or types.is_floating(field.type)


@task(task_run_name="evaluate")
def evaluate(
    model: Model,
    champion: Version | None,
    test: Artifact,
    unit: tuple[str, ...],
    metric: MetricName,
    confidence: float,
    seed: int,
    store: Store,
) -> Scores:
    """Score the challenger, and the champion if there is one, on the same fair test rows.

    ``unit`` are the columns in which rows that belong together are equal, see `seen`; by default all but the target.
    """
    logger = get_run_logger()
    logger.info("Scoring %s test rows.", f"{test.rows:,}")
    table = store.table(test)
    rows, columns = table.to_pandas(), identity_columns(unit, model.columns.target, test)
    try:
        check_read(model, test.names)
        unseen = ~seen(table, _units(model.trained_on, columns, store), columns)
    except ValueError as error:
        raise ProblemError(
            f"The model cannot be judged on these rows: {error}; salamander data {store.problem} lists other snapshots."
        ) from error
    predictions: dict[str, Prediction] = {}
    trouble = None
    if champion:
        try:
            check_read(champion.model, test.names)
            unseen &= ~seen(table, _units(champion.model.trained_on, columns, store), columns)
            predictions["champion"] = load(champion.model, store).predict(rows[unseen])
        except (StoreError, KeyError, ValueError) as error:
            trouble = f"version {champion.number} cannot be judged on these rows: {error}"
            logger.error("%s", trouble)  # noqa: TRY400
    fair = rows[unseen]
    if len(fair) < 2:
        raise DataRefused(
            f"Only {len(fair)} of {len(rows)} test rows were not used to train the challenger or the champion; "
            "gather fresh rows, or use split.kind = 'hash', which keeps the test rows apart for ever."
        )
    predictions["challenger"] = load(model, store).predict(fair)
    measure, target = METRICS[metric], fair[model.columns.target].to_numpy()
    losses = {who: measure.row_losses(target, prediction) for who, prediction in predictions.items()}
    judged = "champion" in losses
    scores = Scores(
        metric=metric,
        confidence=confidence,
        rows=len(fair),
        excluded_rows=len(rows) - len(fair),
        challenger=interval(measure, losses["challenger"], confidence, seed),
        champion=interval(measure, losses["champion"], confidence, seed) if judged else None,
        difference=difference(measure, losses["challenger"], losses["champion"], confidence, seed) if judged else None,
        champion_version=champion.number if champion else None,
        problem=trouble,
        predictions=store.keep_table(_table(fair, target, predictions, losses), "predictions"),
    )
    logger.info("%s", sentence(scores))
    return scores


def _units(trained_on: Artifact, columns: Sequence[str], store: Store) -> pa.Table:
    """Give those of the columns that training rows have."""
    return store.table(trained_on, [name for name in columns if name in trained_on.names])


def sentence(scores: Scores) -> str:
    """Give the scores as a person would say them."""
    label, ours = METRICS[scores.metric].label, scores.challenger
    text = f"{label} {figure(ours.value)} [{figure(ours.low)}, {figure(ours.high)}] on {scores.rows:,} test rows"
    if scores.excluded_rows:
        text += f" ({scores.excluded_rows:,} left out: one of the models was trained on them)"
    if scores.champion:
        text += f"; version {scores.champion_version} in production: {figure(scores.champion.value)}"
    return text + "."


def _table(
    rows: pd.DataFrame, target: NDArray[Any], predictions: dict[str, Prediction], losses: dict[str, NDArray[np.float64]]
) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {ROW: rows[ROW].to_numpy(), "target": target}
    for who, prediction in predictions.items():
        columns |= {who: prediction.values, f"{who}_loss": losses[who]}
        if prediction.probabilities is not None:
            shares = zip(prediction.classes, prediction.probabilities.T, strict=True)
            columns |= {f"{who}_probability_{label}": share for label, share in shares}
    return pa.table({name: np.ascontiguousarray(values) for name, values in columns.items()})

"""Plans: how a problem is best set up for what its data looks like: strata, candidates, and what the gate may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import Candidate, TaskKind
from tasks.drafting.profile import ISO, ColumnProfile, numbers
from tasks.gate import Scalar

if TYPE_CHECKING:
    import pandas as pd

FEWEST_IN_STRATUM = 10
MANY_ROWS = 50_000
"""From here on, trees of a forest see a part of the rows each, so that a first run takes minutes."""


@dataclass(frozen=True)
class Strata:
    """The column that test and training rows are balanced by, its bins where it is a number, and why."""

    column: str | None
    bins: tuple[float, ...]
    why: str


def guess_strata(
    frame: pd.DataFrame, target: str, task: TaskKind, numeric: Sequence[str], identity: Sequence[str]
) -> Strata:
    """Give the strata: the classes, or quantiles of the number that says most about a numeric target."""
    units = frame.drop_duplicates(list(identity))
    if task == "classification":
        fewest = units[target].value_counts().min()
        if fewest < FEWEST_IN_STRATUM:
            return Strata(None, (), f"none: the smallest class has {fewest} different rows, too few for both sides")
        return Strata(target, (), f"{target}, so that each class has its share of the test rows")
    y = units[target].rank()
    strength = {name: abs(float(units[name].rank().corr(y))) for name in numeric}
    strongest = max(strength, key=lambda name: np.nan_to_num(strength[name]), default=None)
    if strongest is None or not strength[strongest] >= 0.3:
        return Strata(None, (), "none: no number among the features says much about the target")
    bins = quantile_bins(units[strongest])
    if not bins:
        return Strata(None, (), f"none: {strongest}, the strongest predictor, has too few rows for bands")
    why = f"{strongest} in {len(bins) + 1} bands, the strongest predictor (rank correlation {strength[strongest]:.2f})"
    return Strata(strongest, bins, why)


def quantile_bins(values: pd.Series[Any]) -> tuple[float, ...]:
    """Give up to four rising edges that cut a column into bands of enough rows; none where that cannot be."""
    import pandas as pd

    missing = int(values.isna().sum())
    if 0 < missing < FEWEST_IN_STRATUM:  # the missing ones would be a stratum of their own
        return ()
    for bands in (5, 4, 3, 2):
        quantiles = values.quantile([step / bands for step in range(1, bands)])
        edges = sorted({float(f"{edge:.3g}") for edge in quantiles})
        counts = pd.cut(values, bins=[-np.inf, *edges, np.inf]).value_counts()
        if len(edges) == bands - 1 and counts.min() >= 2 * FEWEST_IN_STRATUM:
            return tuple(edges)
    return ()


@dataclass(frozen=True)
class Series:
    """How a series is forecast: the column of its moments, how many rows to look back, and why it is thought one."""

    order: str
    lags: tuple[int, ...]
    rolling: tuple[int, ...]
    why: str


def guess_series(
    frame: pd.DataFrame, profiles: Mapping[str, ColumnProfile], target: str, task: TaskKind
) -> Series | None:
    """Give how a numeric target is forecast whose rows each have a moment of their own and resemble the one before."""
    moments = [each for each in profiles.values() if each.kind == "date" and each.unique]
    if task != "regression" or not moments or len(moments[0].date_formats) > 1 or len(frame) < 100:
        return None
    order = moments[0]
    if order.date_formats and order.date_formats[0] not in ISO:
        return None
    y = numbers(frame.sort_values(order.name)[target])
    if y is None or np.isnan(y).any() or np.std(y) == 0:
        return None
    resembles = float(np.corrcoef(y[1:], y[:-1])[0, 1])
    if not resembles > 0.5:
        return None
    year = (365,) if len(y) > 3 * 365 and _daily(frame[order.name]) else ()
    why = (
        f"a series: each row has a {order.name} of its own, and resembles the row before (correlation {resembles:.2f})"
    )
    return Series(order.name, (1, 2, 3, 7, *year), (7, 28), why)


def _daily(moments: pd.Series[Any]) -> bool:
    import pandas as pd

    steps = pd.to_datetime(moments).sort_values().diff().dropna()
    return bool(steps.median() == pd.Timedelta(days=1))


def forecasts(target: str, series: Series) -> tuple[Candidate, ...]:
    """Give the candidate that every forecast must beat: the same as in the row before."""
    return (
        Candidate(
            name="same-as-before", estimator="ColumnForecast", parameters={"column": f"{target}_lag_{series.lags[0]}"}
        ),
    )


def portfolio(task: TaskKind, rows: int, classes: int) -> tuple[Candidate, ...]:
    """Give a short list of candidates, simplest first; what always says the same is the bar for the others."""
    kind = "Classifier" if task == "classification" else "Regressor"
    forest: dict[str, Scalar | tuple[Scalar, ...]] = (
        {"n_estimators": 200}
        if rows < MANY_ROWS
        else {
            "n_estimators": 100,
            "max_samples": round(MANY_ROWS / 2 / rows, 3),
            "min_samples_leaf": 5,
        }
    )
    linear = (
        Candidate(name="logistic", estimator="LogisticRegression", parameters={"max_iter": 1000})
        if task == "classification"
        else Candidate(name="ridge", estimator="Ridge")
    )
    found = (
        Candidate(name="dummy", estimator=f"Dummy{kind}"),
        linear,
        Candidate(name="forest", estimator=f"RandomForest{kind}", parameters=forest),
        Candidate(name="boosting", estimator=f"HistGradientBoosting{kind}"),
    )
    return found[:3] if classes > 20 else found  # boosting grows a tree for each class in each round


def fewest_test_rows(rows: int) -> int | None:
    """Give the number of test rows to judge on where the data is too small for the gate's default of 30."""
    return None if rows * 0.2 >= 33 else max(2, int(rows * 0.15))

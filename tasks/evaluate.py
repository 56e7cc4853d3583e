"""Evaluate: challenger, champion and anchor on the same test rows, none of which any of them was trained on.

What every model predicts for these rows is kept as one table (see `tasks.judging.contest`); intervals and verdicts are
computed from it, and can be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from prefect import get_run_logger, task

from tasks.columns import ROW, identity_columns, row_hashes, source_columns
from tasks.errors import ProblemError, StoreError
from tasks.gate import Slice
from tasks.judging.contest import RIVALS, Contest, units
from tasks.judging.rules import scored
from tasks.judging.slices import labels
from tasks.metrics import METRICS
from tasks.models import Prediction, Predictor, load
from tasks.problem import MetricName
from tasks.records import Contestants, Model, Scores, Split
from tasks.reference import load_version
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

FEWEST = 2
"""Rows below which nothing can be measured at all; how many are enough to compare on is the gate's to say."""


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


@dataclass(frozen=True)
class Entrants:
    """Who takes part: their predictors, the test rows that each was trained on (a mask), and who could not come."""

    predictors: dict[str, Predictor]
    used: dict[str, NDArray[np.bool_]]
    trouble: str | None = None

    @property
    def fair(self) -> NDArray[np.bool_]:
        """Which test rows nobody was trained on."""
        return ~np.logical_or.reduce(list(self.used.values()))

    def on_fair_rows(self) -> tuple[Entrants, NDArray[np.bool_]]:
        """Give who is scored, and on which rows (a mask).

        Where too few rows are left for a comparison, the challenger and the baselines are scored without rivals, on
        the rows that the challenger does not know, or if need be on all; the gate counts the fair rows alone.
        """
        if self.fair.sum() >= FEWEST:
            return self, self.fair
        alone = {who: found for who, found in self.predictors.items() if who not in RIVALS}
        unknown = ~self.used["challenger"]
        return replace(self, predictors=alone), unknown if unknown.sum() >= FEWEST else np.ones_like(unknown)


@task(task_run_name="evaluate")
def evaluate(
    contestants: Contestants,
    sides: Split,
    slices: tuple[Slice, ...],
    metric: MetricName,
    confidence: float,
    seed: int,
    store: Store,
) -> Scores:
    """Score the challenger, and champion, anchor and baselines if there are any, on the same fair test rows.

    Raises
    ------
    ProblemError
        The challenger cannot be judged on these rows.
    """
    logger = get_run_logger()
    logger.info("Scoring %s test rows.", f"{sides.test.rows:,}")
    table = store.table(sides.test)
    everyone = _entrants(contestants, table, sides, store)
    fair, used = everyone.fair, everyone.used
    judged, mask = everyone.on_fair_rows()
    rows = table.filter(mask)
    predictions, trouble = _predictions(judged, rows, contestants)
    contest = Contest(
        metric=METRICS[metric],
        seed=seed,
        blocks=sides.forward,
        rows=rows[ROW].to_numpy(),
        unit=units(rows, sides),
        target=rows[contestants.challenger.columns.target].to_pandas().to_numpy(),
        predictions=predictions,
        labels={part.name: labels(part, rows, contestants.challenger.columns.derived) for part in slices},
    )
    scores = Scores(
        metric=metric,
        confidence=confidence,
        rows=int(fair.sum()),
        excluded_rows=int((~fair).sum()),
        excluded={who: int(seen.sum()) for who, seen in used.items() if seen.any()},
        champion_version=contestants.champion.number if contestants.champion else None,
        anchor_version=contestants.anchor.number if contestants.anchor else None,
        classes=contest.classes,
        target_range=_target_range(contestants.challenger, store),
        blocks=sides.forward,
        seed=seed,
        problem=trouble,
        predictions=contest.keep(store),
        **contest.intervals(confidence),
    )
    logger.info("%s", scored(scores))
    return scores


def _entrants(contestants: Contestants, table: pa.Table, sides: Split, store: Store) -> Entrants:
    """Load everyone and find which test rows each was trained on; a champion that cannot come is not the end."""
    challenger = contestants.challenger
    columns = identity_columns(sides.unit, challenger.columns.target, sides.test)
    try:
        used = {"challenger": _used(challenger, table, columns, store)}
    except ValueError as error:
        raise ProblemError(
            f"The model cannot be judged on these rows: {error}; salamander data {store.problem} lists other snapshots."
        ) from error
    predictors = {"challenger": load(challenger, store)}
    trouble = None
    for who in RIVALS:
        if version := getattr(contestants, who):
            try:
                used[who] = _used(version.model, table, columns, store)
                predictors[who] = load_version(version, store)
            except (StoreError, KeyError, ValueError) as error:
                trouble = trouble or _trouble(version.number, error)
    predictors |= {model.candidate.name: load(model, store) for model in contestants.baselines}
    return Entrants(predictors, used, trouble)


def _used(model: Model, table: pa.Table, columns: Sequence[str], store: Store) -> NDArray[np.bool_]:
    """Tell which test rows a model was trained on, after checking that it can read them."""
    check_read(model, table.column_names)
    known = [name for name in columns if name in model.trained_on.names]
    return seen(table, store.table(model.trained_on, known), columns)


def _predictions(
    entrants: Entrants, rows: pa.Table, contestants: Contestants
) -> tuple[dict[str, Prediction], str | None]:
    """Give everyone's predictions, and what keeps a champion or an anchor from making them."""
    frame, trouble = rows.to_pandas(), entrants.trouble
    found: dict[str, Prediction] = {}
    for who, predictor in entrants.predictors.items():
        try:
            found[who] = predictor.predict(frame)
        except (KeyError, ValueError) as error:
            if who not in RIVALS:
                raise
            trouble = trouble or _trouble(getattr(contestants, who).number, error)
    return found, trouble


def _trouble(version: int, error: Exception) -> str:
    trouble = f"version {version} cannot be judged on these rows: {error}"
    get_run_logger().error("%s", trouble)
    return trouble


def _target_range(model: Model, store: Store) -> tuple[float, float] | None:
    """Give the range of the target in the training rows, of a regression."""
    if model.task == "classification":
        return None
    target = store.table(model.trained_on, [model.columns.target])[model.columns.target].to_numpy()
    return (float(np.nanmin(target)), float(np.nanmax(target))) if len(target) else None

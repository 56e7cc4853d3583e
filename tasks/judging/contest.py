"""Contest: the predictions of several models for the same rows, and whatever is needed to compare them, as one table.

Everything that a verdict says of test rows is computed from this table, so it can be computed again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.columns import ROW, row_hashes
from tasks.dividing.times import times
from tasks.judging.comparison import compare, difference, measured
from tasks.judging.resampling import Resampling
from tasks.judging.slices import masks
from tasks.metrics import METRICS, Metric
from tasks.models import Prediction
from tasks.records import Artifact, Comparison, Interval, Label, Scores, Split
from tasks.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

UNIT, TARGET, SLICE = "unit", "target", "slice_"
RIVALS, BASELINES = ("champion", "anchor"), ("dummy", "linear")
"""Whom a challenger meets: versions of the registry, and models that are always scored too."""


@dataclass(frozen=True)
class Contest:
    """Predictions for the same rows.

    Attributes
    ----------
    rows : array of shape (rows,)
        The hash of each row's identity.
    unit : array of shape (rows,)
        The number of what each row is resampled with, or with ``blocks`` the rank of its time.
    target : array of shape (rows,)
    predictions : dict of str to Prediction
        By who made them: challenger, champion, anchor, dummy, linear.
    labels : dict of str to list of shape (rows,)
        For each declared slice the label of each row.
    """

    metric: Metric
    seed: int
    blocks: bool
    rows: NDArray[np.uint64]
    unit: NDArray[np.int64]
    target: NDArray[Any]
    predictions: dict[str, Prediction]
    labels: dict[str, list[str | None]]

    @cached_property
    def resampling(self) -> Resampling:
        """How the rows are resampled, the same for every comparison."""
        losses = {who: self.losses(who) for who in ("challenger", "champion") if who in self.predictions}
        series = losses["challenger"] - losses.get("champion", 0.0)
        return Resampling(self.unit, self.seed, blocks=self.blocks, series=series)

    def losses(self, who: str) -> NDArray[np.float64]:
        """Give how wrong a model is on each row, an array of shape (rows,)."""
        return self.metric.losses(self.target, self.predictions[who])

    def interval(self, who: str, confidence: float) -> Interval:
        """Give a model's metric with its interval."""
        return measured(self.metric, self.target, self.predictions[who], self.resampling, confidence)

    def intervals(self, confidence: float) -> dict[str, Any]:
        """Give the fields of `Scores` that are statistics of these predictions."""
        both = "champion" in self.predictions
        ours, theirs = self.predictions["challenger"], self.predictions.get("champion")
        change = theirs and difference(self.metric, self.target, ours, theirs, self.resampling, confidence)
        return {
            "challenger": self.interval("challenger", confidence),
            "champion": self.interval("champion", confidence) if both else None,
            "difference": change,
            "baselines": {who: self.interval(who, confidence) for who in BASELINES if who in self.predictions},
        }

    def compare(
        self, ours: str, theirs: str, *, alpha: float, margin: float | None, version: int | None = None
    ) -> Comparison:
        """Give how one model stands against another, which is a version of the registry or a baseline."""
        return compare(
            self.metric,
            self.target,
            self.predictions[ours],
            self.predictions[theirs],
            self.resampling,
            alpha=alpha,
            margin=margin,
            against=f"the {theirs} model" if version is None else f"version {version}",
            version=version,
        )

    @property
    def slices(self) -> dict[str, NDArray[np.bool_]]:
        """Which rows are in each slice, by the slice's name."""
        return masks(self.labels)

    def keep(self, store: Store) -> Artifact:
        """Write the table into the store."""
        import pyarrow as pa

        columns: dict[str, Any] = {ROW: self.rows, UNIT: self.unit, TARGET: np.ascontiguousarray(self.target)}
        for who, prediction in self.predictions.items():
            columns[who] = np.ascontiguousarray(prediction.values)
            if prediction.probabilities is not None:
                for label, shares in zip(prediction.classes.tolist(), prediction.probabilities.T, strict=True):
                    columns[_probability(who, label)] = np.ascontiguousarray(shares)
        columns |= {f"{SLICE}{name}": pa.array(values, pa.string()) for name, values in self.labels.items()}
        return store.keep_table(pa.table(columns), "predictions")

    @property
    def classes(self) -> dict[str, tuple[Label, ...]]:
        """The classes, in order, of each model that gives probabilities."""
        return {
            who: tuple(found.classes.tolist())
            for who, found in self.predictions.items()
            if found.probabilities is not None
        }


def read_contest(scores: Scores, store: Store) -> Contest:
    """Give the contest that scores rest on, from the store."""
    table = store.table(scores.predictions)
    names = table.column_names
    who = [name for name in ("challenger", *RIVALS, *BASELINES) if name in names]
    return Contest(
        metric=METRICS[scores.metric],
        seed=scores.seed,
        blocks=scores.blocks,
        rows=table[ROW].to_numpy(),
        unit=table[UNIT].to_numpy(),
        target=_array(table[TARGET]),
        predictions={name: _prediction(table, name, scores.classes.get(name, ())) for name in who},
        labels={name.removeprefix(SLICE): table[name].to_pylist() for name in names if name.startswith(SLICE)},
    )


def units(rows: pa.Table, sides: Split) -> NDArray[np.int64]:
    """Give the number of what each test row is resampled with: shape (rows,)."""
    keys = times(rows[sides.time].combine_chunks(), sides.time) if sides.time else row_hashes(rows, sides.unit)
    return np.unique(keys, return_inverse=True)[1].astype("int64")


def _prediction(table: pa.Table, who: str, classes: tuple[Label, ...]) -> Prediction:
    values = _array(table[who])
    if not classes:
        return Prediction(values, np.unique(values) if values.dtype.kind != "f" else np.array([]))
    shares = np.column_stack([table[_probability(who, label)].to_numpy() for label in classes])
    return Prediction(values, np.asarray(classes), shares)


def _array(column: Any) -> NDArray[Any]:
    """Give an Arrow column as pandas would: texts as objects, numbers as they are."""
    return column.to_pandas().to_numpy()


def _probability(who: str, label: object) -> str:
    return f"{who}_probability_{label}"

"""Limits: what a model may cost, how far its word may be off, and how it must behave, whoever it is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.gate import Gate
from tasks.models import Prediction
from tasks.records import Measurements, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10


def calibration_error(target: NDArray[Any], prediction: Prediction) -> float | None:
    """Give the expected calibration error: how far confidence is from accuracy, on average (Guo et al., 2017).

    Confidence is the probability of the class that is predicted, in ten bins of equal width. None where a model gives
    no probabilities.

    >>> shares = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2]])
    >>> found = Prediction(np.array(["a"] * 4), np.array(["a", "b"]), shares)
    >>> round(calibration_error(np.array(["a", "a", "a", "b"]), found), 3)
    0.05
    """
    if prediction.probabilities is None:
        return None
    confidence = prediction.probabilities.max(axis=1)
    hit = prediction.classes[prediction.probabilities.argmax(axis=1)] == target
    bins = np.minimum((confidence * BINS).astype("int64"), BINS - 1)
    return float(np.abs(np.bincount(bins, weights=confidence - hit, minlength=BINS)).sum() / len(target))


def outside_range(prediction: Prediction, target_range: tuple[float, float] | None) -> float | None:
    """Give the share of predictions beyond the training target's range, of a regression."""
    if target_range is None:
        return None
    low, high = target_range
    return float(np.mean((prediction.values < low) | (prediction.values > high)))


def limit_rules(
    target: NDArray[Any],
    prediction: Prediction,
    target_range: tuple[float, float] | None,
    measurements: Measurements | None,
    gate: Gate,
) -> Iterator[Rule]:
    """Give a rule for each declared limit."""
    if gate.calibration_error_at_most is not None:
        found = calibration_error(target, prediction)
        yield _limit("well calibrated", found, gate.calibration_error_at_most, "calibration error {:.3f}")
    if gate.outside_range_at_most is not None:
        found = outside_range(prediction, target_range)
        yield _limit("inside the target's range", found, gate.outside_range_at_most, "{:.2%} outside")
    if measurements:
        yield from _costs(measurements, gate)
        for behaviour, broken in zip(gate.behaviours, measurements.broken, strict=True):
            found = f"{{:.1%}} of {measurements.behaviour_rows:,} rows break it"
            yield _limit(behaviour.sentence, broken, behaviour.broken_at_most, found)


def _costs(measurements: Measurements, gate: Gate) -> Iterator[Rule]:
    found = {
        "a row fast enough": (measurements.row_milliseconds, gate.row_milliseconds_at_most, "{:,.1f} ms at p95"),
        f"{measurements.batch_rows:,} rows fast enough": (
            measurements.batch_seconds,
            gate.batch_seconds_at_most,
            "{:,.3f} s",
        ),
        "small enough": (measurements.megabytes, gate.megabytes_at_most, "{:,.1f} MB of files"),
        "memory": (measurements.memory_megabytes, gate.memory_megabytes_at_most, "{:,.0f} MB of memory"),
    }
    for name, (observed, limit, text) in found.items():
        if limit is not None:
            yield _limit(name, observed, limit, text)


def _limit(name: str, observed: float | None, limit: float, text: str) -> Rule:
    return Rule(
        name=name,
        passed=observed is not None and observed <= limit,
        observed="cannot be measured of this model" if observed is None else text.format(observed),
        required=f"at most {text.format(limit)}",
        cause="rule broken",
    )

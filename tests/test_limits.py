import numpy as np
import pytest

from tasks.gate import Behaviour, Gate
from tasks.judging.limits import calibration_error, limit_rules, outside_range
from tasks.models import Prediction
from tasks.records import Measurements, Rule

CLASSES = np.array(["no", "yes"])
MEASURED = Measurements(
    row_milliseconds=4.0,
    batch_seconds=0.2,
    batch_rows=1000,
    megabytes=30.0,
    memory_megabytes=80.0,
    broken=(0.02,),
    behaviour_rows=500,
)
BEHAVIOUR = Behaviour(column="income", add=1, prediction="not lower")


def of(numbers: list[float]) -> Prediction:
    return Prediction(np.array(numbers), np.array([]))


def rules(gate: Gate, target_range: tuple[float, float] | None = (0.0, 10.0)) -> dict[str, Rule]:
    gate = gate.model_copy(update={"behaviours": (BEHAVIOUR,)})
    found = limit_rules(np.zeros(4), of([1.0, 2.0, 11.0, -1.0]), target_range, MEASURED, gate)
    return {rule.name: rule for rule in found}


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    shares = np.array([[0.25, 0.75]] * 4)
    found = Prediction(np.array(["yes"] * 4), CLASSES, shares)
    assert calibration_error(np.array(["yes", "yes", "yes", "no"]), found) == pytest.approx(0.0)
    assert calibration_error(np.array(["no"] * 4), found) == pytest.approx(0.75)


def test_each_bin_of_confidence_counts_by_its_rows() -> None:
    """Two rows at 0.95, both wrong; two at 0.55, one right: (2 * 0.95 + 2 * 0.05) / 4."""
    shares = np.array([[0.05, 0.95], [0.05, 0.95], [0.45, 0.55], [0.45, 0.55]])
    found = Prediction(np.array(["yes"] * 4), CLASSES, shares)
    assert calibration_error(np.array(["no", "no", "yes", "no"]), found) == pytest.approx((1.9 + 0.1) / 4)


def test_a_model_without_probabilities_cannot_meet_a_limit_of_calibration() -> None:
    (rule,) = limit_rules(
        np.array(["a"]), Prediction(np.array(["a"]), np.array(["a"])), None, None, Gate(calibration_error_at_most=0.1)
    )
    assert not rule.passed
    assert rule.observed == "cannot be measured of this model"


def test_the_share_outside_the_range_counts_both_ends() -> None:
    assert outside_range(of([-1.0, 0.0, 10.0, 10.1]), (0.0, 10.0)) == 0.5
    assert outside_range(of([1.0]), None) is None


def test_only_declared_limits_are_rules_and_behaviours_always_are() -> None:
    assert list(rules(Gate())) == ["adding 1 to income: the prediction is not lower"]
    assert not rules(Gate())["adding 1 to income: the prediction is not lower"].passed


@pytest.mark.parametrize(
    ("key", "enough", "too_little", "name"),
    [
        ("outside_range_at_most", 0.5, 0.49, "inside the target's range"),
        ("row_milliseconds_at_most", 4.0, 3.9, "a row fast enough"),
        ("batch_seconds_at_most", 0.2, 0.19, "1,000 rows fast enough"),
        ("megabytes_at_most", 30.0, 29.0, "small enough"),
        ("memory_megabytes_at_most", 80.0, 79.0, "memory"),
    ],
)
def test_a_limit_is_met_to_the_figure(key: str, enough: float, too_little: float, name: str) -> None:
    assert rules(Gate.model_validate({key: enough}))[name].passed
    broken = rules(Gate.model_validate({key: too_little}))[name]
    assert not broken.passed
    assert broken.cause == "rule broken"

import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pytest
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial
from great_expectations.expectations.row_conditions import Column
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.checks import check

NAN, INFINITE = float("nan"), float("inf")


def rows_breaking(frame, *expectations):
    """Give, for each breach in the order of the expectations' reasons, the positions of the rows."""
    found = check(frame, [each.copy(update={"notes": str(at)}) for at, each in enumerate(expectations)], "houses")
    assert not found.others
    return {int(breach.finding.reason): breach.positions.tolist() for breach in found.breaches}


def critical(kind, **settings):
    return kind(severity="critical", notes="x", **settings)


@settings(max_examples=20)
@given(st.data())
def test_exactly_the_planted_rows_are_told(data):
    rows = data.draw(st.integers(5, 60))
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    frame = pd.DataFrame(
        {
            "age": random.uniform(0, 52, rows),
            "place": pd.array(random.choice(["shore", "hill"], rows), dtype="str"),
            "low": random.integers(0, 10, rows),
            "high": random.integers(10, 20, rows),
        },
        index=pd.Index(np.sort(random.choice(1000, rows, replace=False))),  # what is left of a table's positions
    )
    some = st.sets(st.integers(0, rows - 1), max_size=4)
    missing, outliers, unknown, pairs = (sorted(data.draw(some)) for _ in range(4))
    outliers = sorted(set(outliers) - set(missing))
    frame.iloc[missing, 0] = None
    frame.iloc[outliers, 0] = random.choice([-1.0, 99.0, INFINITE, -INFINITE], len(outliers))
    frame.iloc[unknown, 1] = "moor"
    frame.iloc[pairs, 2] = 30
    planted = dict(enumerate((missing, outliers, unknown, pairs)))
    told = rows_breaking(
        frame,
        critical(gxe.ExpectColumnValuesToNotBeNull, column="age"),
        critical(gxe.ExpectColumnValuesToBeBetween, column="age", min_value=0, max_value=52),
        critical(gxe.ExpectColumnValuesToBeInSet, column="place", value_set=["shore", "hill"]),
        critical(gxe.ExpectColumnPairValuesAToBeGreaterThanB, column_A="high", column_B="low"),
    )
    assert told == {at: frame.index[where].tolist() for at, where in planted.items() if where}


FRAME = pd.DataFrame(
    {
        "age": [1.0, NAN, -3.0, INFINITE, 5.0, 5.0],
        "rooms": [1.0, 2.0, NAN, 9.0, 5.0, 4.0],
        "place": pd.array(["shore", None, "moor", "hill", "", "shore"], dtype="str"),
    },
    index=[10, 20, 30, 40, 50, 60],
)


@pytest.mark.parametrize(
    ("expectation", "expected"),
    [
        (critical(gxe.ExpectColumnValuesToNotBeNull, column="place"), [20]),
        (critical(gxe.ExpectColumnValuesToBeNull, column="rooms"), [10, 20, 40, 50, 60]),
        (critical(gxe.ExpectColumnValuesToBeBetween, column="age", max_value=6), [40]),
        (critical(gxe.ExpectColumnValuesToBeUnique, column="age"), [50, 60]),
        (critical(gxe.ExpectColumnValuesToMatchRegex, column="place", regex="^[a-z]+$"), [50]),
        (critical(gxe.ExpectColumnValueLengthsToBeBetween, column="place", min_value=4, max_value=4), [10, 50, 60]),
        (critical(gxe.ExpectColumnValuesToBeOfType, column="place", type_="str"), None),
        (critical(gxe.ExpectColumnPairValuesToBeEqual, column_A="age", column_B="rooms"), [20, 30, 40, 60]),
        (
            critical(
                gxe.ExpectColumnPairValuesAToBeGreaterThanB,
                column_A="age",
                column_B="rooms",
                or_equal=True,
                ignore_row_if="either_value_is_missing",
            ),
            [],
        ),
        (critical(gxe.ExpectMulticolumnSumToEqual, column_list=["age", "rooms"], sum_total=10), [10, 20, 30, 40, 60]),
        (
            critical(
                gxe.ExpectMulticolumnSumToEqual,
                column_list=["age", "rooms"],
                sum_total=10,
                ignore_row_if="any_value_is_missing",
            ),
            [10, 40, 60],
        ),
        (critical(gxe.ExpectCompoundColumnsToBeUnique, column_list=["age", "place"]), []),
        (
            critical(gxe.ExpectColumnValuesToBeBetween, column="age", min_value=2, row_condition=Column("rooms") < 5),
            [10],
        ),
    ],
)
def test_the_rows_of_every_kind_of_expectation_are_told(expectation, expected):
    found = check(FRAME, [expectation], "houses")
    if expected is None:  # typed columns are judged as a whole
        assert not found.breaches
        return
    assert [breach.positions.tolist() for breach in found.breaches] == ([sorted(expected)] if expected else [])
    assert not found.others


def test_missing_texts_and_infinite_numbers_are_told():
    told = rows_breaking(
        FRAME,
        critical(gxe.ExpectColumnValuesToNotBeNull, column="rooms"),
        critical(gxe.ExpectColumnValuesToBeInSet, column="age", value_set=[1.0, 5.0]),
    )
    assert told == {0: [30], 1: [30, 40]}


def test_what_mostly_tolerates_is_no_breach():
    frame = pd.DataFrame({"age": [1.0] * 8 + [-1.0, -2.0]})
    met, unmet = (
        critical(gxe.ExpectColumnValuesToBeBetween, column="age", min_value=0, mostly=share) for share in (0.8, 0.81)
    )
    assert rows_breaking(frame, met, unmet) == {1: [8, 9]}


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_only_critical_expectations_have_breaches(severity):
    found = check(FRAME, [gxe.ExpectColumnValuesToNotBeNull(column="age", severity=severity, notes="x")], "houses")
    assert not found.breaches
    assert [finding.severity for finding in found.of_rows] == [severity]


def test_findings_are_told_by_what_they_speak_of():
    found = check(
        FRAME,
        [
            critical(gxe.ExpectColumnValuesToNotBeNull, column="age"),
            critical(gxe.ExpectColumnValuesToNotBeNull, column="aeg"),
            critical(gxe.ExpectTableRowCountToEqual, value=7),
            gxe.ExpectColumnMaxToBeBetween(column="rooms", max_value=3, severity="info", notes="x"),
        ],
        "houses",
    )
    assert [breach.positions.tolist() for breach in found.breaches] == [[20]]
    assert [finding.column for finding in found.of_rows] == ["aeg"]
    assert sorted(finding.observed for finding in found.of_table) == ["observed 6", "observed 9.0"]
    assert [finding.severity for finding in found.findings] == ["critical"] * 3 + ["info"]
    assert len(found.others) == 3


def test_positions_are_those_of_the_index():
    (breach,) = check(
        FRAME, [critical(gxe.ExpectColumnValuesToBeInSet, column="place", value_set=["hill"])], "a"
    ).breaches
    assert breach.finding.examples[:2] == ("'shore' in row 10", "'moor' in row 30")


# Expectations of the user's own.


class ColumnValuesEven(ColumnMapMetricProvider):
    condition_metric_name = "column_values.even"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **_):  # noqa: N805
        return column % 2 == 0


class ColumnValuesEvenWithoutIndex(ColumnMapMetricProvider):
    condition_metric_name = "column_values.even_without_index"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **_):  # noqa: N805
        return (column % 2 == 0).to_numpy()


class ColumnValuesOdd(ColumnMapMetricProvider):
    condition_metric_name = "column_values.odd"
    asked = 0

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **_):  # noqa: N805
        ColumnValuesOdd.asked += 1
        if ColumnValuesOdd.asked > 1:
            raise RuntimeError("asked twice")
        return column % 2 == 1


class ExpectColumnValuesToBeEven(gxe.ExpectColumnValuesToBeUnique):
    map_metric = "column_values.even"


class ExpectColumnValuesToBeEvenWithoutIndex(gxe.ExpectColumnValuesToBeUnique):
    map_metric = "column_values.even_without_index"


class ExpectColumnValuesToBeOdd(gxe.ExpectColumnValuesToBeUnique):
    map_metric = "column_values.odd"


def test_an_expectation_of_the_users_own_tells_its_rows():
    (breach,) = check(FRAME, [critical(ExpectColumnValuesToBeEven, column="rooms")], "houses").breaches
    assert breach.positions.tolist() == [10, 40, 50]


@pytest.mark.parametrize("kind", [ExpectColumnValuesToBeEvenWithoutIndex, ExpectColumnValuesToBeOdd])
def test_rows_that_cannot_be_told_are_no_breach_but_stay_unmet(kind):
    found = check(FRAME, [critical(kind, column="rooms")], "houses")
    assert not found.breaches
    (finding,) = found.of_rows
    assert finding.severity == "critical"
    assert finding.observed.endswith("of 6 rows, which ones cannot be told, so none can be set aside")

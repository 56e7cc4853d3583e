"""Rows that get no prediction: batch by batch the same as all at once, and always with the reason."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tasks.unfit
from tasks.checks import check
from tasks.errors import DataRefused
from tasks.records import FeatureSet, Input, Model, Table
from tasks.suites import expectations_for_scoring, is_one_row_at_a_time
from tasks.unfit import met

ROOMS = 'gxe.ExpectColumnValuesToBeBetween(column="rooms", max_value=3, severity="critical", notes="Small.")'
PRICE = 'gxe.ExpectColumnValuesToNotBeNull(column="price", severity="critical", notes="Sold.")'
MOSTLY = (
    'gxe.ExpectColumnValuesToBeBetween(column="people", min_value=1, mostly={}, severity="{}", notes="Somebody lives.")'
)
UNIQUE = 'gxe.ExpectColumnValuesToBeUnique(column="house", severity="critical", notes="A house is a house.")'
KNOWN = 'gxe.ExpectColumnValuesToNotBeNull(column="people", mostly={}, severity="critical", notes="Counted.")'
CONDITION = (
    'gxe.ExpectColumnValuesToBeBetween(column="rooms", max_value=2, severity="critical", notes="Few.", '
    'row_condition=Column("people") == 1)'
)
IMPORTS = """
import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column
"""
ROWS = pd.DataFrame(
    {
        "house": ["a", "b", "c", "d", "a", "f"],
        "rooms": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "people": [1.0, 2.0, 1.0, 0.0, None, 1.0],
    }
)


def model(*inputs):
    columns = FeatureSet(target="price", roles={"rooms": "numeric", "place": "categorical"}, derived={})
    return Model.model_construct(columns=columns, inputs=inputs)


@pytest.fixture
def kept(store):
    def keep(frame):
        return Table(parts=(store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "raw"),))

    return keep


@pytest.fixture(params=[1, 4, 100])
def at_once(request, monkeypatch):
    """Check so many rows at once, which are read one by one."""
    monkeypatch.setattr("tasks.store.BATCH", 1)
    monkeypatch.setattr(tasks.unfit, "AT_ONCE", request.param)


def test_rows_to_predict_are_checked_without_the_target(store, kept, write_suite):
    rows = kept(ROWS[:4])
    (breach,) = met(store, rows, write_suite(ROOMS, PRICE), model()).breaches
    assert breach.positions.tolist() == [3]
    assert met(store, rows, write_suite(PRICE), model()).findings == []
    source = f"import great_expectations.expectations as gxe\nEXPECTATIONS = []\nSCORING = [{PRICE}]\n"
    with pytest.raises(DataRefused, match=r"No row was predicted: 1 of 1 expectations.*could not be checked"):
        met(store, rows, write_suite(source=source), model())


@pytest.mark.parametrize(
    "asked",
    [
        [ROOMS],
        [ROOMS, UNIQUE],
        [MOSTLY.format(0.9, "critical")],
        [MOSTLY.format(0.8, "critical")],
        [MOSTLY.format(0.9, "warning"), ROOMS],
        [KNOWN.format(0.9)],
        [KNOWN.format(0.8)],
        [CONDITION],
    ],
)
def test_checking_in_parts_finds_what_checking_at_once_finds(at_once, store, kept, write_suite, asked):
    suite = write_suite(source=f"{IMPORTS}\nEXPECTATIONS = [{', '.join(asked)}]\n")
    found = met(store, kept(ROWS), suite, model())
    whole = check(ROWS, expectations_for_scoring(suite, "price", ROWS.columns), "houses")
    told = [{each.finding.expectation: each.positions.tolist() for each in one.breaches} for one in (found, whole)]
    assert told[0] == told[1]
    assert {each.expectation: each.unexpected_rows for each in found.findings} == {
        each.expectation: each.unexpected_rows for each in whole.findings
    }
    assert {each.reason for each in found.findings} == {each.reason for each in whole.findings}


def test_only_what_compares_rows_sees_them_all(write_suite):
    asked = expectations_for_scoring(write_suite(ROOMS, MOSTLY.format(0.9, "critical"), UNIQUE), "price", ROWS.columns)
    assert [is_one_row_at_a_time(each) for each in asked] == [True, True, False]


def test_infinity_and_unknown_categories_have_reasons_of_their_own(at_once, store, kept, write_suite):
    frame = pd.DataFrame({"rooms": [1.0, np.inf, 3.0, 1.0], "place": ["shore", "hill", "moon", None]})
    frame["other"] = [np.inf] * 4  # which the model does not read
    place = Input(name="place", kind="category", nullable=True, values=("hill", "shore"))
    found = met(store, kept(frame), write_suite(), model(place))
    assert [(each.finding.expectation, each.positions.tolist()) for each in found.breaches] == [
        ("rooms: finite numbers", [1]),
        ("place: one of hill, shore", [2]),
    ]
    assert found.breaches[1].finding.examples == ("moon in row 2",)
    assert found.breaches[1].finding.observed == "1 of 4 rows"


def test_how_far_the_check_is_is_told(at_once, store, kept, write_suite):
    told = []
    met(store, kept(ROWS), write_suite(ROOMS), model(), told.append)
    assert told[-1] == len(ROWS)
    assert told == sorted(told)

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rows import MOST_FLAGS, Rows
from serving.values import BadRequest
from tasks.records import Input

AGE = Input(name="age", kind="number", nullable=True, low=0.0, high=80.0)
ROOMS = Input(name="rooms", kind="integer", nullable=False, low=1, high=9)
PLACE = Input(name="place", kind="category", nullable=False, values=("hill", "shore"))
HOUSES = Rows((AGE, ROOMS, PLACE))
ROW = {"age": 3.5, "rooms": 2, "place": "hill"}
PIXELS = Rows([Input(name=f"pixel_{place}", kind="number", nullable=False, low=0, high=16) for place in range(4)])
ONE = Rows([Input(name="text", kind="text", nullable=False)])


def refused(call, *given, **more):
    with pytest.raises(BadRequest) as caught:
        call(*given, **more)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 1000
    return sentence


def lists(columns):
    return {name: values.tolist() for name, values in columns.items()}


def test_rows_by_name_become_columns_in_the_order_of_the_inputs():
    found = HOUSES.instances([ROW, {"place": "shore", "rooms": 4, "age": 1}])
    assert list(found) == ["age", "rooms", "place"]
    assert lists(found) == {"age": [3.5, 1.0], "rooms": [2, 4], "place": ["hill", "shore"]}


def test_columns_by_name_are_the_same():
    found = HOUSES.columns({"place": ["hill", "shore"], "rooms": [2, 4], "age": [3.5, None]})
    assert list(found) == ["age", "rooms", "place"]
    np.testing.assert_array_equal(found["age"], [3.5, np.nan])


@pytest.mark.parametrize("row", [[1, 2, 3, 4], [[1, 2], [3, 4]], [[[1, 2, 3, 4]]], [[1], [2], [3], [4]]])
def test_plain_arrays_are_read_in_the_order_of_the_inputs_whatever_their_rank(row):
    for found in (PIXELS.instances([row, row]), PIXELS.columns([row, row])):
        assert lists(found) == {f"pixel_{place}": [place + 1.0] * 2 for place in range(4)}


def test_a_model_of_one_input_takes_plain_values():
    assert lists(ONE.instances(["a", "b"])) == {"text": ["a", "b"]}
    assert "instances[1] is 3" in refused(ONE.instances, ["a", 3])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, '"instances" must be a list, not 3.'),
        ({}, '"instances" must be a list, not an object.'),
        ([], '"instances" is empty; at least one row is needed.'),
        ([ROW, 3], "all of them alike"),
        ([ROW, [1, 2, 3]], "all of them alike"),
        ([3], "must be an object such as"),
        ([[1, 2, 3]], "'place' does not: send instances by name."),
        ([{}], "instances[0] lacks 'age', 'rooms', 'place'; the model reads age, rooms, place."),
        ([{"x": 1}], "instances[0] has none of the columns that the model reads: age, rooms, place."),
        ([ROW, {"age": 1, "rooms": 1}], "instances[1] lacks 'place'; the model reads age, rooms, place."),
        ([ROW | {"plac": 1}], "has \"plac\", which is no column of the model (did you mean 'place'?); it reads"),
        ([ROW | {"x" * 9999: 1}], "which is no column of the model"),
        ([ROW | {"rooms": "2"}], "instances[0].rooms is \"2\", but 'rooms' takes a whole number (in training 1 to 9)."),
    ],
)
def test_rows_that_do_not_fit_are_refused(value, expected):
    assert expected in refused(HOUSES.instances, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], '"inputs" must be an object of lists by column, not a list.'),
        (None, '"inputs" must be an object of lists by column, not null.'),
        ({"age": [1]}, "\"inputs\" lacks 'rooms', 'place'"),
        ({"age": 1, "rooms": [1], "place": ["hill"]}, '"inputs.age" must be a list, not 1.'),
        ({"age": [], "rooms": [1], "place": ["hill"]}, '"inputs.age" is empty'),
        ({"age": [1], "rooms": [1, 2], "place": ["hill"]}, "inputs.rooms has 2 values, but inputs.age has 1"),
        ({"age": [1], "rooms": [1], "place": ["moon"]}, 'inputs.place[0] is "moon"'),
        ({"age": [[1]], "rooms": [1], "place": ["hill"]}, "inputs.age[0] is a list"),
    ],
)
def test_columns_that_do_not_fit_are_refused(value, expected):
    assert expected in refused(HOUSES.columns, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2, 3]], "instances[0] has 3 values, but the model reads pixel_0, pixel_1, pixel_2, pixel_3."),
        ([[1, 2, 3, 4], []], "instances[1] has 0 values"),
        ([[1, 2, 3, "4"]], 'instances[0] at 3 (pixel_3) is "4"'),
        ([[1, 2, 3, None]], "instances[0] at 3 (pixel_3) is null"),
        ([[1, 2, 3, 10**400]], "instances[0] at 3 (pixel_3) is 1000"),
        ([[[1, 2], [3, 4, 5]]], "instances[0] is ragged"),
        ([[1, 2, [3, 4]]], "instances[0] is ragged"),
        ([[1, 2, {}, 4]], "instances[0] at 2 (pixel_2) is an object"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(value, expected):
    assert expected in refused(PIXELS.instances, value)


def test_more_rows_than_are_allowed_are_refused():
    with pytest.raises(BadRequest, match="4 rows, but at most 3 are answered at once") as caught:
        HOUSES.instances([ROW] * 4, 3)
    assert caught.value.status == 413
    assert len(HOUSES.instances([ROW] * 3, 3)["age"]) == 3
    assert "at most 3" in refused(HOUSES.columns, {name: [value] * 4 for name, value in ROW.items()}, 3)


def test_numbers_outside_of_training_are_flagged_row_by_row():
    found = HOUSES.instances([ROW, ROW | {"age": 81, "rooms": 0}, ROW | {"age": None}, ROW | {"age": 80}])
    assert HOUSES.flags(found) == [
        {"row": 1, "column": "age", "value": 81.0, "trained_on": [0.0, 80.0]},
        {"row": 1, "column": "rooms", "value": 0.0, "trained_on": [1.0, 9.0]},
    ]
    assert HOUSES.flags(HOUSES.instances([ROW])) == []
    assert ONE.flags(ONE.instances(["a"])) == []
    assert len(PIXELS.flags(PIXELS.instances([[17] * 4] * MOST_FLAGS))) == MOST_FLAGS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["hill", 2, 3.5]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["age", "rooms", "place"]) | st.text(), inner, max_size=4)
    ),
)
NEARLY = st.lists(
    st.fixed_dictionaries({"age": JSON, "rooms": JSON, "place": JSON}) | st.lists(JSON, max_size=5), max_size=3
)


def attempted(read, value):
    try:
        return None, read(value)
    except BadRequest as error:
        return str(error), None


def test_a_model_of_one_column_takes_its_list_alone():
    found = ONE.columns(["good", "bad"])
    assert list(found) == ["text"]
    assert found["text"].tolist() == ["good", "bad"]
    assert refused(ONE.columns, ["good", 3]).startswith("inputs[1] is 3")


@given(JSON | NEARLY)
def test_whatever_is_sent_becomes_columns_of_one_length_or_a_sentence(value):
    for rows in (HOUSES, PIXELS, ONE):
        for read in (rows.instances, rows.columns):
            problem, found = attempted(read, value)
            if found is None:
                assert json.dumps(problem).endswith('."')
            else:
                assert list(found) == list(rows.inputs)
                assert len({len(values) for values in found.values()}) == 1
                json.dumps(rows.flags(found))

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tasks.inputs import MOST_VALUES, OFTEN, inputs, inputs_of
from tasks.records import FeatureSet, Input


@pytest.fixture
def described(store):
    """Give a function that tells what a model of one column reads, as its training rows have it."""

    def one(values, role="categorical", kind=None):
        rows = store.keep_table(pa.table({"column": pa.array(values, kind)}), "train")
        roles = {} if role is None else {"column": role}
        derived = {} if role else {"made": "year(column)"}
        (found,) = inputs(rows, FeatureSet(target="y", roles=roles, derived=derived), store)
        return found

    return one


def test_a_number_has_its_range_and_its_middle_value(described):
    assert described([3.5, -1.0, 9.0, None], "numeric") == Input(
        name="column", kind="number", nullable=True, low=-1.0, high=9.0, example=3.5
    )
    found = described([2, 3, 7, 7, 40], "numeric")
    assert (found.kind, found.nullable, found.low, found.high, found.example) == ("integer", False, 2, 40, 7)
    assert type(found.example) is int


def test_what_is_not_finite_has_no_place_in_a_range(described):
    found = described([1.0, float("inf"), float("-inf"), 2.0], "numeric")
    assert (found.nullable, found.low, found.high) == (False, 1.0, 2.0)
    assert described([1.0, float("nan")], "numeric").nullable


@pytest.mark.parametrize("kind", [pa.decimal128(9, 2), pa.float32(), pa.float16(), pa.uint8(), pa.int64()], ids=str)
def test_every_type_of_number_is_one(described, kind):
    values = [Decimal("1.00"), Decimal("3.00")] if pa.types.is_decimal(kind) else [1, 3]
    found = described(values, "numeric", kind)
    assert (found.kind, found.low, found.high, found.example) == (
        "integer" if pa.types.is_integer(kind) else "number",
        1,
        3,
        3,
    )


def test_a_number_that_was_never_there_has_no_range(described):
    found = described([None, None], "numeric", pa.float64())
    assert (found.kind, found.nullable, found.low, found.example) == ("number", True, None, None)


def test_true_and_false_are_the_kind_truth(described):
    assert described([True, True, None, False], "numeric") == Input(
        name="column", kind="truth", nullable=True, example=True
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_category_takes_the_values_of_training(described, kind):
    found = described(["shore", "hill", "hill", None], kind=kind)
    assert found == Input(name="column", kind="category", nullable=True, values=("hill", "shore"), example="hill")


def test_a_category_of_too_many_values_takes_any(described):
    assert described([f"place {number}" for number in range(MOST_VALUES)]).kind == "category"
    found = described([f"place {number}" for number in range(MOST_VALUES + 1)])
    assert (found.kind, found.values) == ("text", ())


@pytest.mark.parametrize("role", ["text", None])
def test_what_few_wrote_is_no_example(described, role):
    often, once = ["good"] * OFTEN, ["a confession"]
    assert described(often + once, role) == Input(name="column", kind="text", nullable=False, example="good")
    assert described(often[1:] + once, role).example is None


def test_a_date_is_written_as_text(described):
    assert described([date(2026, 3, 1)], None).example == "2026-03-01"
    found = described([datetime(2026, 3, 1, 12), None], None)
    assert (found.kind, found.nullable, found.example) == ("date", True, "2026-03-01 12:00:00")


@pytest.mark.parametrize(
    "values", [pa.array([[1], [2]]), pa.array([b"\xff"]), pa.array([None, None]), pa.array([{"a": 1}])], ids=str
)
def test_what_is_neither_is_text_of_any_kind(described, values):
    found = described(values, kind=values.type)
    assert (found.kind, found.values, found.example) == ("text", (), None)


def test_inputs_stand_in_the_order_of_the_features_and_those_that_are_only_read_last(store):
    rows = store.keep_table(pa.table({"a": [1.0], "b": ["x"], "c": [2.0], "y": [0]}), "train")
    columns = FeatureSet(target="y", roles={"c": "numeric", "d": "numeric"}, derived={"d": "a / c"})
    assert [each.name for each in inputs(rows, columns, store)] == ["c", "a"]


def test_an_older_version_is_described_by_its_training_rows_and_one_that_had_none_by_the_test_rows(store, version_of):
    version = version_of()
    assert not version.model.inputs
    x, place = inputs_of(version, store)
    assert (x.name, x.low, x.high, place.values) == ("x", 0.0, 6.0, ("hill", "shore"))
    none = store.keep_table(store.table(version.model.trained_on).slice(0, 0), "train")
    unseen = version.model.model_copy(update={"trained_on": none})
    assert inputs_of(version.model_copy(update={"model": unseen}), store)[0].low is not None


def test_a_version_that_notes_its_inputs_is_believed(store, version_of):
    version = version_of()
    noted = (Input(name="x", kind="number", nullable=False, low=0.0, high=1.0),)
    model = version.model.model_copy(update={"inputs": noted})
    assert inputs_of(version.model_copy(update={"model": model}), store) == noted

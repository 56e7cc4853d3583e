import pytest

from serving.fields import LONG_TEXT, fields_of
from tasks.records import FeatureSet, Input


@pytest.fixture
def field(draft):
    """Give a function that gives the field of one input."""

    def made(kind, role="numeric", nullable=False, **known):
        version = draft()
        columns = FeatureSet(target="price", roles={"some_column": role}, derived={})
        version = version.model_copy(update={"model": version.model.model_copy(update={"columns": columns})})
        (found,) = fields_of(version, [Input(name="some_column", kind=kind, nullable=nullable, **known)])
        return found

    return made


def test_a_number_is_filled_in_and_says_what_training_had(field):
    found = field("number", low=0.5, high=15.0, example=3.0)
    assert (found.label, found.widget, found.value) == ("Some column", "number", "3")
    assert found.hint == "0.5 to 15 in training"
    assert found.required


def test_what_training_lacked_at_times_may_be_left_empty(field):
    assert field("number", nullable=True, low=1, high=2, example=1).hint == "1 to 2 in training; may be left empty"
    assert field("text", "text", nullable=True).hint == "May be left empty"
    assert not field("number", nullable=True).required


def test_a_truth_and_a_category_are_chosen(field):
    truth = field("truth", example=True)
    assert (truth.widget, truth.value, truth.choices) == ("choice", "true", (("true", "yes"), ("false", "no")))
    category = field("category", "categorical", values=("", "hill"), example="hill")
    assert (category.widget, category.value, category.choices) == (
        "choice",
        "hill",
        (("", "(empty)"), ("hill", "hill")),
    )


@pytest.mark.parametrize(
    ("role", "example", "widget", "value"),
    [
        ("text", None, "text", ""),
        ("text", "short", "text", "short"),
        ("text", "long " * LONG_TEXT, "text", ""),
        ("categorical", "Mr. Owen", "line", "Mr. Owen"),
    ],
)
def test_a_text_is_written_where_it_has_many_words_in_a_box_that_is_empty(field, role, example, widget, value):
    found = field("text", role, example=example)
    assert (found.widget, found.value) == (widget, value)


@pytest.mark.parametrize(
    ("example", "widget", "value"),
    [("1990-12-31", "date", "1990-12-31"), ("1990-12-31 06:00:00", "moment", "1990-12-31T06:00:00")],
)
def test_a_date_is_chosen_with_the_hour_where_training_had_it(field, example, widget, value):
    found = field("date", example=example)
    assert (found.widget, found.value) == (widget, value)


def test_nothing_known_is_an_empty_field(field):
    assert field("number").value == ""
    assert field("date").value == ""

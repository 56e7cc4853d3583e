from serving.schemas import answer_of, question_of, value_of
from serving.served import Served
from tasks.records import Input


def test_a_value_is_described_by_what_the_training_had():
    age = Input(name="age", kind="number", nullable=True, low=0, high=80, example=3.5)
    assert value_of(age) == {
        "type": ["number", "null"],
        "description": "Takes a number (in training 0 to 80), or null.",
        "x-trained-on": [0.0, 80.0],
        "examples": [3.5],
    }
    place = Input(name="place", kind="category", nullable=True, values=("hill", "shore"))
    assert value_of(place)["enum"] == ["hill", "shore", None]
    assert value_of(Input(name="sold", kind="truth", nullable=False))["type"] == "boolean"
    assert value_of(Input(name="day", kind="date", nullable=False))["format"] == "date-time"


def test_rows_and_columns_are_two_forms_and_plain_arrays_one_more_for_nothing_but_numbers(store, version_of):
    served = Served(version_of("DecisionTreeClassifier"), store)
    rows, columns = question_of(served, 9)["oneOf"]
    assert [each["title"] for each in rows["properties"]["instances"]["anyOf"]] == ["rows by name"]
    assert columns["properties"]["inputs"]["properties"]["place"]["maxItems"] == 9
    answer = answer_of(served)["anyOf"][0]["properties"]["predictions"]["anyOf"][0]["items"]
    assert answer["required"] == ["class", "probabilities"]
    assert answer["properties"]["class"] == {"enum": ["hut", "villa"]}

import pytest

from serving.described import answered, example, metadata
from serving.served import Served
from tasks.records import Input


@pytest.fixture
def served(store, version_of):
    def made(estimator):
        return Served(version_of(estimator).model_copy(update={"number": 3}), store)

    return made


def test_metadata_is_a_signature_and_what_the_training_had(served):
    found = metadata(served("DecisionTreeRegressor"))
    assert found["model_spec"]["version"] == "3"
    (signature,) = found["metadata"]["signature_def"]["signature_def"].values()
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["outputs"]["prediction"]["dtype"] == "DT_DOUBLE"
    assert [each["name"] for each in found["columns"]] == ["x", "place"]
    assert found["classes"] == []
    assert found["scores"]["metric"] == "rmse"
    assert (found["scores"]["value"], found["scores"]["low"], found["scores"]["high"]) == (1, 0, 2)


@pytest.mark.parametrize(
    ("estimator", "outputs"),
    [
        ("DecisionTreeRegressor", {"prediction": "DT_DOUBLE"}),
        ("DecisionTreeClassifier", {"class": "DT_STRING", "probabilities": "DT_DOUBLE"}),
        ("LinearSVC", {"class": "DT_STRING"}),
    ],
)
def test_outputs_are_those_that_an_answer_has(served, estimator, outputs):
    assert {name: each["dtype"] for name, each in answered(served(estimator)).items()} == outputs


def test_an_example_has_a_value_for_every_column_also_where_training_has_none_to_show():
    columns = (
        Input(name="age", kind="number", nullable=False, example=3.5),
        Input(name="note", kind="text", nullable=True),
        Input(name="gone", kind="number", nullable=True),
        Input(name="odd", kind="number", nullable=False),
    )
    assert example(columns) == {"age": 3.5, "note": "a text", "gone": None, "odd": 0}

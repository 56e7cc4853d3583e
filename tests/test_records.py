import pytest
from pydantic import ValidationError

from tasks.candidates import Candidate
from tasks.records import RESULTS, Artifact, Column, File, Model, Snapshot, Trial, decode, encode

FILE = File(path="artifacts/raw/a.parquet", sha256="a" * 64, size=3)
DATA = Artifact(file=FILE, rows=1, columns=(Column(name="rooms", dtype="int64"),))
TRIAL = Trial(
    candidate=Candidate(name="tree", estimator="DecisionTreeRegressor", parameters={"max_depth": 3, "x": (1, None)}),
    metric="rmse",
    fold_scores=(0.1, 1 / 3, 2.0),
)


@pytest.mark.parametrize("record", [Snapshot(data=DATA, origin="here"), TRIAL])
def test_an_encoded_record_comes_back_equal(record):
    assert decode(encode(record)) == record


def test_only_results_are_encoded():
    for value in (FILE, {"a": 1}, None, object()):
        with pytest.raises(TypeError, match="A task's result is one of Snapshot"):
            encode(value)


def test_an_error_is_encoded_as_its_sentence():
    assert encode(ValueError("no rows")) == {"error": "ValueError: no rows"}


def test_other_objects_pass_unchanged():
    for value in ({}, {"a": 1}, {"record": "Trial"}, {"record": "Trial", "data": {}, "more": 1}):
        assert decode(value) == value


@pytest.mark.parametrize("name", ["os.system", "Store", "Column", "tasks.records.Trial", ""])
def test_a_name_outside_the_table_is_never_looked_up(name):
    with pytest.raises((KeyError, ValidationError)):
        decode({"record": name, "data": {}})


@pytest.mark.parametrize("change", [{"rows": "many"}, {"surprise": 1}, {"schema_version": 3}])
def test_a_record_that_does_not_fit_is_refused(change):
    encoded = encode(Snapshot(data=DATA, origin="here"))
    encoded["data"]["data"] |= change
    with pytest.raises(ValidationError):
        decode(encoded)


def test_records_are_frozen_and_equal_by_content():
    assert Artifact.model_validate(DATA.model_dump()) == DATA
    with pytest.raises(ValidationError, match="frozen"):
        DATA.rows = 2


def test_no_result_holds_a_clock():
    """Equal content must be an equal record, or nothing is ever "nothing new"."""

    def types_in(schema):
        return {str(value) for value in schema.get("$defs", {}).values()} | {str(schema)}

    for kind in RESULTS.values():
        assert not any("date-time" in text for text in types_in(kind.model_json_schema()))


def test_mean_and_deviation_by_hand():
    trial = TRIAL.model_copy(update={"fold_scores": (2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0)})
    assert (trial.mean, trial.standard_deviation) == (5.0, 2.0)


def test_served_files_are_those_of_the_saved_model():
    names = ("network.keras", "saved_model/saved_model.pb", "saved_model/variables/a")
    model = Model.model_construct(files=dict.fromkeys(names, FILE))
    assert set(model.served_files) == {"saved_model.pb", "variables/a"}
    assert Model.model_construct(files={"model.skops": FILE}).served_files == {}

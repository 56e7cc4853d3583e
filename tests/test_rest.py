"""Over a real socket, with the client code of chapter 19."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from sklearn.datasets import load_digits

from serving.tables import ARROW, PARQUET
from tasks.columns import ROW
from tasks.records import Coverage, FeatureSet, Interval, Intervals

ROW_OF = {"x": 3.0, "place": "hill"}
MEASURED = Interval(value=0.9, low=0.8, high=1.0)


@pytest.fixture
def digits_of(version_of):
    """Give a function that fits a classifier on pictures of 8x8 pixels: a version of nothing but numbers."""
    images, labels = load_digits(return_X_y=True)
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    frame = pd.DataFrame(images, columns=names).assign(y=labels, **{ROW: np.arange(len(labels), dtype="uint64")})
    columns = FeatureSet(target="y", roles=dict.fromkeys(names, "numeric"), derived={})

    def made(estimator="LogisticRegression", **parameters):
        return version_of(estimator, known=frame[:1000], test=frame[1000:], columns=columns, **parameters)

    return made


def predict(address, body, headers=None, place="houses", **more):
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return requests.post(f"{address}/v1/models/{place}:predict", data=content, headers=headers, timeout=60, **more)


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    (sentence,) = response.json().values()
    return sentence


def test_the_client_of_chapter_19_works_unchanged(serving_at, digits_of, store):
    version = digits_of()
    SERVER_URL = serving_at(version) + "/v1/models/houses:predict"
    test = store.table(version.test).slice(0, 3).to_pandas()
    X_new, y_new = test[list(version.model.columns.roles)].to_numpy().reshape(-1, 8, 8), test["y"].to_numpy()

    input_data_json = json.dumps({"signature_name": "serving_default", "instances": X_new.tolist()})
    response = requests.post(SERVER_URL, data=input_data_json, timeout=60)
    response.raise_for_status()
    response = response.json()
    y_proba = np.array(response["predictions"])

    assert y_proba.shape == (3, 10)
    np.testing.assert_array_equal(y_proba.argmax(axis=1), y_new)


@pytest.mark.parametrize(
    ("estimator", "tolerance"),
    [
        ("HistGradientBoostingRegressor", 0),
        ("RandomForestClassifier", 0),
        ("Ridge", 1e-6),
    ],
)
def test_serving_equals_training_for_every_test_row_in_every_form(serving_at, version_of, store, estimator, tolerance):
    version = version_of(estimator)
    address = serving_at(version)
    expected = store.table(version.scores.predictions)["challenger"].to_numpy()
    table = store.table(version.test, ["x", "place"])
    answers = [
        predict(address, {"instances": table.to_pylist()}).json()["predictions"],
        predict(address, {"inputs": table.to_pydict()}).json()["outputs"],
    ]
    one_by_one = [predict(address, {"instances": [row]}).json()["predictions"][0] for row in table.to_pylist()]
    answers.append(one_by_one)
    for write, kind in ((stream, ARROW), (parquet, PARQUET)):
        found = predict(address, write(table), {"Content-Type": kind})
        answers.append(read(found)[0].to_pylist())
    for answer in answers:
        values = answer["class"] if isinstance(answer, dict) else answer
        values = np.array([each["class"] if isinstance(each, dict) else each for each in values])
        if tolerance:
            np.testing.assert_allclose(values, expected, rtol=tolerance)
        else:
            np.testing.assert_array_equal(values, expected)


def test_a_network_gives_over_http_the_classes_that_it_was_judged_by(serving_at, digits_of, store):
    version = digits_of("ConvolutionalNetworkClassifier", epochs=1)
    address = serving_at(version)
    expected = store.table(version.scores.predictions)["challenger"].to_pylist()
    rows = store.table(version.test, list(version.model.columns.roles)).to_pylist()
    found = predict(address, {"instances": rows}).json()["predictions"]
    assert [each["class"] for each in found] == expected
    alone = predict(address, {"instances": rows[:1]}).json()["predictions"][0]
    np.testing.assert_allclose(alone["probabilities"], found[0]["probabilities"], atol=1e-5)


def stream(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def read(response):
    assert response.status_code == 200, response.text
    if response.headers["Content-Type"] == PARQUET:
        return pq.read_table(io.BytesIO(response.content))
    return pa.ipc.open_stream(response.content).read_all()


def test_versions_answer_by_number_and_by_label(serving_at, version_of):
    address = serving_at(*(version_of("DecisionTreeRegressor", max_depth=depth) for depth in (1, 2)))
    places = {
        "houses": "2",
        "houses/labels/champion": "2",
        "houses/labels/previous": "1",
        "houses/versions/1": "1",
        "houses/versions/2": "2",
    }
    for place, number in places.items():
        found = predict(address, {"instances": [ROW_OF]}, place=place)
        assert found.json()["model_version"] == found.headers["X-Model-Version"] == number
    status = requests.get(f"{address}/v1/models/houses", timeout=60).json()["model_version_status"]
    fine = {"error_code": "OK", "error_message": ""}
    assert status == [{"version": number, "state": "AVAILABLE", "status": fine} for number in ("2", "1")]
    one = requests.get(f"{address}/v1/models/houses/labels/previous", timeout=60).json()["model_version_status"]
    assert [each["version"] for each in one] == ["1"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("flats", "There is no model 'flats' here; served are: houses."),
        ("houses/versions/7", "houses has no version 7 here; served are: 1 (champion)."),
        ("houses/versions/x", "'x' is no version; a whole number is needed."),
        ("houses/versions/" + "9" * 5000, "is no version; a whole number is needed."),
        ("houses/labels/a%0Ab", "houses has no version 'a\\nb' here; served are: 1 (champion)."),
        ("houses/labels/best", "houses has no version best here; served are: 1 (champion)."),
    ],
)
def test_what_is_not_served_is_not_found(serving_at, version_of, place, expected):
    address = serving_at(version_of("DecisionTreeRegressor"))
    assert expected in error_of(predict(address, {"instances": [ROW_OF]}, place=place), 404)
    for more in ("", "/metadata"):
        assert expected in error_of(requests.get(f"{address}/v1/models/{place}{more}", timeout=60), 404)


def test_metadata_tells_what_is_read_and_answered(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeClassifier"))
    found = requests.get(f"{address}/v1/models/houses/metadata", timeout=60).json()
    assert found["model_spec"] == {"name": "houses", "signature_name": "", "version": "1"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert {name: each["dtype"] for name, each in signature["inputs"].items()} == {
        "x": "DT_DOUBLE",
        "place": "DT_STRING",
    }
    assert {name: len(each["tensor_shape"]["dim"]) for name, each in signature["outputs"].items()} == {
        "class": 1,
        "probabilities": 2,
    }
    assert found["columns"][1]["values"] == ["hill", "shore"]
    assert found["classes"] == ["hut", "villa"]


def test_intervals_stand_in_an_answer_where_they_are_asked_for(serving_at, version_of):
    levels = (Coverage(level=0.9, margins=(1.5,), measured=MEASURED, size=3.0),)
    intervals = Intervals(rows=60, test_rows=30, levels=levels)
    address = serving_at(version_of("DecisionTreeRegressor").model_copy(update={"intervals": intervals}))
    (found,) = predict(address, {"instances": [ROW_OF], "interval": 0.9}).json()["predictions"]
    assert found["high"] - found["prediction"] == found["prediction"] - found["low"] == 1.5
    table = predict(
        address, stream(pa.table({"x": [3.0], "place": ["hill"]})), {"Content-Type": ARROW}, params={"interval": 0.9}
    )
    assert read(table).column_names == ["prediction", "low", "high"]
    refused = predict(address, {"instances": [ROW_OF], "interval": 0.7})
    assert error_of(refused, 400) == "This version has no interval of level 0.7; allowed are: 0.9."


def test_a_value_outside_of_training_is_answered_and_flagged(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"))
    found = predict(address, {"instances": [ROW_OF, ROW_OF | {"x": 300}]}).json()
    assert len(found["predictions"]) == 2
    assert found["flags"] == [{"row": 1, "column": "x", "value": 300.0, "trained_on": [0.0, 6.0]}]
    assert "flags" not in predict(address, {"instances": [ROW_OF]}).json()


def test_a_value_that_no_model_can_take_is_refused_without_harm_to_others(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"))
    bodies = [{"instances": [ROW_OF | {"x": value}]} for value in (1.0, 1e300, 2.0, 1e39) * 5]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: predict(address, body), bodies))
    assert [each.status_code for each in found] == [200, 400, 200, 400] * 5
    assert found[1].json()["error"] == (
        "The model cannot answer for 'x' = 1e+300 in row 0, so far from what it was trained on: 0.0 to 6.0."
    )


@pytest.mark.parametrize(
    ("body", "headers", "status", "expected"),
    [
        ("junk", None, 400, "The body is not JSON"),
        ({"instances": [ROW_OF | {"x": "3"}]}, None, 400, "instances[0].x is \"3\", but 'x' takes a number"),
        ({"instances": [ROW_OF | {"place": "moon"}]}, None, 400, "but 'place' takes one of 'hill', 'shore'."),
        ({"instances": [ROW_OF] * 6}, None, 413, "at most 5 are answered at once"),
        ("x" * 5000, None, 413, "at most 4,000 bytes are read"),
        ("x,y", {"Content-Type": "text/csv"}, 415, "A body of the type 'text/csv' is not read; allowed are:"),
        (b"junk", {"Content-Type": ARROW}, 400, f"The body is no {ARROW} that can be read"),
        (b"junk", {"Content-Type": PARQUET}, 400, "The body is no Parquet file that can be read"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(serving_at, version_of, body, headers, status, expected):
    address = serving_at(version_of("DecisionTreeRegressor"), most_rows=5, most_bytes=4000)
    assert expected in error_of(predict(address, body, headers), status)


def test_other_addresses_and_methods_are_sentences_too(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"))
    assert "/docs tells what there is" in error_of(requests.get(f"{address}/v2", timeout=60), 404)
    refused = requests.put(f"{address}/v1/models/houses", timeout=60)
    assert error_of(refused, 405) == "PUT is nothing that is answered here; allowed: GET, HEAD."
    refused = requests.get(f"{address}/v1/models/houses:predict", timeout=60)
    assert error_of(refused, 405) == "GET is nothing that is answered here; allowed: POST."
    assert refused.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "["},
        {"Host": "\u00ff".encode("latin-1")},
        {"Accept": ",;,"},
        {"Content-Type": ";"},
        {"Content-Encoding": ""},
    ],
)
def test_odd_headers_do_no_harm(serving_at, version_of, headers):
    address = serving_at(version_of("DecisionTreeRegressor"))
    assert predict(address, {"instances": [ROW_OF]}, headers).status_code in {200, 400, 415}
    for path in ("/v1/models/houses", "/v1/models/houses/metadata", "/docs", "/openapi.json", "/"):
        assert requests.get(address + path, headers=headers, timeout=60).status_code in {200, 400}


def test_a_bad_row_is_refused_alone_among_many_at_once(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"))
    rows = [ROW_OF if number % 4 else ROW_OF | {"x": None} for number in range(80)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda row: predict(address, {"instances": [row]}).status_code, rows))
    assert found == [200 if number % 4 else 400 for number in range(80)]


def test_a_large_request_is_answered_as_small_ones_are(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeRegressor"))
    many = predict(address, {"instances": [ROW_OF] * 5000}).json()["predictions"]
    assert many == predict(address, {"instances": [ROW_OF]}).json()["predictions"] * 5000

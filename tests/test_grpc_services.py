"""The answers over gRPC, from a started server, asked with TensorFlow Serving's own stubs."""

import json
import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tasks.registry import Registry
from tasks.store import Store
from tests.conftest import free_port
from tests.deployed import GOOD, grpc_server

HOUSES = {
    "area": tf.make_tensor_proto([80.0, 120.5], dtype=tf.float64),
    "rooms": tf.make_tensor_proto([3, 4], dtype=tf.int64),
    "garden": tf.make_tensor_proto([True, False]),
    "place": tf.make_tensor_proto([b"hill", b""]),
}


@pytest.fixture(scope="module")
def address(deployed):
    port = free_port()
    with grpc_server(deployed, grpc_port=port):
        yield f"localhost:{port}"


@pytest.fixture(scope="module")
def predict_service(address):
    with grpc.insecure_channel(address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_service(address):
    with grpc.insecure_channel(address) as channel:
        yield model_service_pb2_grpc.ModelServiceStub(channel)


@pytest.fixture
def tested(deployed):
    """Give a function that gives a champion's test rows, and what was predicted for them when it was evaluated."""

    def read(name):
        store = Store(deployed, name)
        version = Registry(store).champion()
        rows = store.table(version.test, list(version.model.columns.roles)).to_pandas()
        return rows, store.table(version.scores.predictions, ["challenger"])["challenger"].to_pylist()

    return read


def spec_of(request, name, *, version=None, label=None, signature=""):
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def question(name, tensors, outputs=(), **spec):
    request = spec_of(PredictRequest(output_filter=outputs), name, **spec)
    for column, tensor in tensors.items():
        request.inputs[column].CopyFrom(tensor)
    return request


def plain(tensor):
    return [value.decode() if isinstance(value, bytes) else value for value in tf.make_ndarray(tensor).tolist()]


def test_the_client_of_the_book_works_as_it_is(address, tested):
    """Géron, Hands-On Machine Learning, chapter 19: its code, for this model's name, rows and output."""
    rows, expected = tested("digits")
    model_name, input_name, output_name = "digits", "flatten_input", "probabilities"
    X_new = rows[:3].to_numpy("float32").reshape(-1, 8, 8)

    request = PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = "serving_default"
    request.inputs[input_name].CopyFrom(tf.make_tensor_proto(X_new))

    channel = grpc.insecure_channel(address)
    predict_service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = predict_service.Predict(request, timeout=10.0)

    outputs_proto = response.outputs[output_name]
    y_proba = tf.make_ndarray(outputs_proto)
    assert y_proba.argmax(axis=1).tolist() == expected[:3]

    # and as the book does it where the client has no TensorFlow
    shape = [dim.size for dim in outputs_proto.tensor_shape.dim]
    y_proba = np.array(outputs_proto.float_val).reshape(shape)
    assert y_proba.argmax(axis=1).tolist() == expected[:3]
    channel.close()


def test_the_client_that_the_readme_shows_works(address, tested):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (client,) = [block for block in re.findall(r"```py\n(.*?)```", readme, re.DOTALL) if "import grpc" in block]
    rows, expected = tested("digits")
    found = {"X_new": rows.to_numpy("float32").reshape(-1, 8, 8)}
    exec(client.replace("localhost:8500", address), found)  # noqa: S102 - our own README
    assert found["y_proba"].argmax(axis=1).tolist() == expected
    found["channel"].close()


@pytest.mark.parametrize(("name", "output"), [("digits", "class"), ("reviews", "class"), ("houses", "prediction")])
def test_the_whole_test_set_is_predicted_as_it_was_evaluated(predict_service, tested, name, output):
    rows, expected = tested(name)
    columns = {column: rows[column].fillna("") if column == "place" else rows[column] for column in rows}
    tensors = {column: tf.make_tensor_proto(values.to_numpy()) for column, values in columns.items()}
    response = predict_service.Predict(question(name, tensors), timeout=60)
    assert plain(response.outputs[output]) == expected


def test_an_answer_says_who_gave_it(predict_service):
    response = predict_service.Predict(question("houses", HOUSES))
    assert (response.model_spec.name, response.model_spec.version.value) == ("houses", 2)
    assert list(response.outputs) == ["prediction"]
    texts = {"review": tf.make_tensor_proto([GOOD.encode()])}
    response = predict_service.Predict(question("reviews", texts))
    assert set(response.outputs) == {"class", "probabilities"}
    assert plain(response.outputs["class"]) == ["pos"]


@pytest.mark.parametrize(
    ("asked", "number"), [({"version": 1}, 1), ({"label": "previous"}, 1), ({"label": "champion"}, 2), ({}, 2)]
)
def test_a_version_may_be_named_by_number_or_label(predict_service, asked, number):
    response = predict_service.Predict(question("houses", HOUSES, **asked))
    assert response.model_spec.version.value == number


def test_only_the_outputs_that_are_asked_for_are_answered(predict_service):
    texts = {"review": tf.make_tensor_proto([GOOD.encode()])}
    response = predict_service.Predict(question("reviews", texts, outputs=["class"]))
    assert list(response.outputs) == ["class"]


@pytest.mark.parametrize(
    ("request_", "code", "sentence"),
    [
        (question("ducks", {}), "NOT_FOUND", "There is no model 'ducks' here; served are: "),
        (question("houses", HOUSES, version=9), "NOT_FOUND", "houses has no version 9 here"),
        (question("houses", HOUSES, version=-1), "NOT_FOUND", "houses has no version -1 here"),
        (question("houses", HOUSES, label="stable"), "NOT_FOUND", "houses has no version stable here"),
        (question("houses", HOUSES, signature="x"), "INVALID_ARGUMENT", '"signature_name" must be "serving_default"'),
        (question("houses", {}), "INVALID_ARGUMENT", '"inputs" lacks'),
        (question("houses", HOUSES, outputs=["predicton"]), "INVALID_ARGUMENT", "did you mean 'prediction'?"),
    ],
)
def test_a_wrong_question_is_answered_by_a_sentence(predict_service, request_, code, sentence):
    with pytest.raises(grpc.RpcError) as caught:
        predict_service.Predict(request_)
    assert caught.value.code().name == code
    assert sentence in caught.value.details()


def test_an_interval_is_answered_where_the_metadata_of_the_call_ask_for_one(predict_service):
    found = predict_service.Predict(question("houses", HOUSES), metadata=[("interval", "0.9")]).outputs
    price, low, high = (np.array(plain(found[name])) for name in ("prediction", "low", "high"))
    assert (price - low).tolist() == (high - price).tolist() == [12_345.0, 12_345.0]


@pytest.mark.parametrize(
    ("level", "sentence"),
    [
        ("0.5", "This version has no interval of level 0.5; allowed are: 0.9."),
        ("", '"interval" is "", but must be a level between 0 and 1, such as 0.9.'),
        ("ninety", '"interval" is "ninety", but must be a level between 0 and 1, such as 0.9.'),
        ("90", '"interval" is 90.0, but must be a level between 0 and 1, such as 0.9.'),
    ],
)
def test_a_level_that_is_none_or_not_known_is_told_by_a_sentence(predict_service, level, sentence):
    with pytest.raises(grpc.RpcError) as caught:
        predict_service.Predict(question("houses", HOUSES), metadata=[("interval", level)])
    assert (caught.value.code().name, caught.value.details()) == ("INVALID_ARGUMENT", sentence)


def test_numbers_outside_of_training_are_answered_and_flagged_in_the_trailing_metadata(predict_service):
    far = HOUSES | {"area": tf.make_tensor_proto([80.0, 1e6], dtype=tf.float64)}
    answered, call = predict_service.Predict.with_call(question("houses", far))
    assert len(plain(answered.outputs["prediction"])) == 2
    (flag,) = json.loads(dict(call.trailing_metadata())["flags"])
    assert (flag["row"], flag["column"], flag["value"]) == (1, "area", 1e6)
    _, call = predict_service.Predict.with_call(question("houses", HOUSES))
    assert "flags" not in dict(call.trailing_metadata())


def test_the_metadata_say_what_is_read_and_answered(predict_service):
    request = spec_of(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]), "digits")
    response = predict_service.GetModelMetadata(request)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    signature = found.signature_def["serving_default"]
    assert len(signature.inputs) == 64
    assert signature.inputs["pixel_0_0"].dtype == tf.float64.as_datatype_enum
    assert signature.outputs["class"].dtype == tf.int64.as_datatype_enum
    assert [dim.size for dim in signature.outputs["probabilities"].tensor_shape.dim] == [-1, 10]


def test_no_other_metadata_are_answered(predict_service):
    with pytest.raises(grpc.RpcError, match="metadata_field"):
        predict_service.GetModelMetadata(spec_of(get_model_metadata_pb2.GetModelMetadataRequest(), "digits"))


@pytest.mark.parametrize(("asked", "numbers"), [({}, [2, 1]), ({"version": 1}, [1]), ({"label": "champion"}, [2])])
def test_the_status_names_the_versions_that_answer(model_service, asked, numbers):
    request = spec_of(get_model_status_pb2.GetModelStatusRequest(), "houses", **asked)
    states = model_service.GetModelStatus(request).model_version_status
    assert [state.version for state in states] == numbers
    assert {state.state for state in states} == {get_model_status_pb2.ModelVersionStatus.AVAILABLE}
    assert {state.status.error_code for state in states} == {0}

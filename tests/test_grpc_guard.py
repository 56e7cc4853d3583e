"""Who may call, how long, and what a client is told of what goes wrong."""

import asyncio
import threading
from contextlib import contextmanager

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from serving.grpc_guard import _address
from tests.conftest import free_port
from tests.deployed import GOOD, grpc_server, logged_requests
from tests.waiting import until

ASKED = PredictRequest()
ASKED.model_spec.name = "reviews"
ASKED.inputs["review"].CopyFrom(tf.make_tensor_proto([GOOD.encode()]))


def with_token(metadata):
    """Give the metadata of a call: these, and the token unless they say otherwise; None leaves one out."""
    given = {"authorization": "Bearer open sesame"} | {name.replace("_", "-"): v for name, v in metadata.items()}
    return [each for each in given.items() if each[1] is not None]


@contextmanager
def guarding(deployed, **limits):
    """Give a repository that is served with a token and a limit of 20,000 bytes, what asks it, and its stub."""

    def asked(request=ASKED, method="Predict", **metadata):
        return getattr(stub, method)(request, metadata=with_token(metadata))

    port = free_port()
    limits |= {"token": "open sesame", "most_bytes": 20_000}
    with (
        grpc_server(deployed, grpc_port=port, **limits) as repository,
        grpc.insecure_channel(f"localhost:{port}") as channel,
    ):
        stub = PredictionServiceStub(channel)
        yield repository, asked, stub


@pytest.fixture(scope="module")
def guarded(deployed):
    with guarding(deployed) as both:
        yield both


@pytest.fixture
def ask(guarded):
    return guarded[1]


@pytest.fixture
def stub(guarded):
    return guarded[2]


def refused(asked, *arguments, **metadata):
    with pytest.raises(grpc.RpcError) as caught:
        asked(*arguments, **metadata)
    return caught.value.code().name, caught.value.details()


def test_who_has_the_token_is_answered(ask):
    assert ask().model_spec.name == "reviews"


@pytest.mark.parametrize("token", [None, "", "open sesame", "Bearer", "Bearer open", "Bearer open sesames"])
def test_who_has_not_is_told_how_to_send_it(ask, token):
    code, sentence = refused(ask, authorization=token)
    assert code == "UNAUTHENTICATED"
    assert sentence == "A token is needed: send the metadata 'authorization' with the value 'Bearer TOKEN'."


def test_methods_that_are_not_answered_say_which_are(ask):
    request = ClassificationRequest()
    request.model_spec.name = "reviews"
    assert refused(ask, request, "Classify") == (
        "UNIMPLEMENTED",
        "What is answered here: Predict, GetModelMetadata, GetModelStatus.",
    )


def test_a_question_that_is_too_large_is_refused(ask):
    large = PredictRequest()
    large.CopyFrom(ASKED)
    large.inputs["review"].CopyFrom(tf.make_tensor_proto([b"long " * 10_000]))
    assert refused(ask, large)[0] == "RESOURCE_EXHAUSTED"


def test_what_takes_too_long_is_given_up(deployed, monkeypatch):
    async def never(_columns):
        await asyncio.Event().wait()

    with guarding(deployed, timeout_seconds=0.1) as (repository, ask, _):
        monkeypatch.setattr(repository.find("reviews"), "answer", never)
        assert refused(ask) == ("DEADLINE_EXCEEDED", "There was no answer within 0.1 seconds.")


def test_what_goes_wrong_here_is_in_the_log_and_not_in_the_answer(ask, guarded, monkeypatch, caplog):
    async def broken(_columns):
        raise OSError("/secret/place cannot be read")

    monkeypatch.setattr(guarded[0].find("reviews"), "answer", broken)
    code, sentence = refused(ask)
    assert code == "INTERNAL"
    assert "secret" not in sentence
    assert "secret" in caplog.text


def test_calls_are_counted_by_problem_action_and_code(ask, guarded):
    def counted(**labels):
        return guarded[0].metrics.requests.labels(**labels)._value.get()

    def both():
        fine = counted(problem="reviews", action="predict", code="OK")
        return fine, counted(problem="", action="predict", code="NOT_FOUND")

    before = both()
    ask()
    stranger = PredictRequest()
    stranger.model_spec.name = "made up"
    refused(ask, stranger)
    assert both() == (before[0] + 1, before[1] + 1)


def call(stub, request=ASKED, **metadata):
    """Give a call that was begun with these metadata."""
    return stub.Predict.future(request, metadata=with_token(metadata))


def test_a_call_has_a_line_in_the_log_as_a_request_over_http_has(stub):
    with logged_requests() as logged:
        assert call(stub, x_request_id="mine").exception() is None
        unknown = PredictRequest()
        unknown.model_spec.name = "made up"
        for refused_call in (call(stub, authorization="none"), call(stub, unknown)):
            assert refused_call.exception() is not None
    first = logged[0]
    assert first.pop("milliseconds") > 0
    assert first == {
        "request": "mine",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/tensorflow.serving.PredictionService/Predict",
        "status": "OK",
        "problem": "reviews",
        "version": "1",
    }
    assert [(line["status"], line["problem"], line["version"]) for line in logged[1:]] == [
        ("UNAUTHENTICATED", "reviews", ""),
        ("NOT_FOUND", "", ""),
    ]


def test_a_call_that_its_client_cancels_is_counted_and_logged_too(guarded, stub, monkeypatch):
    begun = threading.Event()

    async def never(_columns):
        begun.set()
        await asyncio.Event().wait()

    repository = guarded[0]
    monkeypatch.setattr(repository.find("reviews"), "answer", never)
    with logged_requests() as logged:
        waiting = call(stub)
        assert begun.wait(60)
        waiting.cancel()
        until(lambda: logged, 60)
    assert [(line["status"], line["problem"]) for line in logged] == [("CANCELLED", "reviews")]
    assert 'code="CANCELLED",problem="reviews"} 1.0' in repository.metrics.text().decode()


def test_the_name_of_a_call_is_given_back_whatever_comes_of_it_and_beside_what_else_is_told(stub):
    assert dict(call(stub, x_request_id="mine").trailing_metadata()) == {"x-request-id": "mine"}
    assert dict(call(stub, x_request_id="mine", authorization="none").trailing_metadata()) == {"x-request-id": "mine"}
    assert len(dict(call(stub, x_request_id="two words").trailing_metadata())["x-request-id"]) == 32
    far = PredictRequest()  # with a number outside the range of training, which is told in the trailing metadata too
    far.model_spec.name = "houses"
    rows = {"area": [1e6], "rooms": [3], "garden": [True], "place": [b"hill"]}
    for column, values in rows.items():
        far.inputs[column].CopyFrom(tf.make_tensor_proto(values))
    assert dict(call(stub, far, x_request_id="mine").trailing_metadata()).keys() == {"flags", "x-request-id"}
    far.output_filter.append("made up")  # it is refused once the flags are told
    assert dict(call(stub, far, x_request_id="mine").trailing_metadata()).keys() == {"flags", "x-request-id"}


@pytest.mark.parametrize(
    ("peer", "address"), [("ipv4:127.0.0.1:4000", "127.0.0.1"), ("ipv6:%5B::1%5D:4000", "::1"), ("unix:", "")]
)
def test_a_client_is_called_by_its_address(peer, address):
    assert _address(peer) == address


def test_many_at_once_are_all_answered(ask):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask().model_spec.name)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["reviews"] * 16


def test_who_calls_too_often_is_told_how_often_is_allowed(deployed):
    port = free_port()
    with (
        grpc_server(deployed, grpc_port=port, most_requests="3/hour"),
        grpc.insecure_channel(f"localhost:{port}") as channel,
    ):
        stub = PredictionServiceStub(channel)
        for _ in range(3):
            stub.Predict(ASKED)
        with pytest.raises(grpc.RpcError, match="at most 3/hour are answered") as caught:
            stub.Predict(ASKED)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

import socket
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tasks.errors import ProblemError
from tests.conftest import free_port
from tests.deployed import GOOD, grpc_server


def test_what_is_in_flight_is_answered_before_the_server_ends(deployed, monkeypatch):
    monkeypatch.setattr("serving.grpc_server.QUIET_SECONDS", 2)  # this process may have to wait for a core for a while
    asked, port = PredictRequest(), free_port()
    asked.model_spec.name = "reviews"
    asked.inputs["review"].CopyFrom(tf.make_tensor_proto([GOOD.encode()]))
    with grpc_server(deployed, grpc_port=port) as repository:
        channel = grpc.insecure_channel(f"localhost:{port}")
        stub = PredictionServiceStub(channel)
        stub.Predict(asked, timeout=300)
        batches = repository.metrics.batches.labels("reviews")._sum
        before, waiting = batches.get(), [stub.Predict.future(asked) for _ in range(8)]
        while batches.get() == before:  # the first of them has begun
            time.sleep(0.001)
    assert [each.exception() for each in waiting] == [None] * 8
    channel.close()


def test_an_address_that_is_taken_is_one_sentence(deployed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = rf"127\.0\.0\.1:{port} cannot be listened on for gRPC\."
        with pytest.raises(ProblemError, match=sentence), grpc_server(deployed, grpc_port=port):
            pass

"""A request, however it was asked: counted, measured, and a line in the log."""

import logging
from dataclasses import asdict

import pytest

from serving.access import ACCESS, OPERATING, Access
from serving.metrics import Metrics
from tests.deployed import logged_requests

ANSWERED = Access(
    request="mine",
    client="::1",
    method="POST",
    path="/v1/models/digits:predict",
    status=200,
    milliseconds=1500.0,
    problem="digits",
    version="3",
)


def test_a_request_is_counted_measured_and_logged() -> None:
    metrics = Metrics()
    with logged_requests() as logged:
        ANSWERED.note(metrics, "predict")
    assert logged == [asdict(ANSWERED)]
    text = metrics.text().decode()
    assert 'salamander_requests_total{action="predict",code="200",problem="digits"} 1.0' in text
    assert 'salamander_request_seconds_sum{action="predict",problem="digits"} 1.5' in text


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 1)])
def test_what_a_supervisor_asks_every_second_is_counted_and_no_news(level: int, lines: int) -> None:
    metrics = Metrics()
    with logged_requests() as logged:
        ACCESS.setLevel(level)
        ANSWERED.note(metrics, OPERATING)
    assert len(logged) == lines
    assert 'action="operating"' in metrics.text().decode()

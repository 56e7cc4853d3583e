"""Measuring in a process of its own, once; the process itself is no part of what the result depends on."""

import pytest

from tasks.fresh_process import FreshProcess
from tasks.gate import Behaviour
from tasks.keys import step_key
from tasks.measure import measure, sentence
from tasks.records import Measurements, decode, encode

pytestmark = pytest.mark.usefixtures("without_run_logger")

BEHAVIOURS = (
    Behaviour(column="x", add=1, prediction="not higher"),
    Behaviour(column="number", add=1, prediction="same"),
)


def test_a_model_is_measured_in_a_process_of_its_own(version_of, store, fresh):
    version = version_of("LinearRegression")
    found = measure.fn(version.model, version.test, BEHAVIOURS, store, fresh)
    key = step_key("measure", {"model": version.model, "behaviours": BEHAVIOURS, "store": store, "fresh": fresh})
    assert found.broken == (1.0, 0.0)
    assert found.behaviour_rows == 30
    assert 0 < found.row_milliseconds < 1000
    assert decode(encode(found)) == found
    with FreshProcess() as another:
        again = {"model": version.model, "behaviours": BEHAVIOURS, "store": store, "fresh": another}
        assert step_key("measure", again) == key
        assert step_key("measure", again | {"behaviours": ()}) != key


def test_measurements_are_said_in_a_sentence():
    found = Measurements(
        row_milliseconds=3.26, batch_seconds=0.0104, batch_rows=1000, megabytes=1.25, memory_megabytes=14.4
    )
    assert sentence(found) == (
        "95 % of single rows within 3.3 ms, 1,000 rows in 0.010 s; 1.2 MB of files, 14 MB of memory."
    )

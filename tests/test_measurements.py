"""What is measured of a model: time, memory, size and behaviour."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.judging.measurements import durations, measured
from tasks.models import Predictor


def test_a_model_is_measured(version_of, store, monkeypatch):
    """By a clock that only predictions move: a millisecond for each row, and ten more for every tenth call."""
    version = version_of(n_estimators=20)
    calls, milliseconds = 0, 0

    def predict(_, rows):
        nonlocal calls, milliseconds
        calls += 1
        milliseconds += len(rows) + (0 if calls % 10 else 10)

    monkeypatch.setattr(Predictor, "predict", predict)
    clock = SimpleNamespace(perf_counter=lambda: milliseconds / 1000)
    monkeypatch.setattr("tasks.judging.measurements.time", clock)
    monkeypatch.setattr("tasks.judging.measurements.PeakMemory", lambda: SimpleNamespace(added=lambda: 25e6))
    found = measured(version.model, version.test, (), store)
    assert found.row_milliseconds == pytest.approx(11)  # not one caller in twenty waits longer
    assert found.batch_seconds == pytest.approx(1)
    assert (found.batch_rows, found.behaviour_rows, found.broken) == (1000, 0, ())
    assert found.megabytes == sum(file.size for file in version.model.files.values()) / 1e6
    assert found.memory_megabytes == 25


def test_a_larger_model_takes_more_megabytes(version_of, store):
    small, large = (
        measured(version.model, version.test, (), store).megabytes
        for version in (version_of("Ridge"), version_of(n_estimators=300))
    )
    assert large > 10 * small


def test_behaviours_are_measured_on_rows_whose_value_is_there(version_of, store):
    version = version_of("LinearRegression", test_rows=1500)
    frame = store.table(version.test).to_pandas()
    frame.loc[::2, "x"] = np.nan
    test = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "test")
    behaviours = (
        Behaviour(column="x", add=1, prediction="not lower"),
        Behaviour(column="x", add=1, prediction="not higher"),
        Behaviour(column="number", multiply=1000, prediction="same"),
        Behaviour(column="place", replace="hill", prediction="same"),
    )
    found = measured(version.model, test, behaviours, store)
    assert found.behaviour_rows == 1000
    assert found.broken[0] == found.broken[2] == 0.0
    assert found.broken[1] == pytest.approx(0.5, abs=0.03)
    assert found.broken[3] == pytest.approx(2 / 3, abs=0.03)


def test_a_probability_is_measured(version_of, store):
    version = version_of("LogisticRegression")
    behaviours = tuple(
        Behaviour(column="x", add=1, prediction=what, of="villa") for what in ("not lower", "not higher")
    )
    assert measured(version.model, version.test, behaviours, store).broken == (0.0, 1.0)


def test_a_column_that_is_not_there_is_named(version_of, store):
    version = version_of("Ridge")
    with pytest.raises(ProblemError, match=r"no column 'plac' \(did you mean 'place'\?\); they have: number, x"):
        measured(version.model, version.test, (Behaviour(column="plac", replace="a", prediction="same"),), store)


def test_what_is_slow_is_repeated_less_often(monkeypatch):
    monkeypatch.setattr("tasks.judging.measurements.ENOUGH_SECONDS", 5)
    monkeypatch.setattr("tasks.judging.measurements.time", SimpleNamespace(perf_counter=lambda: clock))
    clock, calls = 0, []

    def work(number):
        nonlocal clock
        clock += 2
        calls.append(number)

    assert durations(work, 100, 2) == [2, 2, 2]
    assert calls == [0, 0, 1, 2]
    assert durations(work, 100, 4) == [2, 2, 2, 2]
    assert durations(lambda _: None, 7, 2) == [0] * 7


MEMORY = """
import json, sys
import numpy as np
from tasks.judging import measurements
if sys.argv[1] == "not":
    measurements._reset_peak = lambda: False
memory = measurements.PeakMemory()
before = memory.added()
np.ones(10_000_000)  # 80 MB
print(json.dumps([memory._resettable, before, memory.added(), measurements.PeakMemory().added()]))
"""


def added(peak):
    """Give whether the peak of a process of its own was reset, and what was added before 80 MB, by them, and since.

    It is started by a small one (`timeout`), as a process inherits the peak of who starts it.
    """
    command = ["timeout", "600", sys.executable, "-c", MEMORY, peak]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def test_memory_that_was_used_for_a_moment_counts():
    resettable, before, after, since = added("resettable")
    if not resettable:
        pytest.skip("the peak of a process cannot be reset here")
    assert before < 20e6
    assert 70e6 < after < 120e6
    assert since < 20e6


def test_memory_is_counted_where_the_peak_cannot_be_reset():
    _, before, after, since = added("not")
    assert before < 20e6
    assert 0 < after < 120e6  # it may have been higher than now before
    assert since == 0


def test_only_what_is_needed_is_read(version_of, store, monkeypatch):
    version = version_of("Ridge")
    seen = []
    predict = Predictor.predict
    monkeypatch.setattr(Predictor, "predict", lambda self, rows: seen.append(list(rows)) or predict(self, rows))
    measured(version.model, version.test, (Behaviour(column="number", add=1, prediction="same"),), store)
    assert {tuple(names) for names in seen} == {("x", "place", "number")}

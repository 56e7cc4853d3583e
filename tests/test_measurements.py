"""What is measured of a model: time, memory, size and behaviour."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.judging.measurements import ROWS, PeakMemory, durations, measured
from tasks.models import Predictor


def test_a_model_is_measured(version_of, store):
    version = version_of(n_estimators=20)
    found = measured(version.model, version.test, (), store)
    assert 0.1 < found.row_milliseconds < 1000
    assert found.row_milliseconds / 1000 < found.batch_seconds * ROWS
    assert (found.batch_rows, found.behaviour_rows, found.broken) == (1000, 0, ())
    assert found.megabytes == sum(file.size for file in version.model.files.values()) / 1e6
    assert found.memory_megabytes < 200


def test_a_slower_model_takes_longer(version_of, store):
    quick, slow = (
        measured(version.model, version.test, (), store)
        for version in (version_of("Ridge"), version_of(n_estimators=300))
    )
    assert slow.row_milliseconds > 2 * quick.row_milliseconds
    assert slow.batch_seconds > 2 * quick.batch_seconds
    assert slow.megabytes > 10 * quick.megabytes


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


def test_memory_that_was_used_for_a_moment_counts():
    memory = PeakMemory()
    assert memory.added() < 20e6
    block = np.ones(10_000_000)  # 80 MB
    del block
    assert 70e6 < memory.added() < 120e6
    assert PeakMemory().added() < 20e6


def test_memory_is_counted_where_the_peak_cannot_be_reset(monkeypatch):
    monkeypatch.setattr("tasks.judging.measurements._reset_peak", lambda: False)
    memory = PeakMemory()
    blocks = [np.ones(10_000_000) for _ in range(8)]
    assert memory.added() > 0
    del blocks


def test_only_what_is_needed_is_read(version_of, store, monkeypatch):
    version = version_of("Ridge")
    seen = []
    predict = Predictor.predict
    monkeypatch.setattr(Predictor, "predict", lambda self, rows: seen.append(list(rows)) or predict(self, rows))
    measured(version.model, version.test, (Behaviour(column="number", add=1, prediction="same"),), store)
    assert {tuple(names) for names in seen} == {("x", "place", "number")}

"""A real process of its own: it repeats a version's predictions, measures models, and says in a sentence what fails."""

import io
import os
import signal
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.errors import ProblemError, SalamanderError
from tasks.fresh_process import FreshProcess, answered
from tasks.gate import Behaviour
from tasks.records import Cutoff
from tasks.registry import Registry

ROOT = Path(__file__).parent.parent


def altered(version, store):
    """Give the version with stored predictions that its model does not repeat."""
    table = store.table(version.scores.predictions).to_pandas()
    table.loc[3, "challenger"] += 0.5
    kept = store.keep_table(pa.Table.from_pandas(table, preserve_index=False), "predictions")
    return version.model_copy(update={"scores": version.scores.model_copy(update={"predictions": kept})})


def asked(store, number):
    return {"ask": "rehearse", "root": str(store.root), "problem": store.problem, "version": number}


def test_several_questions_are_answered_in_turn(version_of, store, fresh):
    version = Registry(store).register(version_of())
    measured = fresh.measure(version.model, version.test, (), store)
    fresh.rehearse(version, store)
    again = fresh.measure(version.model, version.test, (), store)
    assert measured.megabytes == again.megabytes > 0
    assert measured.row_milliseconds > 0


@pytest.mark.parametrize("member", ["HistGradientBoostingClassifier", "WideAndDeepClassifier"])
def test_an_ensemble_with_a_threshold_is_measured_and_rehearsed(version_of_ensemble, store, fresh, member):
    cutoff = Cutoff(positive="villa", threshold=0.3)
    version = version_of_ensemble("EnsembleClassifier", "RandomForestClassifier", member, cutoff=cutoff)
    version = Registry(store).register(version)
    behaviour = Behaviour(column="x", add=1, prediction="same")
    measured = fresh.measure(version.model, version.test, (behaviour,), store)
    assert measured.megabytes == sum(file.size for file in version.model.files.values()) / 1e6
    assert measured.row_milliseconds > 0
    fresh.rehearse(version, store)


def test_a_rehearsal_that_differs_is_refused(version_of, store, fresh):
    version = Registry(store).register(altered(version_of(), store))
    expected = "Version 1 predicts something else in a fresh process: 1 of 30 rows differ, by up to 0.5."
    with pytest.raises(SalamanderError, match=expected):
        fresh.rehearse(version, store)


def test_a_damaged_version_fails_its_rehearsal_and_the_process_goes_on(version_of, store, fresh):
    whole = Registry(store).register(version_of())
    other = Registry(store).register(version_of(n_estimators=5))
    store.path(other.model.files["model.skops"]).write_bytes(b"damaged")
    with pytest.raises(SalamanderError, match=r"Version 2 failed its rehearsal in a fresh process: .*was changed"):
        fresh.rehearse(other, store)
    fresh.rehearse(whole, store)


def test_a_mistake_keeps_its_kind(version_of, store, fresh):
    version = version_of()
    behaviour = Behaviour(column="nowhere", add=1, prediction="same")
    with pytest.raises(ProblemError, match="the test rows have no column 'nowhere'"):
        fresh.measure(version.model, version.test, (behaviour,), store)


def test_an_answer_is_the_comparison_or_a_sentence(version_of, store):
    Registry(store).register(version_of())
    assert answered(asked(store, 1)) == {"rows": 30, "different": 0, "largest": 0.0, "same": True}
    unknown = answered(asked(store, 7))
    assert unknown == {"error": "houses has no version 7; it has 1.", "kind": "ProblemError"}
    assert answered({"ask": "rehearse"}) == {"error": "KeyError: 'root'", "kind": "SalamanderError"}


def test_a_process_that_was_killed_says_so(version_of, store):
    version = Registry(store).register(version_of())
    with FreshProcess() as process:
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(SalamanderError, match="ended without an answer: SIGKILL, as when memory runs out"):
            process.rehearse(version, store)


def test_a_process_that_hangs_is_ended(version_of, store):
    version = Registry(store).register(version_of())
    with FreshProcess(timeout_seconds=0.2) as process:
        os.kill(process._process.pid, signal.SIGSTOP)
        with pytest.raises(SalamanderError, match=r"gave no answer within 0\.2 seconds and was ended"):
            process.rehearse(version, store)
        assert process._process.poll() == -signal.SIGKILL


def test_a_process_that_ends_by_itself_leaves_its_last_words(version_of, store, monkeypatch, tmp_path):
    (tmp_path / "pandas.py").write_text("print('on the way out')\nraise ImportError('pandas is torn')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    monkeypatch.setattr("tasks.fresh_process.same_imports", lambda: os.environ | {"PYTHONPATH": path})
    version = Registry(store).register(version_of())
    with FreshProcess() as process, pytest.raises(SalamanderError, match="an answer: ImportError: pandas is torn"):
        process.rehearse(version, store)


def test_the_process_imports_from_where_this_one_does_and_ends_when_nobody_asks(
    version_of, store, monkeypatch, tmp_path
):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise ImportError('another one')")
    monkeypatch.chdir(tmp_path)
    version = Registry(store).register(version_of())
    with FreshProcess() as process:
        process.rehearse(version, store)
        process._process.stdin.close()
        assert process._process.wait(timeout=60) == 0


def test_nothing_is_left_at_the_end():
    with FreshProcess() as process:
        running = process._process
        assert running.poll() is None
    assert running.returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="closed file"):
        running.stdout.read()
    assert isinstance(running.stdout, io.TextIOWrapper)

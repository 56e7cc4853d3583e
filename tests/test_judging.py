"""Judging in whole runs: what a verdict rests on, computing it again, and approval by a person."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prefect import resume_flow_run
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType

from flows.explanations import explained
from tasks.errors import StoreError
from tasks.judging.looks import Looks
from tasks.records import Decision, RunRecord, Version
from tasks.registry import Registry
from tasks.store import Store

Train = Callable[..., tuple[RunRecord, Version | None, str]]
Declare = Callable[..., None]
LOGISTIC = 'estimator = "LogisticRegression"'
MANUAL = '[gate]\napproval = "manual"\napproval_hours = {}\n\n[split]'


def registry(project: Path) -> Registry:
    return Registry(Store(project.absolute() / "data" / "store", "wine"))


def stronger(declare: Declare) -> None:
    declare(LOGISTIC, f"{LOGISTIC}\nparameters = {{ C = 0.9 }}")


def newest(project: Path) -> Decision:
    decision = registry(project).decision()
    assert decision is not None
    return decision


def test_a_verdict_rests_on_rules_measurements_baselines_and_a_look(
    train: Train, declare: Declare, project: Path
) -> None:
    _, first, _ = train()
    assert first is not None
    assert first.look is None
    assert set(first.scores.baselines) == {"dummy", "linear"}
    assert first.measurements is not None
    assert first.measurements.row_milliseconds > 0
    assert first.intervals is not None
    assert [each.level for each in first.intervals.levels] == [0.5, 0.8, 0.9, 0.95, 0.99]
    assert (first.intervals.rows, first.intervals.test_rows) == (first.model.trained_on.rows, first.scores.rows)
    assert all(each.measured.value > each.level - 0.05 for each in first.intervals.levels)
    stronger(declare)
    _, second, shown = train()
    assert second is not None
    assert second.look is not None
    assert (second.look.number, second.look.earlier, second.look.champion_version) == (1, 0.0, 1)
    assert [each.against for each in second.verdict.comparisons] == ["version 1", "the dummy model", "the linear model"]
    names = [rule.name for rule in second.verdict.rules]
    assert names == [
        "enough test rows",
        "champion can be judged",
        "test rows not worn out",
        "not worse than version 1",
    ]
    assert "A row takes" in shown
    train()
    assert len(Looks(registry(project).store).all()) == 1


def test_a_verdict_is_computed_again_to_the_last_digit_from_what_is_stored(
    train: Train, declare: Declare, project: Path
) -> None:
    train()
    stronger(declare)
    train()
    for number in (1, 2):
        version, verdict = explained(registry(project), number)
        assert verdict == version.verdict
    table = registry(project).store.path(registry(project).version(2).scores.predictions.file)
    content = bytearray(table.read_bytes())
    content[100] ^= 1
    table.write_bytes(content)
    with pytest.raises(StoreError, match="was changed after it was written"):
        explained(registry(project), 2)


def test_a_version_of_an_older_store_says_why_it_cannot_be_computed_again(train: Train, project: Path) -> None:
    train()
    place = registry(project)
    path = place.store.folder / "versions" / "000001.json"
    old = json.loads(path.read_text())
    del old["sha256"]
    for key in ("gate", "look", "measurements", "newer", "declaration", "snapshot_number"):
        del old[key]
    path.write_text(json.dumps(old | {"schema_version": 1}))
    for decision in (place.store.folder / "decisions").glob("*.json"):
        stored = json.loads(decision.read_text())
        stored.pop("sha256")
        decision.write_text(json.dumps(stored | {"schema_version": 1, "manifest": None}))
    with pytest.raises(StoreError, match="judged by an older Salamander"):
        explained(place, 1)


@contextmanager
def answering(given: dict[str, object]) -> Iterator[None]:
    """Answer the form of the run that is paused, as a person does in the UI."""
    paused = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    answered = threading.Event()

    def answer() -> None:
        with get_client(sync_client=True) as client:
            deadline = time.monotonic() + 600
            while not answered.is_set() and time.monotonic() < deadline:
                for run in client.read_flow_runs(flow_run_filter=paused):
                    with suppress(RuntimeError):  # it is paused before its form is kept
                        resume_flow_run(run.id, run_input=given)
                        answered.set()
                time.sleep(0.2)

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()
    assert answered.is_set(), "no run was paused"


@pytest.mark.parametrize(
    ("approve", "outcome", "cause"), [(True, "promoted", None), (False, "held", "rejected")], ids=["yes", "no"]
)
def test_a_person_decides_in_the_ui(
    train: Train, declare: Declare, project: Path, approve: bool, outcome: str, cause: str | None
) -> None:
    declare("[split]", MANUAL.format(1))
    with answering({"approve": approve, "because": "I looked."}):
        run, version, _ = train()
    assert (run.outcome, run.cause) == (outcome, cause)
    assert version is not None
    decision = newest(project)
    assert (decision.version, decision.by) == (version.number, "Prefect UI")
    assert "I looked." in decision.reason
    assert (decision.champion is not None) is approve


def test_where_nobody_answers_the_version_is_held_and_may_be_promoted_later(
    train: Train, declare: Declare, project: Path
) -> None:
    declare("[split]", MANUAL.format(0.0005))
    run, version, _ = train()
    assert (run.outcome, run.cause, run.exit_code) == ("held", "awaiting approval", 0)
    assert version is not None
    assert newest(project).kind == "held"
    moved = registry(project).promote(version, None, reason="Better late.", by="ada")
    assert isinstance(moved, Decision)
    assert (moved.champion, moved.by) == (1, "ada")


def test_an_answer_from_the_command_line_ends_the_waiting(train: Train, declare: Declare, project: Path) -> None:
    declare("[split]", MANUAL.format(1))
    place = registry(project)

    def reject() -> None:
        deadline = time.monotonic() + 600
        while not place.versions() and time.monotonic() < deadline:
            time.sleep(0.2)
        place.reject(place.version(1), "Not this one.", by="ada")

    thread = threading.Thread(target=reject)
    thread.start()
    run, _, _ = train()
    thread.join()
    assert (run.outcome, run.cause) == ("held", "rejected")
    assert "Not this one." in [decision.reason for decision in place.history()]
    assert place.champion() is None

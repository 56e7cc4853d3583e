"""What several flows do: steps whose results are kept, the data as it is now, and rows that are fit to be used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from prefect import Task
from prefect.context import TaskRunContext
from prefect.serializers import JSONSerializer

from tasks.columns import feature_set
from tasks.corrections import corrections
from tasks.errors import DataRefused
from tasks.fetch import fetch
from tasks.keys import step_key
from tasks.look_back import look_back
from tasks.problem import Problem, Quarantine
from tasks.quarantine import Newest
from tasks.records import Changes, Finding, Snapshot, Split, Validated
from tasks.sentences import listed
from tasks.snapshots import RefusedBatch, Snapshots, compare
from tasks.sources import in_place_of
from tasks.split import split
from tasks.store import Store
from tasks.suites import Suite
from tasks.validate import RefusedByExpectations, validate

P = ParamSpec("P")
R = TypeVar("R")


class Checked(NamedTuple):
    """Rows that can be trained on: with their evidence, divided, and what else there is to say of them."""

    validated: Validated
    sides: Split
    news: tuple[Finding, ...] = ()


class Ready(Protocol):
    """How a step is made ready to run on a store: `resumable` or `afresh`."""

    def __call__(self, store: Store, step: Task[P, R]) -> Task[P, R]:
        """Give the step, ready."""
        ...


RESULTS = JSONSerializer(object_encoder="tasks.records.encode", object_decoder="tasks.records.decode")


def resumable(store: Store, step: Task[P, R]) -> Task[P, R]:
    """Give a step whose result is kept in the store, as JSON, under a key of all that it depends on."""

    def key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        found = step_key(context.task.name, parameters)
        store.discard_untrusted_result(found, RESULTS.model_dump(mode="json"))
        return found

    return step.with_options(
        persist_result=True,
        result_storage=store.folder / "results",
        result_serializer=RESULTS,
        cache_key_fn=key,
    )


def afresh(store: Store, step: Task[P, R]) -> Task[P, R]:  # noqa: ARG001
    """Give a step that is done whatever was done before, in place of a `resumable` one."""
    return step


def fetched(problem: Problem, store: Store, project: str, accept_columns: bool = False) -> Snapshot:
    """Fetch the data as it is now; what cannot change is not fetched twice."""
    unit = (problem.identity, problem.target)
    if problem.source.pinned:
        return resumable(store, fetch)(problem.source, store, unit=unit)
    history = Snapshots(store)
    last = history.accepted()
    base = last.snapshot if last else None
    try:
        return fetch(problem.source, store, base, unit, accept_columns, project)
    except RefusedBatch as error:
        refused = error.snapshot
        before = base.data if base else None
        changes = compare(store, before, refused.data, problem.identity, problem.target, problem.task)
        history.keep(refused, "refused", changes, sentence=str(error))
        raise


def checked(problem: Problem, suite: Suite, snapshot: Snapshot, store: Store) -> Checked:
    """Check a snapshot that has just come, and write down in the history of the data how it was taken, and why."""
    feature_set(problem, snapshot.data.columns)
    history = Snapshots(store)
    last = history.accepted()
    before = last.snapshot.data if last else None
    changes = compare(store, before, snapshot.data, problem.identity, problem.target, problem.task)
    try:
        found = checked_again(problem, suite, snapshot, store)
    except RefusedByExpectations as error:
        history.keep(snapshot, "refused", changes, sentence=str(error), quarantine=error.quarantine)
        raise
    except DataRefused as error:
        history.keep(snapshot, "refused", changes, sentence=str(error))
        raise
    history.keep(snapshot, "accepted", changes, validated=found.validated, quarantine=found.validated.quarantine)
    return found._replace(news=tuple(news(problem, snapshot, changes)))


def checked_again(problem: Problem, suite: Suite, snapshot: Snapshot, store: Store) -> Checked:
    """Check a snapshot of the past by the expectations of today; the history of the data stays as it is.

    What cannot be divided (one class, a stratum of one row) is no data to train on, so it is divided here.
    """
    validated = resumable(store, validate)(snapshot, suite, *rules(problem), corrections(store), store)
    return Checked(validated, divided(problem, validated, store))


def news(problem: Problem, snapshot: Snapshot, changes: Changes) -> Iterator[Finding]:
    """Give what a person should know of a snapshot that differs from the one before, though it was accepted."""
    if changes.new_classes:
        yield Finding(
            expectation=f"{problem.target}: no class that is new",
            severity="warning",
            reason="A model knows the classes that it was trained on; a new one may be a slip of the pen.",
            column=problem.target,
            observed=f"new: {listed(changes.new_classes)}",
        )
    if snapshot.ignored:
        yield Finding(
            expectation="no columns that are new",
            severity="warning",
            reason="They are left out until they are accepted with --accept-columns.",
            observed=f"new: {listed(column.name for column in snapshot.ignored)}",
        )


def read(
    problem: Problem, suite: Suite, file: str, store: Store, accept_columns: bool = False
) -> tuple[Validated, Snapshot]:
    """Read a file as the problem's source would be read, and check it; nothing is written down."""
    last = Snapshots(store).accepted()
    unit = (problem.identity, problem.target)
    snapshot = fetch(in_place_of(problem.source, file), store, last.snapshot if last else None, unit, accept_columns)
    feature_set(problem, snapshot.data.columns)
    return validate(snapshot, suite, *rules(problem), (), store), snapshot


def divided(problem: Problem, validated: Validated, store: Store, ready: Ready = resumable) -> Split:
    """Divide accepted rows, each with what was known before it, into training and test rows."""
    if problem.history:
        validated = ready(store, look_back)(validated, problem.history, store)
    return ready(store, split)(
        validated,
        problem.split,
        problem.identity,
        problem.target,
        problem.cross_validation.folds,
        problem.task,
        store,
    )


def rules(problem: Problem) -> tuple[Quarantine, tuple[str, ...], str, Newest | None]:
    """Give what a problem asks of its rows beside its expectations.

    In a split by time no row may be dated later than the end of tomorrow, in whatever zone.
    """
    newest = None
    if problem.split.kind == "time":
        newest = Newest(column=problem.split.by[0], moment=f"{datetime.now(UTC).date() + timedelta(days=2)}")
    return problem.quarantine, problem.identity, problem.target, newest

"""How a run ends: one closed set of outcomes, the same words in the terminal, in JSON and as the Prefect state's name.

Training ends as *promoted*, *held* (with a cause), *nothing new*, *refused* (data) or *failed*; a held model is not a
failed run. Validation ends as *accepted* or *refused*, evaluation as *evaluated*, scoring as
*predicted*.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from tasks.errors import DataRefused, SalamanderError
from tasks.judging.rules import scored
from tasks.predict import REASON, Scored
from tasks.problem import Problem, load_problem
from tasks.records import Cause, Finding, Outcome, RunRecord, Scores, Snapshot, Validated, Version
from tasks.reference import Repetition, way_of_making
from tasks.registry import Registry
from tasks.store import Store
from tasks.suites import Suite, find_suite
from tasks.validate import RefusedByExpectations, docs_folder


class End(TypedDict, total=False):
    """The fields of a `RunRecord` that a run itself decides."""

    outcome: Outcome
    cause: Cause | None
    sentence: str
    version: int
    findings: tuple[Finding, ...]
    docs: str
    exit_code: int
    scores: Scores


WHY_HELD: dict[Cause, str] = {
    "not deployed": "passed the gate, but this run was asked not to deploy",
    "awaiting approval": "passed the gate, but nobody approved it in time",
    "rejected": "passed the gate, but a person rejected it",
    "blocked": "passed the gate, but its content was rolled back from before; salamander unblock lets it in again",
    "frozen": "passed the gate, but the problem is frozen; salamander unfreeze lets versions in again",
    "champion changed": "was judged against a champion that another run has replaced since; run again to judge it anew",
}


def finished(version: Version, cause: Cause | None, findings: tuple[Finding, ...], store: Store) -> End:
    """Give the end of a run that came to a verdict on data with these findings, and why its version was held, if so."""
    number, verdict = version.number, version.verdict
    docs = str(docs_folder(store, version.snapshot.data) / "index.html")
    end = End(outcome="held", version=number, findings=findings, docs=docs)
    if cause is None:
        return end | End(outcome="promoted", sentence=f"Version {number} is in production. {verdict.reason}")
    why = WHY_HELD.get(cause, "is not deployed")
    return end | End(cause=cause, sentence=f"Version {number} {why}. {verdict.reason}")


def nothing_new(known: Version, champion: Version | None) -> End:
    """Give the end of a run whose data, declaration, code and libraries were judged before."""
    deployed = known.verdict.promote or (champion and champion.number == known.number)
    decided = "was deployed" if deployed else f"was held ({known.verdict.cause})"
    text = f"Data, problem and code are those of version {known.number}, which {decided}."
    if champion and champion.number != known.number:
        text += f" Version {champion.number} is in production."
    return End(outcome="nothing new", sentence=text, version=known.number)


def accepted(
    validated: Validated, news: tuple[Finding, ...], snapshot: Snapshot, store: Store, *, of_file: bool = False
) -> End:
    """Give the end of a check that a snapshot passed, or a file, which becomes no snapshot."""
    unmet = sum(finding.severity != "critical" for finding in validated.warnings)  # critical: their rows are set aside
    text = (
        f"{validated.data.rows:,} rows meet {validated.expectations - unmet} of {validated.expectations} expectations"
    )
    if validated.quarantine:
        text += f"; {validated.quarantine.rows:,} more {'would be' if of_file else 'were'} set aside"
    if of_file:
        text += "; this was a check of a file, and nothing was kept"
    docs = str(docs_folder(store, snapshot.data) / "index.html")
    return End(outcome="accepted", sentence=f"{text}.", findings=(*validated.warnings, *news), docs=docs)


def evaluated(version: Version, snapshot: int, scores: Scores) -> End:
    """Give the end of a measurement of a version on the test rows of a snapshot."""
    text = f"Version {version.number} on snapshot {snapshot}: {scored(scores)}"
    return End(outcome="evaluated", sentence=text, version=version.number, scores=scores)


def reproduced(version: Version, snapshot: int, found: Repetition) -> End:
    """Give the end of making a version again from a snapshot."""
    how = f"Version {version.number}, made again from snapshot {snapshot} with seed {version.model.seed}"
    if not found.same:
        text = (
            f"{how}, predicts something else: {found.different:,} of {found.rows:,} test rows differ, by up to "
            f"{found.largest:.3g}. {way_of_making(version.model)}"
        )
        return End(outcome="failed", sentence=text, version=version.number, exit_code=1)
    alike = "the same" if not found.largest else f"the same within {found.largest:.1g}"
    text = f"{how}, predicts {alike} for all {found.rows:,} test rows."
    return End(outcome="reproduced", sentence=text, version=version.number)


def predicted(version: Version, scored: Scored, out: str) -> End:
    """Give the end of a batch of predictions."""
    rows = scored.predictions.rows
    text = f"{rows - scored.without:,} predictions of version {version.number} are in {out}."
    if scored.without:
        text += f" {scored.without:,} of the {rows:,} rows have none: the column {REASON!r} says why."
    return End(outcome="predicted", sentence=text, version=version.number, findings=scored.findings)


def stopped(error: Exception) -> End:
    """Give the end of a run that an error stopped."""
    if isinstance(error, RefusedByExpectations):
        return End(
            outcome="refused",
            sentence=str(error),
            findings=error.findings,
            docs=str(error.docs),
            exit_code=error.exit_code,
        )
    if isinstance(error, SalamanderError):
        outcome: Outcome = "refused" if isinstance(error, DataRefused) else "failed"
        return End(outcome=outcome, sentence=str(error), exit_code=error.exit_code)
    first = str(error).strip().splitlines()
    return End(outcome="failed", sentence=f"{type(error).__name__}: {first[0] if first else 'no message'}", exit_code=1)


def close(end: End, problem: str, store: Store, started: datetime) -> State[Any]:
    """Keep the record of a run, and give the Prefect state that says the same."""
    decision = Registry(store).decision()
    run = RunRecord.model_validate(
        {
            **end,
            "problem": problem,
            "champion": decision.champion if decision else None,
            "run": flow_run.get_id(),
            "started": started,
            "seconds": (datetime.now(UTC) - started).total_seconds(),
        }
    )
    try:
        folder = "runs" if flow_run.get_flow_name() in {"training", "adoption"} else "checks"
        store.create(f"{folder}/{started:%Y%m%dT%H%M%S}-{run.run}.json", run)
    except (SalamanderError, OSError) as error:
        get_run_logger().error("The record of this run could not be kept: %s", error)
    state = Failed if run.outcome in {"refused", "failed"} else Completed
    cause = f" ({run.cause})" if run.cause else ""
    return state(name=run.outcome.capitalize(), message=f"{run.outcome.capitalize()}{cause}. {run.sentence}")


def ended(work: Callable[[Problem, Suite, Store], End], problem: str, project: str, store: str | None) -> State[Any]:
    """Do the work of a flow on a declared problem, and give the state that its end says, whatever it met."""
    started = datetime.now(UTC)
    place = Store.at(store or str(Path(project) / "data" / "store"), problem)
    mistakes_as_sentences()
    try:
        end = work(load_problem(problem, Path(project)), find_suite(problem, Path(project)), place)
    except SalamanderError as error:
        end = stopped(error)
    except Exception as error:
        get_run_logger().exception("The run failed.")
        end = stopped(error)
    return close(end, problem, place, started)


class _Sentences(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, SalamanderError):
            record.msg, record.args, record.exc_info = str(error), (), None
        return True


_SENTENCES = _Sentences()


def mistakes_as_sentences() -> None:
    """Let Prefect log a user's mistake as the sentence it is, without a traceback; every other error keeps its own."""
    for name in ("prefect.task_runs", "prefect.flow_runs"):
        logging.getLogger(name).addFilter(_SENTENCES)

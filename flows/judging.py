"""Judging: from a fitted challenger to a decision, the same for a retrained model and for one from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.approval import answer
from flows.steps import resumable
from flows.ui import show_verdict
from tasks.decide import decide
from tasks.deploy import deploy
from tasks.estimators import BASELINES
from tasks.evaluate import evaluate
from tasks.fresh_process import FreshProcess
from tasks.intervals import of_version
from tasks.investigate import investigate
from tasks.judging.looks import Looks
from tasks.keys import code_digest, digest
from tasks.measure import measure
from tasks.problem import Problem
from tasks.records import Answer, Cause, Contestants, Features, Model, Scores, Snapshot, Split, Trial, Verdict, Version
from tasks.registry import Registry
from tasks.snapshots import Snapshots
from tasks.store import Store
from tasks.train import train


@dataclass(frozen=True)
class Challenge:
    """A challenger, the rows that it is judged on, and what it was made from; ``key`` is that of the whole run.

    ``adopted`` says who brought it from outside, if somebody did, and from where.
    """

    model: Model
    features: Features
    sides: Split
    snapshot: Snapshot
    key: str
    adopted: Answer | None = None


def judged(
    problem: Problem, challenge: Challenge, store: Store, fresh: FreshProcess, *, promote: bool
) -> tuple[Version, Cause | None]:
    """Judge a challenger and deploy it if it deserves it; give its version, and why it was held, if it was."""
    model, sides = challenge.model, challenge.sides
    contestants = _contestants(problem, challenge, store)
    scores = resumable(store, evaluate)(
        contestants, sides, problem.gate.slices, problem.judged_by, problem.gate.confidence, problem.seed, store
    )
    measurements = resumable(store, measure)(model, sides.test, problem.gate.behaviours, store, fresh)
    look = Looks(store).take(digest(model.files), scores)
    number = Snapshots(store).number(challenge.snapshot)
    newer = _newer(contestants.champion, challenge.snapshot, number)
    verdict = resumable(store, decide)(scores, measurements, look, problem.gate, newer, store)
    verdict = _investigated(verdict, problem, challenge, contestants.champion, scores, store)
    show_verdict(problem.name, scores, verdict)
    draft = Version(
        number=0,
        key=challenge.key,
        model=model,
        scores=scores,
        verdict=verdict,
        gate=problem.gate,
        look=look,
        measurements=measurements,
        intervals=of_version(model, challenge.features, scores, store),
        newer=newer,
        snapshot=challenge.snapshot,
        snapshot_number=number,
        test=sides.test,
        declaration=problem.model_dump(mode="json"),
        problem_digest=digest(problem),
        code_digest=code_digest(),
        created=datetime.now(UTC),
    )
    brought = challenge.adopted if contestants.champion is None else None
    asked = None if brought else _asked(draft, problem, store, promote)
    return deploy(draft, store, fresh, promote=promote, approval=asked, adopted=brought)


def _contestants(problem: Problem, challenge: Challenge, store: Store) -> Contestants:
    """Give who is judged: the challenger, champion and anchor, and a dummy and a linear model of the same rows."""
    registry = Registry(store)
    champion, anchor = registry.champion(), registry.anchor()
    rows, task = challenge.sides.train, problem.task
    boards = [(Trial(candidate=baseline, metric=problem.judged_by),) for baseline in BASELINES[task]]
    fit = resumable(store, train)
    return Contestants(
        challenger=challenge.model,
        champion=champion,
        anchor=anchor if anchor and champion and anchor.number != champion.number else None,
        baselines=tuple(fit(challenge.features, rows, board, task, problem.seed, store) for board in boards),
    )


def _newer(champion: Version | None, snapshot: Snapshot, number: int | None) -> bool:
    """Tell whether a snapshot is newer than the champion's."""
    if champion is None or champion.snapshot == snapshot:
        return champion is None
    return number is None or champion.snapshot_number is None or number > champion.snapshot_number


def _investigated(
    verdict: Verdict, problem: Problem, challenge: Challenge, champion: Version | None, scores: Scores, store: Store
) -> Verdict:
    """Give a verdict with where to look first, if it is to hold a challenger against a champion."""
    if verdict.promote or champion is None:
        return verdict
    declaration = problem.model_dump(mode="json")
    found = resumable(store, investigate)(scores, challenge.sides, champion, declaration, store)
    return verdict.model_copy(update={"investigation": found})


def _asked(draft: Version, problem: Problem, store: Store, promote: bool) -> Answer | None:
    """Ask a person, where the problem wants that and there is something to decide."""
    if not (promote and draft.verdict.promote and problem.gate.approval == "manual"):
        return None
    registry = Registry(store)
    since = registry.newest()
    return answer(registry.register(draft), registry, since, problem.gate.approval_hours)

"""Training: fetch, validate, split, featurize, cross_validate (a run a candidate), train, evaluate, decide, deploy.

The flow says in which order; what is done stands in `tasks/`. Where the problem declares ``[history]``, look_back runs
before split. Every step up to the verdict is resumable: Prefect finds its result in the store under a key of everything
that the result depends on, so a run that died is continued by the next from its last finished step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.endings import End, ended, finished, nothing_new
from flows.judging import Challenge, judged
from flows.steps import Checked, checked, checked_again, fetched, resumable
from flows.ui import show_leaderboard
from tasks.candidates import SearchRule
from tasks.columns import feature_set
from tasks.combine import combine
from tasks.cores import CORES, warm_up
from tasks.corrections import corrections
from tasks.cross_validate import cross_validate
from tasks.cutoffs import check_threshold
from tasks.featurize import featurize
from tasks.fresh_process import FreshProcess
from tasks.judging.slices import check_slices
from tasks.keys import code_digest, digest, library_versions
from tasks.leaderboards import ranked
from tasks.problem import Problem
from tasks.records import Artifact, Features, Snapshot, Trial
from tasks.registry import Registry
from tasks.searching.plan import planned
from tasks.searching.portfolio import portfolio
from tasks.snapshots import Snapshots
from tasks.store import Store
from tasks.suites import Suite
from tasks.train import train

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

Check = Callable[[Problem, Suite, Snapshot, Store], Checked]


@flow(
    name="training",
    flow_run_name="{problem}",
    task_runner=cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=2 * CORES)),
    persist_result=False,
)
def training(
    problem: str,
    promote: bool = True,
    project: str = ".",
    store: str | None = None,
    snapshot: int | None = None,
    accept_columns: bool = False,
) -> State[Any]:
    """Retrain a problem's model, judge it, and deploy it if it deserves it.

    Parameters
    ----------
    problem : str
        The problem's name: a folder below ``data/``.
    promote : bool
        Whether a model that passes the gate is put into production.
    project : str
        The folder in which ``data/`` and ``expectations/`` stand.
    store : str, optional
        The store's address; by default ``data/store`` of the project.
    snapshot : int, optional
        The number of an accepted snapshot to train on again, instead of fetching.
    accept_columns : bool
        Whether columns and types may differ from those of the last accepted snapshot.
    """

    def work(declared: Problem, suite: Suite, place: Store) -> End:
        place.sweep()
        if snapshot is None:
            return retrain(declared, suite, fetched(declared, place, project, accept_columns), checked, place, promote)
        chosen = Snapshots(place).entry(snapshot).snapshot
        return retrain(declared, suite, chosen, checked_again, place, promote)

    return ended(work, problem, project, store)


def retrain(problem: Problem, suite: Suite, snapshot: Snapshot, check: Check, store: Store, promote: bool) -> End:
    """Where anything is new, check the rows, make a challenger, judge it and deploy it."""
    registry = Registry(store)
    champion = registry.champion()
    columns = feature_set(problem, snapshot.data.columns)
    check_slices(problem, snapshot.data.columns)
    key = run_key(problem, suite, snapshot, corrections(store))
    if known := registry.settled(key):
        newest = Snapshots(store).accepted()
        if newest is None or newest.snapshot != snapshot:
            check(problem, suite, snapshot, store)  # data of the past that came again is what came last
        if champion:
            registry.check_files(champion)
        registry.project()
        return nothing_new(known, champion)
    warm_up("tasks.folds", "sklearn.compose", "sklearn.ensemble")
    validated, sides, news = check(problem, suite, snapshot, store)
    features = resumable(store, featurize)(sides, columns, store)
    check_threshold(problem.threshold, features, store)
    leaderboard = compared(problem, features, store)
    with FreshProcess() as fresh:
        fit = resumable(store, train)
        model = fit(features, sides.train, leaderboard, problem.task, problem.seed, store, problem.threshold)
        challenge = Challenge(model, features, sides, snapshot, key)
        version, cause = judged(problem, challenge, store, fresh, promote=promote)
    return finished(version, cause, (*validated.warnings, *news), store)


def compared(problem: Problem, features: Features, store: Store) -> tuple[Trial, ...]:
    """Give the trials of all candidates, best first: each is scored on folds of the training rows, at the same time."""
    tried = portfolio(problem, features, store)
    found = resumable(store, cross_validate).map(
        planned(tried.candidates, tried.rule),
        unmapped(features),
        unmapped(problem.judged_by),
        unmapped(problem.task),
        unmapped(problem.seed),
        unmapped(store),
    )
    trials = tuple(trial for each in found for trial in each.result().trials)
    combined = resumable(store, combine).map(
        tried.ensembles, unmapped(trials), unmapped(features), unmapped(problem.judged_by), unmapped(store)
    )
    choose = (tried.rule or SearchRule()).choose
    best, *others = ranked([*trials, *(each.result() for each in combined)], choose)
    leaderboard = (best, *(trial.model_copy(update={"out_of_fold": None}) for trial in others))
    show_leaderboard(problem.name, leaderboard)
    return leaderboard


def run_key(problem: Problem, suite: Suite, snapshot: Snapshot, corrected: tuple[Artifact, ...]) -> str:
    """Give the key of a whole run: the same data, declaration, expectations, code and libraries have the same key."""
    declared = problem.model_dump(mode="json", exclude={"schedule", "scoring", "serving", "description", "retention"})
    return digest([snapshot.data, corrected, declared, suite.digest, code_digest(), library_versions()])

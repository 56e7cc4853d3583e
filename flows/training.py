"""Training: fetch, validate, split, featurize, cross_validate (a run a candidate), train, evaluate, decide, deploy.

The flow says in which order; what is done stands in `tasks/`. Every step up to the verdict is resumable: Prefect finds
its result in the store under a key of everything that the result depends on, so a run that died is continued by the
next from its last finished step.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from prefect import Task, flow, get_run_logger, unmapped
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.serializers import JSONSerializer
from prefect.task_runners import ThreadPoolTaskRunner

from flows.endings import End, close, finished, mistakes_as_sentences, nothing_new, stopped
from flows.ui import show_leaderboard, show_verdict
from tasks.columns import feature_set
from tasks.cores import CORES, warm_up
from tasks.cross_validate import cross_validate, ranked
from tasks.decide import decide
from tasks.deploy import deploy
from tasks.errors import SalamanderError
from tasks.evaluate import evaluate
from tasks.featurize import featurize
from tasks.fetch import fetch
from tasks.keys import code_digest, digest, library_versions, step_key
from tasks.problem import Problem, load_problem
from tasks.records import FeatureSet, Model, Snapshot, Split, Validated, Version
from tasks.registry import Registry
from tasks.split import split
from tasks.store import Store
from tasks.train import train
from tasks.validate import Suite, find_suite, validate

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

P = ParamSpec("P")
R = TypeVar("R")

RESULTS = JSONSerializer(object_encoder="tasks.records.encode", object_decoder="tasks.records.decode")


@flow(
    name="training",
    flow_run_name="{problem}",
    task_runner=cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=2 * CORES)),
    persist_result=False,
)
def training(problem: str, promote: bool = True, project: str = ".", store: str | None = None) -> State[Any]:
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
    """
    started = datetime.now(UTC)
    place = Store.at(store or str(Path(project) / "data" / "store"), problem)
    mistakes_as_sentences()
    try:
        end = retrain(load_problem(problem, Path(project)), find_suite(problem, Path(project)), place, promote=promote)
    except SalamanderError as error:
        end = stopped(error)
    except Exception as error:
        get_run_logger().exception("The run failed.")
        end = stopped(error)
    return close(end, problem, place, started)


def retrain(problem: Problem, suite: Suite, store: Store, *, promote: bool) -> End:
    """Fetch the data; where anything is new, make a challenger, judge it and deploy it."""
    registry = Registry(store)
    champion = registry.champion()
    store.sweep()
    snapshot = (resumable(store, fetch) if problem.source.pinned else fetch)(problem.source, store)
    columns = feature_set(problem, snapshot.data.columns)
    key = run_key(problem, suite, snapshot)
    if known := registry.settled(key):
        if champion:
            registry.check_files(champion)
        registry.project()
        return nothing_new(known)
    warm_up("tasks.folds", "sklearn.compose", "sklearn.ensemble")
    validated = resumable(store, validate)(snapshot, suite, store)
    sides, model = challenger(problem, columns, validated, store)
    scores = resumable(store, evaluate)(
        model,
        champion,
        sides.test,
        problem.identity,
        problem.judged_by,
        problem.gate.confidence,
        problem.seed,
        store,
    )
    verdict = resumable(store, decide)(scores, problem.gate)
    show_verdict(problem.name, scores, verdict)
    draft = Version(
        number=0,
        key=key,
        model=model,
        scores=scores,
        verdict=verdict,
        snapshot=snapshot,
        test=sides.test,
        problem_digest=digest(problem),
        code_digest=code_digest(),
        created=datetime.now(UTC),
    )
    version, result = deploy(draft, store, promote=promote)
    return finished(version, result, validated, store)


def challenger(problem: Problem, columns: FeatureSet, validated: Validated, store: Store) -> tuple[Split, Model]:
    """Split the rows, compare the candidates on the training rows alone, and train the best of them."""
    sides = resumable(store, split)(validated, problem.split, problem.identity, problem.target, store)
    features = resumable(store, featurize)(sides, columns, problem.task, store)
    trials = resumable(store, cross_validate).map(
        problem.candidates,
        unmapped(features),
        unmapped(problem.cross_validation.folds),
        unmapped(problem.judged_by),
        unmapped(problem.task),
        unmapped(problem.seed),
        unmapped(store),
    )
    leaderboard = tuple(ranked([trial.result() for trial in trials]))
    show_leaderboard(problem.name, leaderboard)
    return sides, resumable(store, train)(features, sides.train, leaderboard, problem.task, problem.seed, store)


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


def run_key(problem: Problem, suite: Suite, snapshot: Snapshot) -> str:
    """Give the key of a whole run: the same data, declaration, expectations, code and libraries have the same key."""
    declared = problem.model_dump(mode="json", exclude={"schedule", "description"})
    return digest([snapshot.data, declared, suite.digest, code_digest(), library_versions()])

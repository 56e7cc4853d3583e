"""Cross-validate: how good is a candidate on rows that it was not fitted on? Only training rows are used."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task

from tasks.candidates import Candidate, TaskKind
from tasks.metrics import METRICS, mean_and_deviation
from tasks.problem import MetricName
from tasks.records import Features, Trial, Trials
from tasks.searching.attempts import Attempt, Bench
from tasks.searching.study import searched
from tasks.store import Store


@task(task_run_name="cross_validate {candidate.name}")
def cross_validate(
    candidate: Candidate,
    features: Features,
    metric: MetricName,
    task_kind: TaskKind,
    seed: int,
    store: Store,
) -> Trials:
    """Score one candidate by cross-validation, or each point of its search; what fails is a trial with a problem."""
    logger = get_run_logger()
    store.path(features.train.file)  # a store that is damaged is not the candidate's fault
    bench = Bench(features, metric, task_kind, seed, store)
    if candidate.search:
        logger.info("Searching for the best %s on %s folds.", candidate.estimator, features.folds)
        outcomes = searched(candidate, bench, logger.info)
    else:
        logger.info("Fitting %s on %s folds.", candidate.estimator, features.folds)
        attempt = Attempt(candidate, 1, bench)
        attempt.go_on()
        outcomes = [attempt.finish()]
    for message in dict.fromkeys(message for outcome in outcomes for message in outcome.warned):
        logger.warning("%s: %s", candidate.name, message)
    trials = [outcome.trial for outcome in outcomes]
    for problem in dict.fromkeys(trial.problem for trial in trials if trial.problem):
        logger.warning("%s failed: %s", candidate.name, problem)
    if len(trials) == 1 and trials[0].scored:
        scored = trials[0]
        logger.info("%s %s.", METRICS[metric].label, mean_and_deviation(scored.mean, scored.standard_deviation))
    return Trials(trials=tuple(trials if any(trial.scored for trial in trials) else _each_problem_once(trials)))


def _each_problem_once(trials: Sequence[Trial]) -> list[Trial]:
    return list({trial.problem: trial for trial in reversed(trials)}.values())[::-1]

"""Cross-validate: how good is a candidate on rows that it was not fitted on? Only training rows are used."""

from __future__ import annotations

from prefect import get_run_logger, task

from tasks.cores import one_core_each
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.folds import FoldResult, score_fold
from tasks.metrics import METRICS, mean_and_deviation
from tasks.problem import Candidate, MetricName, TaskKind
from tasks.records import Features, Trial
from tasks.store import Store


@task(task_run_name="cross_validate {candidate.name}")
def cross_validate(
    candidate: Candidate,
    features: Features,
    metric: MetricName,
    task_kind: TaskKind,
    seed: int,
    store: Store,
) -> Trial:
    """Score one candidate by cross-validation; a candidate that fails is a trial with a problem, not a failed run."""
    from joblib import delayed

    logger = get_run_logger()
    logger.info("Fitting %s on %s folds.", candidate.estimator, features.folds)
    store.path(features.train.file)  # a store that is damaged is not the candidate's fault
    estimator = build(candidate, task_kind, features.columns, seed)  # an unknown parameter stops the run here
    results: list[FoldResult] = one_core_each(
        delayed(score_fold)(number, estimator, features, metric, store) for number in range(features.folds)
    )
    for message in dict.fromkeys(message for result in results for message in result.warned):
        logger.warning("%s: %s", candidate.name, message)
    if problem := next((result.problem for result in results if result.problem), None):
        logger.warning("%s failed: %s", candidate.name, problem)
        return Trial(candidate=candidate, metric=metric, problem=problem)
    trial = Trial(candidate=candidate, metric=metric, fold_scores=tuple(result.score for result in results))
    logger.info("%s %s.", METRICS[metric].label, mean_and_deviation(trial.mean, trial.standard_deviation))
    return trial


def ranked(trials: list[Trial]) -> list[Trial]:
    """Give trials best first; those without a score come last.

    Raises
    ------
    ProblemError
        No candidate could be scored.
    """
    scored = [trial for trial in trials if trial.problem is None]
    if not scored:
        reasons = "; ".join(f"{trial.candidate.name}: {trial.problem}" for trial in trials)
        raise ProblemError(f"No candidate could be trained ({reasons}).")
    greater = METRICS[scored[0].metric].greater_is_better
    best_first = sorted(scored, key=lambda trial: -trial.mean if greater else trial.mean)
    return [*best_first, *(trial for trial in trials if trial.problem is not None)]

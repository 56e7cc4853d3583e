"""Combine: an ensemble of the best trials, weighed and scored by their out-of-fold predictions."""

from __future__ import annotations

from prefect import get_run_logger, task

from tasks.candidates import Ensemble
from tasks.ensembling import combined
from tasks.metrics import METRICS, mean_and_deviation
from tasks.problem import MetricName
from tasks.records import Features, Trial
from tasks.sentences import listed
from tasks.store import Store


@task(task_run_name="combine {ensemble.name}")
def combine(
    ensemble: Ensemble, trials: tuple[Trial, ...], features: Features, metric: MetricName, store: Store
) -> Trial:
    """Give the trial of an ensemble; one that cannot be made is a trial with a problem."""
    logger = get_run_logger()
    trial = combined(ensemble, trials, features, metric, store)
    if trial.problem:
        logger.warning("%s: %s.", ensemble.name, trial.problem)
        return trial
    members = (f"{member.weight:.2f} {member.candidate.name}" for member in trial.candidate.members)
    score = mean_and_deviation(trial.mean, trial.standard_deviation)
    logger.info("%s %s, of %s.", METRICS[metric].label, score, listed(members))
    return trial

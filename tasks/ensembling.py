"""From the trials of many candidates to the trial of an ensemble: which models take part, how much each counts.

Only models whose errors differ make each other better, so of each candidate the best two trials may take part, and none
whose errors follow those of a better one. The score is honest: what an ensemble says of a fold comes of weights that
were found on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import Candidate, Ensemble, Member
from tasks.ensemble_weights import WEIGH, Pool, Weights, cross_fitted, prediction, unlike
from tasks.leaderboards import best_first
from tasks.metrics import METRICS
from tasks.out_of_fold import HeldOut, held_out, keep, read
from tasks.problem import METRICS_OF, MetricName
from tasks.records import Cost, Features, Trial
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

OF_EACH = 2
MOST_MODELS = 20
MOST_ALIKE = 0.995
NO_GAIN = "no ensemble of these candidates is better than the best of them alone"


def combined(
    ensemble: Ensemble, trials: Sequence[Trial], features: Features, metric: MetricName, store: Store
) -> Trial:
    """Give the trial of an ensemble of some trials; one that cannot be made is a trial with a problem."""
    given, estimator = held_out(features, store), _estimator(metric)
    failed = Trial(candidate=Candidate(name=ensemble.name, estimator=estimator), metric=metric)
    chosen, pool = _pool(_usable(ensemble, trials), given, metric, store)
    if len(chosen) < 2:
        return failed.model_copy(update={"problem": _too_few(ensemble, chosen)})
    weigh, rows = WEIGH[ensemble.kind], given.fold >= 0
    weights = weigh(pool, ensemble.members)
    if np.count_nonzero(weights.weights) < 2:
        return failed.model_copy(update={"problem": NO_GAIN})
    outputs = cross_fitted(pool, given.part[rows], lambda rest: weigh(rest, ensemble.members))
    scores = _fold_scores(pool, outputs, given.fold[rows])
    if not np.isfinite(scores).all():
        return failed.model_copy(update={"problem": f"its {METRICS[metric].label} is no number"})
    return Trial(
        candidate=candidate_of(ensemble.name, estimator, chosen, weights),
        metric=metric,
        fold_scores=scores,
        cost=_cost(chosen, weights),
        out_of_fold=keep(_for_all_rows(outputs, rows), store),
    )


def candidate_of(name: str, estimator: str, trials: Sequence[Trial], found: Weights) -> Candidate:
    """Give an ensemble's candidate: the trials that have a weight."""
    weighed = zip(trials, found.weights.tolist(), strict=True)
    return Candidate(
        name=name,
        estimator=estimator,
        parameters={"intercept": found.intercept} if found.intercept else {},
        members=tuple(Member(candidate=trial.candidate, weight=weight) for trial, weight in weighed if weight > 0),
    )


def _estimator(metric: MetricName) -> str:
    return "EnsembleRegressor" if metric in METRICS_OF["regression"] else "EnsembleClassifier"


def _usable(ensemble: Ensemble, trials: Sequence[Trial]) -> list[Trial]:
    """Give the trials that may take part, best first: of each candidate the best two."""
    named = [trial for trial in trials if not ensemble.of or trial.candidate.name in ensemble.of]
    kept: list[Trial] = []
    for trial in best_first([trial for trial in named if trial.out_of_fold]):
        if sum(other.candidate.name == trial.candidate.name for other in kept) < OF_EACH:
            kept.append(trial)
    return kept[:MOST_MODELS]


def _pool(trials: Sequence[Trial], given: HeldOut, metric: MetricName, store: Store) -> tuple[tuple[Trial, ...], Pool]:
    """Give the models whose errors differ, on the rows that were held out."""
    rows = given.fold >= 0
    classes = np.unique(given.target) if metric in METRICS_OF["classification"] else np.array([])
    shape = (int(rows.sum()), max(1, len(classes)))
    found = [(trial, read(trial.out_of_fold, store)[rows]) for trial in trials if trial.out_of_fold]
    sound = [(trial, values) for trial, values in found if values.shape == shape and np.isfinite(values).all()]
    outputs = np.stack([values for _, values in sound]) if sound else np.empty((0, *shape))
    pool = Pool(outputs, given.target[rows], classes, METRICS[metric])
    kept = unlike(pool, MOST_ALIKE)
    return tuple(sound[place][0] for place in kept), pool.of_models(kept)


def _too_few(ensemble: Ensemble, found: Sequence[Trial]) -> str:
    whom = f" among {', '.join(ensemble.of)}" if ensemble.of else ""
    return f"an ensemble needs two scored models whose errors differ, and there are {len(found)}{whom}"


def _fold_scores(pool: Pool, outputs: NDArray[np.float64], fold: NDArray[Any]) -> tuple[float, ...]:
    return tuple(
        pool.metric.value(pool.target[fold == number], prediction(outputs[fold == number], pool.classes))
        for number in np.unique(fold)
    )


def _for_all_rows(outputs: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    found = np.full((len(rows), outputs.shape[1]), np.nan)
    found[rows] = outputs
    return found


def _cost(trials: Sequence[Trial], found: Weights) -> Cost | None:
    """Give what the models that have a weight cost together, where that is known of all."""
    costs = [trial.cost for trial, weight in zip(trials, found.weights, strict=True) if weight > 0]
    known = [cost for cost in costs if cost]
    if len(known) < len(costs):
        return None
    return Cost(
        fit_seconds=sum(cost.fit_seconds for cost in known),
        predict_milliseconds=sum(cost.predict_milliseconds for cost in known),
        megabytes=sum(cost.megabytes for cost in known),
    )

"""Leaderboards: which trial is the best, and which is taken.

The best of many is partly the luckiest. Where a simpler model is worse by less than the standard error of the best
one's score, nobody can tell whether it is worse at all (Breiman et al., Classification and Regression Trees, 1984,
section 3.4.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from tasks.errors import ProblemError
from tasks.metrics import METRICS
from tasks.records import Trial

SIMPLEST_FIRST = (
    ("Dummy", "ColumnForecast"),
    ("LinearRegression", "Ridge", "Lasso", "ElasticNet", "Huber", "SGD", "Logistic", "LinearDiscriminant", "LinearSV"),
    ("GaussianNB", "DecisionTree"),
    ("KNeighbors", "SVC", "SVR"),
    ("RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting"),
    ("MLP", "WideAndDeep", "ConvolutionalNetwork", "TextNetwork"),
    ("Ensemble",),
)
"""How the names of estimators begin, by how much there is to explain, to load and to keep an eye on."""


def ranked(trials: Sequence[Trial], choose: Literal["best", "simplest"] = "best") -> tuple[Trial, ...]:
    """Give trials, the one that is taken first, then best first; those without a score come last.

    Raises
    ------
    ProblemError
        No candidate could be scored.
    """
    found = best_first(trials)
    if not found:
        reasons = "; ".join(f"{trial.candidate.name}: {trial.problem}" for trial in trials if trial.problem)
        raise ProblemError(f"No candidate could be trained ({reasons}).")
    if choose == "simplest":
        taken = min(_as_good(found), key=_complexity)
        found = [taken, *(trial for trial in found if trial is not taken)]
    return (*found, *(trial for trial in trials if not trial.scored))


def best_first(trials: Iterable[Trial]) -> list[Trial]:
    """Give the trials that have a score, best first; equal ones in the order in which they came."""
    scored = [trial for trial in trials if trial.scored]
    return sorted(scored, key=lambda trial: -trial.mean if METRICS[trial.metric].greater_is_better else trial.mean)


def standard_error(trial: Trial) -> float:
    """Give the standard error of the mean of a trial's folds; of a single fold nobody knows it, so 0."""
    folds = len(trial.fold_scores)
    return trial.standard_deviation / math.sqrt(folds - 1) if folds > 1 else 0.0


def _as_good(found: Sequence[Trial]) -> list[Trial]:
    best = found[0]
    return [trial for trial in found if abs(trial.mean - best.mean) <= standard_error(best)]


def _complexity(trial: Trial) -> tuple[int, float]:
    """Give how much there is to a model: its kind, of an ensemble the number of members too, then its size."""
    name, members = trial.candidate.estimator, len(trial.candidate.members)
    kind = next((place for place, kinds in enumerate(SIMPLEST_FIRST) if name.startswith(kinds)), len(SIMPLEST_FIRST))
    return kind + members, trial.cost.megabytes if trial.cost else math.inf

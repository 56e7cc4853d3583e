"""One trial: a candidate with fixed values, fitted on folds of the training rows, first on a third of them.

What came of it is kept at once, under a key of all that it depends on, so that after a run that was killed the next one
fits nothing twice. What failed is not kept: memory that was short may be there the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tasks.candidates import Candidate, TaskKind
from tasks.columns import FOLD
from tasks.cores import Call, Died
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.folds import FoldResult, score_fold, sentence_of
from tasks.keys import step_key
from tasks.out_of_fold import keep
from tasks.problem import MetricName
from tasks.records import Artifact, Cost, Features, Trial
from tasks.store import Store


@dataclass(frozen=True)
class Bench:
    """What all trials of a problem are fitted and scored on."""

    features: Features
    metric: MetricName
    task: TaskKind
    seed: int
    store: Store

    @property
    def first_folds(self) -> int:
        """How many folds are fitted before a trial may be given up: a third of them."""
        return -(-self.features.folds // 3)

    def name_of(self, candidate: Candidate, *, pruned: bool) -> str:
        """Give the name of the record of a trial; what a candidate is called does not matter."""
        inputs = {"candidate": candidate.model_copy(update={"name": "trial"}), "features": self.features}
        key = step_key("trial", inputs | {"metric": self.metric, "task": self.task, "seed": self.seed})
        return f"results/trials/{key}{'-pruned' if pruned else ''}.json"


class Outcome(NamedTuple):
    """What came of a trial, the seconds of its fits, and what libraries warned of; ``known`` was not fitted now."""

    trial: Trial
    seconds: float
    warned: tuple[str, ...] = ()
    known: bool = False


class Attempt:
    """A trial under way: begun, then given up or gone on with, then finished."""

    def __init__(self, candidate: Candidate, number: int, bench: Bench) -> None:
        self.trial = Trial(candidate=candidate, number=number, metric=bench.metric)
        self._bench = bench
        self._calls: list[Call[FoldResult]] = []
        self._done: list[FoldResult] = []
        self._pruned = False
        self._known = {pruned: self._recorded(pruned=pruned) for pruned in (False, True)}
        if not any(self._known.values()):
            self._fit(range(bench.first_folds))

    def first_score(self) -> float | None:
        """Wait for the first folds, and give the mean of their scores; None where one failed."""
        if known := self._known[False] or self._known[True]:
            scores: Sequence[float] = known.fold_scores[: self._bench.first_folds]
        else:
            scores = [result.score for result in self._results(self._bench.first_folds)]
            if self.trial.problem:
                return None
        return sum(scores) / len(scores)

    def go_on(self) -> None:
        """Fit the other folds too, where the first ones did not fail."""
        if not self._known[False] and self.trial.problem is None:
            self._fit(range(len(self._calls), self._bench.features.folds))

    def give_up(self) -> None:
        """Leave it at the first folds."""
        self._pruned = True

    def finish(self) -> Outcome:
        """Wait for all folds that were begun, keep what came of them, and give it."""
        if known := self._known[self._pruned] or (self._cut() if self._pruned else None):
            return Outcome(known, _seconds(known), known=True)
        results = self._results(len(self._calls))
        warned = tuple(dict.fromkeys(message for result in results for message in result.warned))
        trial = self._scored(results)
        seconds = sum(result.seconds for result in results)
        if trial.problem is None:
            self._bench.store.create(self._bench.name_of(trial.candidate, pruned=trial.pruned), trial)
        return Outcome(trial, seconds, warned)

    def cancel(self) -> None:
        """Take back what was not begun."""
        for call in self._calls:
            call.cancel()

    def _fit(self, folds: range) -> None:
        bench, candidate = self._bench, self.trial.candidate
        try:
            estimator = build(candidate, bench.task, bench.features.columns, bench.seed)
        except ProblemError as error:
            self.trial = self.trial.model_copy(update={"problem": str(error)})
            return
        self._calls += [Call(score_fold, fold, estimator, bench.features, bench.metric, bench.store) for fold in folds]

    def _results(self, count: int) -> list[FoldResult]:
        """Wait for so many folds; after one that failed the others are taken back."""
        while len(self._done) < count and self.trial.problem is None:
            self._done.append(_result_of(self._calls[len(self._done)]))
            if problem := self._done[-1].problem:
                self.trial = self.trial.model_copy(update={"problem": problem})
                self.cancel()
        return self._done[:count]

    def _scored(self, results: Sequence[FoldResult]) -> Trial:
        if self.trial.problem:
            return self.trial
        found = {"fold_scores": tuple(result.score for result in results), "cost": cost_of(results)}
        if self._pruned:
            return self.trial.model_copy(update=found | {"pruned": True})
        bench = self._bench
        return self.trial.model_copy(update=found | {"out_of_fold": out_of_fold(results, bench.features, bench.store)})

    def _recorded(self, *, pruned: bool) -> Trial | None:
        """Give the same trial as an earlier run finished it, with all its files, or None."""
        name, store = self._bench.name_of(self.trial.candidate, pruned=pruned), self._bench.store
        known = store.known(name, Trial)
        return known and known.model_copy(update={"candidate": self.trial.candidate, "number": self.trial.number})

    def _cut(self) -> Trial | None:
        """Give what the trial would be had it been given up, where all of it is known."""
        if (known := self._known[False]) is None:
            return None
        scores = known.fold_scores[: self._bench.first_folds]
        return known.model_copy(update={"fold_scores": scores, "pruned": True, "out_of_fold": None})


def cost_of(results: Sequence[FoldResult]) -> Cost:
    """Give what the folds of a trial took."""
    return Cost(
        fit_seconds=sum(result.seconds for result in results) / len(results),
        predict_milliseconds=results[0].predict_milliseconds,
        megabytes=results[0].megabytes,
    )


def out_of_fold(results: Sequence[FoldResult], features: Features, store: Store) -> Artifact:
    """Keep what each fold predicted for the rows that it held out, in the order of the training rows."""
    fold = store.table(features.train, [FOLD])[FOLD].to_numpy()
    found = [result.outputs for result in results if result.outputs is not None]
    values = np.full((len(fold), found[0].shape[1]), np.nan)
    for number, outputs in enumerate(found):
        values[fold == number] = outputs
    return keep(values, store)


def _result_of(call: Call[FoldResult]) -> FoldResult:
    try:
        return call.result()
    except Died as error:
        return FoldResult(problem=str(error))
    except Exception as error:  # memory may end while a process only reads what it is to do
        return FoldResult(problem=sentence_of(error))


def _seconds(known: Trial) -> float:
    return known.cost.fit_seconds * len(known.fold_scores) if known.cost else 0.0

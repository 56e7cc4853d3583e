"""A search: which points of a candidate are tried, in which order, which of them are given up early, and when it ends.

Optuna proposes (the tree-structured Parzen estimator of Bergstra et al., Algorithms for Hyper-Parameter Optimization,
NIPS 2011, or at random) and prunes (a trial that is worse on its first folds than the median of others is given up, as
Golovin et al., Google Vizier, KDD 2017, section 3.2.2 describe). The same search makes the same trials, on however many
cores and however often it is interrupted: what is known at each proposal and each decision depends on the order of the
trials, not on which of their fits happens to end first. Four trials are under way at a time, so no core waits for that.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import Candidate, Search
from tasks.cores import CORES
from tasks.metrics import METRICS
from tasks.searching.attempts import Attempt, Bench, Outcome
from tasks.searching.points import Point, candidate_at, dimensions, grid, size, start
from tasks.searching.progress import Progress

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial as Asked

UNDER_WAY, DECIDED_AFTER = 4, 2
RANDOM_TRIALS, UNPRUNED_TRIALS = 10, 5
FRUITLESS_TRIALS = 5
"""So many trials without a single score end a search: what is declared does not fit the data."""

REPEATED_POINTS = 50
"""So many proposals in a row that were tried before end a search: nothing is left to try."""

_IMPORTING = threading.Lock()


def searched(candidate: Candidate, bench: Bench, say: Callable[[str], None]) -> list[Outcome]:
    """Give what came of the trials of a candidate whose search is complete, in their order."""
    run = _Run(candidate, candidate.search or Search(), bench, say)
    try:
        run.go()
    finally:
        for attempt in run.attempts:
            attempt.cancel()
    return run.outcomes


class _Run:
    """A search under way."""

    def __init__(self, candidate: Candidate, search: Search, bench: Bench, say: Callable[[str], None]) -> None:
        self.candidate, self.search, self.bench = candidate, search, bench
        self.attempts: list[Attempt] = []
        self.outcomes: list[Outcome] = []
        self._asked: list[Asked | None] = []
        self._tried: set[str] = set()
        self._decided = 0
        self._study = _study(search, bench)
        self._beside, self.limit = self._enqueue()
        self._progress = Progress(bench.metric, self.limit, self.given_seconds, say)

    def go(self) -> None:
        """Make all trials; each step knows what the steps before it know, whatever else has ended by then."""
        more = self._ask()
        if self.search.minutes:  # what one trial takes decides how many there can be
            self._decide()
            self._finish()
        while more or len(self.outcomes) < len(self.attempts):
            more = more and self._ask()
            place = len(self.attempts) if more else len(self.attempts) + UNDER_WAY
            if self._decided < min(place - DECIDED_AFTER, len(self.attempts)):
                self._decide()
            if len(self.outcomes) < min(place - UNDER_WAY + 1, self._decided):
                self._finish()
        self._progress.last(self.outcomes)

    @property
    def given_seconds(self) -> float | None:
        """Seconds of fitting on all cores together that there are for the search."""
        return None if self.search.minutes is None else 60 * self.search.minutes * CORES

    def _enqueue(self) -> tuple[bool, int | None]:
        """Tell the study which points to try in any case; give whether one more is beside, and the number of trials."""
        count, trials = size(self.candidate), self.search.trials
        enumerated = count is not None and (self.search.strategy == "grid" or (trials is not None and count <= trials))
        first = None if self.search.strategy == "grid" else start(self.candidate, self.bench.task)
        if first:
            self._study.enqueue_trial(first)
        if not enumerated:
            return first == {}, trials
        points = grid(self.candidate)
        for place in np.random.default_rng(self.bench.seed).permutation(len(points)):
            if points[place] != first:
                self._study.enqueue_trial(points[place])
        every = len(points) + (first == {})
        return first == {}, every if trials is None else min(trials, every)

    def _ask(self) -> bool:
        """Begin another trial; give whether there was one to begin."""
        if self._over():
            return False
        if self._beside and not self.attempts:
            return self._begin(candidate_at(self.candidate, {}), None)
        for _ in range(REPEATED_POINTS):
            asked = self._study.ask()
            point: Point = {each.name: each.suggested(asked) for each in dimensions(self.candidate)}
            if self._begin(candidate_at(self.candidate, point), asked):
                return True
            self._study.tell(asked, state=_states().FAIL)
        return False

    def _begin(self, candidate: Candidate, asked: Asked | None) -> bool:
        """Begin a trial, unless it was tried before."""
        known = json.dumps(candidate.model_dump(mode="json"), sort_keys=True)
        if known in self._tried:
            return False
        self._tried.add(known)
        self._asked.append(asked)
        self.attempts.append(Attempt(candidate, len(self.attempts) + 1, self.bench))
        return True

    def _over(self) -> bool:
        begun, done = len(self.attempts), len(self.outcomes)
        if self.limit is not None and begun >= self.limit:
            return True
        if done >= FRUITLESS_TRIALS and all(outcome.trial.problem for outcome in self.outcomes):
            return True
        if self.given_seconds is None or not done:
            return False
        return sum(outcome.seconds for outcome in self.outcomes) * begun / done >= self.given_seconds

    def _decide(self) -> None:
        """Go on with the next trial, or give it up."""
        attempt, asked = self.attempts[self._decided], self._asked[self._decided]
        self._decided += 1
        score = attempt.first_score()
        if score is None:
            return
        if asked:
            asked.report(score, step=0)
            if self.bench.first_folds < self.bench.features.folds and asked.should_prune():
                attempt.give_up()
                return
        attempt.go_on()

    def _finish(self) -> None:
        """Wait for the next trial, and tell the study what came of it."""
        place = len(self.outcomes)
        outcome, asked = self.attempts[place].finish(), self._asked[place]
        self.outcomes.append(outcome)
        if asked:
            if outcome.trial.scored:
                self._study.tell(asked, outcome.trial.mean)
            else:
                self._study.tell(asked, state=_states().PRUNED if outcome.trial.pruned else _states().FAIL)
        self._progress.after_each(self.outcomes)


def _study(search: Search, bench: Bench) -> Study:
    with _IMPORTING:
        import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        direction="maximize" if METRICS[bench.metric].greater_is_better else "minimize",
        sampler=_sampler(search, bench.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS),
    )


def _sampler(search: Search, seed: int) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    if search.strategy == "bayesian":
        few = RANDOM_TRIALS if search.trials is None else min(RANDOM_TRIALS, max(UNDER_WAY, search.trials // 3))
        return TPESampler(seed=seed, n_startup_trials=few)
    return RandomSampler(seed=seed)


def _states() -> Any:
    from optuna.trial import TrialState

    return TrialState

"""What is said of a search while it goes on: how far it is, how good the best trial is, how long it will take yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tasks.cores import CORES
from tasks.metrics import METRICS, figure
from tasks.problem import MetricName
from tasks.searching.attempts import Outcome

SECONDS_BETWEEN = 10.0
SECONDS_AS_MINUTES = 90


class Progress:
    """The progress of a search.

    Parameters
    ----------
    limit : int, optional
        How many trials there are, where that is known.
    given_seconds : float, optional
        How many seconds of fitting there are, on all cores together.
    say : callable
        Takes each sentence.
    """

    def __init__(
        self, metric: MetricName, limit: int | None, given_seconds: float | None, say: Callable[[str], None]
    ) -> None:
        self._metric, self._limit, self._given_seconds, self._say = METRICS[metric], limit, given_seconds, say
        self._begun = self._said = time.monotonic()

    def after_each(self, outcomes: Sequence[Outcome]) -> None:
        """Say how far it is, if nothing was said for a while."""
        now = time.monotonic()
        if now - self._said < SECONDS_BETWEEN:
            return
        self._said = now
        self._say(self.sentence(outcomes, now - self._begun))

    def last(self, outcomes: Sequence[Outcome]) -> None:
        """Say what came of it."""
        trials = [outcome.trial for outcome in outcomes]
        counts = {
            "given up early": sum(trial.pruned for trial in trials),
            "failed": sum(trial.problem is not None for trial in trials),
            "known from before": sum(outcome.known for outcome in outcomes),
        }
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        self._say(f"{len(trials)} trials{f' ({said})' if said else ''}{self._best(outcomes)}")

    def sentence(self, outcomes: Sequence[Outcome], elapsed: float) -> str:
        """Give how far it is after so many seconds."""
        of = f" of {self._limit}" if self._limit else ""
        return f"trial {len(outcomes)}{of}{self._best(outcomes)}{self._left(outcomes, elapsed)}"

    def _best(self, outcomes: Sequence[Outcome]) -> str:
        means = [outcome.trial.mean for outcome in outcomes if outcome.trial.scored]
        best = max if self._metric.greater_is_better else min
        return f", best {self._metric.label} {figure(best(means))}" if means else ""

    def _left(self, outcomes: Sequence[Outcome], elapsed: float) -> str:
        """Give about how long it will take yet: by the trials or by the seconds that are left."""
        found: list[float] = []
        fitted = sum(not outcome.known for outcome in outcomes)
        if self._limit and fitted:
            found.append(elapsed / fitted * (self._limit - len(outcomes)))
        if self._given_seconds is not None:
            spent = sum(outcome.seconds for outcome in outcomes)
            found.append(max(0.0, self._given_seconds - spent) / CORES)
        if not found:
            return ""
        left = min(found)
        return f", about {left / 60:.0f} min left" if left >= SECONDS_AS_MINUTES else f", about {left:.0f} s left"

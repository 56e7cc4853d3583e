"""A hundred retrainings in a row, in a thousand histories at once, and whether the champion gets worse step by step.

Each model errs on each test row by its own share of chance and by what is hard about the row; a model that is worse by
a share errs more by that share everywhere. The champion's and the anchor's errors on a row stay what they are as long
as the row is in the test set, so a champion that was lucky on these rows stays lucky: test sets wear out as they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from simulated import promoted, summed

CONFIDENCE, RETRAININGS, DEVIATION = 0.95, 100, 0.008
ROWS, HARD, AT_ONCE = 400, 0.98, 125
"""Test rows; the correlation of two models' errors, for a paired standard error of 1 % of the RMSE; pairs at once."""

Random = np.random.Generator


def margin() -> float:
    """Give the margin that is declared: the smallest that the first look resolves."""
    from scipy.stats import norm

    from tasks.judging.looks import spent

    error = math.sqrt((1 - HARD**2) / ROWS)
    return math.expm1((norm.isf(spent(1 - CONFIDENCE, 0.0)) + norm.isf(0.2)) * error)


@dataclass(frozen=True)
class Scenario:
    """How good challengers are, by the champions' quality, and which share of the test rows is renewed each time."""

    name: str
    challengers: Callable[[Random, Any], Any]
    renewed: float


def at_random(random: Random, champions: Any) -> Any:
    """Give challengers that differ from their champions by N(0, 0.8 %)."""
    return champions + np.log1p(random.normal(0, DEVIATION, len(champions)))


def half_a_margin_worse(_: Random, champions: Any) -> Any:
    """Give challengers that are worse than their champions by half a margin of the first champion's metric."""
    return np.log(np.exp(champions) + margin() / 2)


SCENARIOS = (
    Scenario("at random", at_random, 0.1),
    Scenario("half a margin worse", half_a_margin_worse, 0.1),
    Scenario("at random, same rows", at_random, 0.0),
    Scenario("half a margin worse, same rows", half_a_margin_worse, 0.0),
)


class Histories:
    """So many histories that begin with one champion each, who is the anchor.

    Attributes
    ----------
    quality : array of shape (2, histories)
        The logarithms of the true RMSE of champion and anchor; the first champion's is 0.
    """

    def __init__(self, random: Random, number: int, renewed: float) -> None:
        self.random, self.number, self.renewed = random, number, renewed
        self.hard = self._chance()
        first = self._errors()
        self.errors, self.quality = np.stack([first, first]), np.zeros((2, number))
        self.best, self.lost = np.zeros(number), np.zeros(number)
        self.promotions, self.anchored = np.zeros(number, dtype="int64"), np.ones(number, dtype="bool")
        self.looks = np.zeros(ROWS)

    def _chance(self) -> Any:
        return self.random.standard_normal((ROWS, self.number))

    def _errors(self) -> Any:
        """Give the errors of models of quality 0 on today's rows: shape (rows, histories)."""
        return math.sqrt(HARD) * self.hard + math.sqrt(1 - HARD) * self._chance()

    def renew(self) -> None:
        """Replace a share of the test rows, the same ones in all histories, by rows that no look has used."""
        rows = self.random.random(ROWS) < self.renewed
        self.hard[rows] = self._chance()[rows]
        for errors in self.errors:
            errors[rows] = self._errors()[rows]
        self.looks[rows] = 0

    def retrain(self, quality: Any, judge: Judge) -> None:
        """Let a challenger of some quality be judged in each history, and promote some."""
        errors = self._errors()
        wins, better = judge(self, errors * np.exp(quality))
        self.looks += 1
        self.promotions += wins
        for place, moves in enumerate((wins, wins & better)):
            self.errors[place] = np.where(moves, errors, self.errors[place])
            self.quality[place] = np.where(moves, quality, self.quality[place])
        self.anchored = np.where(wins, better, self.anchored)
        self.best = np.minimum(self.best, self.quality[1])
        self.lost = np.maximum(self.lost, self.quality[0] - self.best)

    def squares(self, place: int, which: Any) -> Any:
        """Give the squared errors of champion (0) or anchor (1) on today's rows, in some of the histories."""
        return (self.errors[place][:, which] * np.exp(self.quality[place][which])) ** 2


Judge = Callable[[Histories, Any], tuple[Any, Any]]
"""Gives from the histories and the challengers' errors which are promoted, and which of them as better."""


def by_the_gate(seed: int) -> Judge:
    """Give the gate: not worse than the champion and than the anchor, by what the look schedule leaves."""
    from tasks.judging.looks import spent
    from tasks.judging.resampling import Resampling

    resampling = Resampling(np.arange(ROWS), seed)

    def judge(state: Histories, errors: Any) -> tuple[Any, Any]:
        alpha, none = spent(1 - CONFIDENCE, float(state.looks.mean())), np.zeros(state.number, dtype="bool")
        if not alpha:
            return none, none
        wins, better = _compared(resampling, errors**2, state.squares(0, slice(None)), alpha)
        asked = np.flatnonzero(wins & ~state.anchored)  # the anchor is another model than the champion
        if len(asked):
            wins[asked] = _compared(resampling, errors[:, asked] ** 2, state.squares(1, asked), alpha)[0]
        return wins, better & wins

    return judge


def _compared(resampling: Any, ours: Any, theirs: Any, alpha: float) -> tuple[Any, Any]:
    """Tell which challengers the gate promotes by their squared errors, and which are better; some at a time."""
    from tasks.judging.harm import Asked, estimates, harm

    metric, told = summed("rmse"), []
    for start in range(0, ours.shape[1], AT_ONCE):
        columns = [each[:, start : start + AT_ONCE, None] for each in (ours, theirs)]
        asked = Asked(columns, harm(metric), np.zeros(columns[0].shape[1]))
        found = estimates(metric, [asked], resampling)[0]
        told.append((promoted(metric, found, alpha, margin()), found.bounds(alpha)[1] < 0))
    wins, better = (np.concatenate(each) for each in zip(*told, strict=True))
    return wins, better


def by_the_lower_number(state: Histories, errors: Any) -> tuple[Any, Any]:
    """Promote whatever has the lower RMSE; every champion is the anchor then."""
    wins = (errors**2).mean(axis=0) < state.squares(0, slice(None)).mean(axis=0)
    return wins, wins


JUDGES: dict[str, Callable[[int], Judge]] = {"gate": by_the_gate, "lower_wins": lambda _: by_the_lower_number}


def retrained(
    scenario: Scenario, rule: str, number: int, seed: int, retrainings: int = RETRAININGS
) -> dict[str, float]:
    """Give in which share of histories the champion was never more than a margin below the best anchor so far."""
    random, judge = np.random.default_rng([seed, number]), JUDGES[rule](seed)
    state = Histories(random, number, scenario.renewed)
    for _ in range(retrainings):
        state.renew()
        state.retrain(scenario.challengers(random, state.quality[0]), judge)
    return {
        "kept": float((state.lost <= math.log1p(margin()) + 1e-9).mean()),
        "promotions": float(state.promotions.mean()),
        "quality": float(np.expm1(state.quality[0]).mean()),
        "worst_5_percent": float(np.expm1(np.quantile(state.lost, 0.95))),
    }

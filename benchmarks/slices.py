"""Slices and clusters of which the truth is known, judged by the gate's own functions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from simulated import ALPHA, moved, summed

NUMBER, ROWS, HARD, AT_ONCE = 20, 300, 0.95, 125
"""Slices, rows of each, the correlation of two models' errors; trials at once."""
SLICE_MARGIN, HARM, GAIN = 0.05, 0.2, -0.02
GROUPS, OF_ROWS, ALIKE = 100, 10, 0.75
"""Groups, rows of each, and the share of what two models differ by that all rows of a group have in common."""


def slices(trials: int, seed: int) -> dict[str, float]:
    """Give how often a harmed slice is caught, and how often one is blocked: none worse, or all at the margin.

    Where one is harmed all others are better by 2 %, so the whole is better too. Errors are normal, the metric is RMSE.
    """
    random, metric = np.random.default_rng(seed), summed("rmse")
    blocked: dict[str, list[bool]] = {"caught": [], "blocked_falsely": [], "blocked_at_the_margin": []}
    for start in range(0, trials, AT_ONCE):
        some = min(AT_ONCE, trials - start)
        found = [_estimated(random, metric, some, seed) for _ in range(NUMBER)]
        for trial in range(some):
            alone = [_one(*each, trial) for each in found]
            blocked["caught"].append(_harmed(metric, alone, [HARM] + [GAIN] * (NUMBER - 1))[0])
            blocked["blocked_falsely"].append(any(_harmed(metric, alone, [0.0] * NUMBER)))
            blocked["blocked_at_the_margin"].append(any(_harmed(metric, alone, [SLICE_MARGIN] * NUMBER)))
    return {name: float(np.mean(each)) for name, each in blocked.items()}


def _estimated(random: np.random.Generator, metric: Any, trials: int, seed: int) -> tuple[Any, Any]:
    """Give what is asked of a slice of equal challengers, and its estimate.

    Its rows are drawn alone: the test goes by the standard error, which is that of the slice's own rows.
    """
    from tasks.judging.harm import Asked, estimates, harm
    from tasks.judging.resampling import Resampling

    champion = random.standard_normal((ROWS, trials))
    challenger = HARD * champion + math.sqrt(1 - HARD**2) * random.standard_normal((ROWS, trials))
    squares = [each[:, :, None] ** 2 for each in (challenger, champion)]
    asked = Asked(squares, harm(metric), np.zeros(trials))
    return asked, estimates(metric, [asked], Resampling(np.arange(ROWS), seed))[0]


def _one(asked: Any, found: Any, trial: int) -> tuple[Any, Any]:
    columns = [each[:, trial : trial + 1] for each in asked.columns]
    return replace(asked, columns=columns), found.only(trial)


def _harmed(metric: Any, alone: list[tuple[Any, Any]], harms: list[float]) -> list[bool]:
    """Tell which slices are blocked where each is harmed by so much."""
    from tasks.judging.slice_tests import SLICE_ALPHA, holm, slice_test

    tests = [
        slice_test(metric, asked, moved(found, harm), SLICE_MARGIN)
        for (asked, found), harm in zip(alone, harms, strict=True)
    ]
    return [p_value < SLICE_ALPHA for p_value in holm([test.p_value for test in tests])]


def clusters(pairs: int, seed: int) -> dict[str, float]:
    """Give how often an equal challenger is called better, with groups or rows drawn, and by a t-test."""
    from tasks.judging.harm import Asked, estimates, harm
    from tasks.judging.resampling import Resampling

    random, group, metric = np.random.default_rng(seed), np.repeat(np.arange(GROUPS), OF_ROWS), summed("mae")
    ways = {"clusters": Resampling(group, seed), "single_rows": Resampling(np.arange(len(group)), seed)}
    wins = dict.fromkeys((*ways, "paired_t_test"), 0)
    for start in range(0, pairs, AT_ONCE):
        some = min(AT_ONCE, pairs - start)
        ours, theirs = (1 + 0.3 * _grouped(random, group, some) for _ in range(2))
        asked = Asked([ours[:, :, None], theirs[:, :, None]], harm(metric), np.zeros(some))
        for name, resampling in ways.items():
            wins[name] += int((estimates(metric, [asked], resampling)[0].bounds(ALPHA)[1] < 0).sum())
        error = (ours - theirs).std(axis=0, ddof=1) / math.sqrt(len(group))
        wins["paired_t_test"] += int(((ours - theirs).mean(axis=0) / error < -1.6448536).sum())
    return {name: count / pairs for name, count in wins.items()}


def _grouped(random: np.random.Generator, group: Any, pairs: int) -> Any:
    """Give chance of variance 1 that rows of a group share in part: shape (rows, pairs)."""
    shared = random.standard_normal((GROUPS, pairs))[group]
    return math.sqrt(ALIKE) * shared + math.sqrt(1 - ALIKE) * random.standard_normal(shared.shape)

"""Pairs of models whose true difference is known, judged by the gate's own functions, thousands at once.

Losses are drawn for as many test rows as a gate may have. A challenger that is worse by a share is the same challenger
with every loss larger by that share, which on the scale of logarithms moves its harm and changes nothing else: so one
estimate serves all true differences of a cell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ALPHA = 0.05
RESOLVING = 1.6448536 + 0.8416212  # z(0.95) + z(0.8)
ROWS = (200, 2_000, 20_000)
TRUE = {"equal": 0.0, "at": 1.0, "at_1.5": 1.5, "at_2": 2.0, "better_1": -1.0, "better_2": -2.0}
"""True differences in margins: positive is worse."""


@dataclass(frozen=True)
class Shape:
    """Losses of a kind: ``draw`` gives those of champion and challenger, each of mean 1, from two correlated errors."""

    name: str
    metric: str
    draw: Callable[[np.random.Generator, Any, Any], tuple[Any, Any]]


def _lognormal(errors: Any, deviation: float) -> Any:
    return np.exp(deviation * errors - deviation**2 / 2)


def _students(random: np.random.Generator, champion: Any, challenger: Any) -> tuple[Any, Any]:
    """Give absolute errors of Student's t with 5 and 3 degrees of freedom, whose large ones come together."""
    shared = random.standard_normal((3, *champion.shape)) ** 2
    three = shared.sum(axis=0)
    five = three + (random.standard_normal((2, *champion.shape)) ** 2).sum(axis=0)
    means = [
        2 * math.sqrt(v) * math.gamma((v + 1) / 2) / ((v - 1) * math.sqrt(math.pi) * math.gamma(v / 2)) for v in (5, 3)
    ]
    return np.abs(champion) * np.sqrt(5 / five) / means[0], np.abs(challenger) * np.sqrt(3 / three) / means[1]


def _squares(_: np.random.Generator, champion: Any, challenger: Any) -> tuple[Any, Any]:
    return champion**2, challenger**2


def _skewed(_: np.random.Generator, champion: Any, challenger: Any) -> tuple[Any, Any]:
    return _lognormal(champion, 0.5), _lognormal(challenger, 0.8)


def _skewed_champion(_: np.random.Generator, champion: Any, challenger: Any) -> tuple[Any, Any]:
    return _lognormal(champion, 0.8), _lognormal(challenger, 0.5)


SHAPES = (
    Shape("normal", "rmse", _squares),
    Shape("skewed", "mae", _skewed),
    Shape("skewed, other way", "mae", _skewed_champion),
    Shape("heavy-tailed", "mae", _students),
)


def losses(shape: Shape, random: np.random.Generator, correlation: float, size: tuple[int, int]) -> tuple[Any, Any]:
    """Give losses of champion and challenger of shape (rows, pairs), from errors of a correlation."""
    champion = random.standard_normal(size)
    challenger = correlation * champion + math.sqrt(1 - correlation**2) * random.standard_normal(size)
    return shape.draw(random, champion, challenger)


def summed(name: str) -> Any:
    """Give a metric that is read from the sum of its losses alone: all rows are drawn, so harm is the same."""
    from tasks.metrics import METRICS

    return replace(METRICS[name], value_of=lambda sums: np.sqrt(sums[..., 0]) if name == "rmse" else sums[..., 0])


def true_margin(shape: Shape, correlation: float, rows: int) -> float:
    """Give the smallest margin that so many rows resolve, by the standard error in a population of millions."""
    random, deviations = np.random.default_rng(7), list[float]()
    for _ in range(8):
        champion, challenger = losses(shape, random, correlation, (1000, 1000))
        deviations.append(float(((challenger - champion) * (0.5 if shape.metric == "rmse" else 1.0)).var()))
    return max(0.01, math.expm1(RESOLVING * math.sqrt(np.mean(deviations) / rows)))


def estimated_pairs(shape: Shape, correlation: float, rows: int, pairs: int, seed: int) -> Generator[tuple[Any, ...]]:
    """Give the estimates of the harm of equal challengers with the losses that they are from, some pairs at a time."""
    from tasks.judging.harm import Asked, estimates, harm
    from tasks.judging.resampling import Resampling

    kind = [seed, rows, SHAPES.index(shape), round(100 * correlation)]
    random, metric = np.random.default_rng(kind), summed(shape.metric)
    resampling, at_once = Resampling(np.arange(rows), seed), max(1, 5_000_000 // rows)
    while pairs > 0:
        some = min(pairs, at_once, 500)
        champion, challenger = losses(shape, random, correlation, (rows, some))
        asked = Asked([challenger[:, :, None], champion[:, :, None]], harm(metric), np.zeros(some))
        yield metric, estimates(metric, [asked], resampling)[0], champion, challenger
        pairs -= some


def moved(found: Any, harm: float) -> Any:
    """Give the estimate of challengers that are worse by a share, from that of equal ones."""
    by = math.log1p(harm)
    return replace(found, value=found.value + by, resampled=found.resampled + by)


def judged(metric: Any, found: Any, alpha: float, margin: float | None) -> tuple[Any, Any]:
    """Tell which challengers the gate promotes as not worse, and of which it says that the margin is resolved."""
    from tasks.judging.harm import LARGEST_MARGIN, lopsided, standings

    told = standings(metric, found, alpha, margin)
    resolved = told.resolvable <= (LARGEST_MARGIN if margin is None else margin)
    return np.isin(told.standing, ["better", "equivalent"]), resolved & ~(lopsided(metric, found) & (margin is None))


def promoted(metric: Any, found: Any, alpha: float, margin: float | None) -> Any:
    """Tell which challengers the gate promotes with ``promote_when = "not_worse"``."""
    return judged(metric, found, alpha, margin)[0]


def rivals(shape: Shape, champion: Any, challenger: Any, harm: float) -> dict[str, Any]:
    """Tell which challengers other rules promote: what users do by hand, and what other products' examples do."""
    power = 2 if shape.metric == "rmse" else 1
    worse = challenger * (1 + harm) ** power
    ours, theirs, rows = worse.mean(axis=0), champion.mean(axis=0), len(champion)
    error = (worse - champion).std(axis=0, ddof=1) / math.sqrt(rows)
    return {
        "lower_wins": ours <= theirs,
        "paired_t_test": (ours - theirs) / error < 1.6448536,
        "stored_metric": ours <= np.roll(theirs, 1),  # the champion's on other test rows of the same kind
    }


def cell(shape: Shape, correlation: float, rows: int, pairs: int, seed: int) -> dict[str, Any]:
    """Give how often each rule promotes, by the true difference, of so many pairs."""
    margin, counts = true_margin(shape, correlation, rows), Counter[tuple[str, str]]()
    for metric, found, champion, challenger in estimated_pairs(shape, correlation, rows, pairs, seed):
        for name, margins in TRUE.items():
            at = moved(found, margins * margin)
            default, declared = (judged(metric, at, ALPHA, each) for each in (None, margin))
            rules = {"default": default[0], "declared": declared[0]}
            if name == "equal":
                rules |= {"default resolved": default[1], "declared resolved": declared[1]}
                rules |= {"both": declared[0] & declared[1]}
            if name in {"equal", "at", "better_2"}:
                rules |= rivals(shape, champion, challenger, margins * margin)
            counts.update({(rule, name): int(each.sum()) for rule, each in rules.items()})
    told = {"losses": shape.name, "metric": shape.metric, "correlation": correlation, "rows": rows}
    rates = {rule: {name: count / pairs for (of, name), count in counts.items() if of == rule} for rule, _ in counts}
    resolved = {f"{mode}_resolved": rates.pop(f"{mode} resolved")["equal"] for mode in ("default", "declared")}
    rates["declared"]["equal_where_resolved"] = rates.pop("both")["equal"] / max(
        resolved["declared_resolved"], 1 / pairs
    )
    return told | {"margin": round(margin, 5)} | resolved | rates

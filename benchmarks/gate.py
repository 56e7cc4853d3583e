"""The gate against simulated truth: how often it promotes what is worse, holds what is not, and sees a harmed slice.

Claimed, at a nominal error of 5 %: a challenger that is worse by the margin or more is promoted in at most 6.5 % in
every cell (four standard errors of the simulation); an equal one in at least 78 % where the margin is resolved, one
that is better by two margins in at least 99 %. In at least 95 % of histories of a hundred retrainings the champion is
never more than one margin below the best anchor so far. A slice that is 20 % worse while the whole improves is caught
in at least 90 %, and none is blocked in more than 5 % where none is worse.

Pairs of models are drawn with a known true difference and judged by the functions of the gate itself. A cell is a kind
of losses (normal errors by their RMSE; skewed and heavy-tailed absolute errors by their MAE, where the challenger's
tail is the heavier one, and once the champion's), a correlation of the two models' errors and a number of test rows.
Its true margin is the smallest that so many rows resolve, by the standard error in the population. The gate is asked
twice: with no margin declared, so that it takes what it estimates to be the smallest, and with the true one declared.
A margin that is not declared counts as resolved in a cell where the gate says so of at least 95 % of challengers; a
declared one, of those challengers of which the gate says so. Beside it stand "lower number wins", a paired t-test (held
where it finds the challenger worse at 5 %), and the champion's stored metric of other test rows.

Ten thousand resamples of twenty thousand rows, on which each judgement rests, take at most 2 s on two free cores.

Source: generated with a fixed seed; no network is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np
from measuring import arguments_parser, mark, progress, show
from retrainings import JUDGES, SCENARIOS, retrained
from simulated import ROWS, SHAPES, TRUE, cell
from slices import clusters, slices

MOST_WORSE, FEWEST_EQUAL, FEWEST_BETTER, FEWEST_KEPT = 0.065, 0.78, 0.99, 0.95
FEWEST_CAUGHT, MOST_BLOCKED, RESOLVED = 0.9, 0.05, 0.95
MOST_SECONDS = 2.0
CORRELATIONS = (0.5, 0.95)
WORSE = [name for name, margins in TRUE.items() if margins >= 1]


def extremes(measured: dict[str, Any]) -> dict[str, float | None]:
    """Give the highest and lowest rates, which the targets are for."""
    default, declared = ([each[mode] for each in measured["cells"]] for mode in ("default", "declared"))
    resolved = [each["default"]["equal"] for each in measured["cells"] if each["default_resolved"] >= RESOLVED]
    return {
        "worse_promoted_max": max(each[name] for each in (*default, *declared) for name in WORSE),
        "equal_promoted_min": min(resolved, default=None),
        "equal_promoted_declared_min": min(each["equal_where_resolved"] for each in declared),
        "better_promoted_min": min(each["better_2"] for each in (*default, *declared)),
        "histories_kept_min": min(each["gate"]["kept"] for each in measured["histories"]),
        "slice_caught": measured["slices"]["caught"],
        "slice_blocked_falsely": measured["slices"]["blocked_falsely"],
        "cluster_promoted_falsely": measured["clusters"]["clusters"],
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _named(each: dict[str, Any]) -> tuple[str, str, str]:
    return each["losses"], f"{each['correlation']}", f"{each['rows']:,}"


def print_cells(measured: dict[str, Any]) -> None:
    """Print how often each rule promotes, cell by cell."""
    for mode, title in (("default", "no margin declared"), ("declared", "the true margin declared")):
        rows = [
            (
                *_named(each),
                _percent(each["margin"]),
                *(_percent(each[mode][name]) for name in TRUE),
                _percent(each[f"{mode}_resolved"]),
            )
            for each in measured["cells"]
        ]
        columns = ("losses", "corr.", "rows", "margin", "equal", *HEADS, "resolved")
        show(f"promoted by the gate, {title}; worse (+) and better (-) by margins", columns, rows)
    for rule in ("lower_wins", "paired_t_test", "stored_metric"):
        rows = [
            (*_named(each), *(_percent(each[rule][name]) for name in ("equal", "at", "better_2")))
            for each in measured["cells"]
        ]
        show(f"promoted by the rule: {rule.replace('_', ' ')}", ("losses", "corr.", "rows", "equal", "+1", "-2"), rows)


HEADS = ("+1", "+1.5", "+2", "-1", "-2")


def print_histories(found: Sequence[dict[str, Any]]) -> None:
    """Print what a hundred retrainings made of the champion."""
    rows = [
        (
            f"{each['challengers']}: {rule.replace('_', ' ')}",
            _percent(told["kept"]),
            f"{told['promotions']:.1f}",
            _percent(told["worst_5_percent"]),
            _percent(told["quality"]),
        )
        for each in found
        for rule, told in each.items()
        if isinstance(told, dict)
    ]
    columns = ("challengers", "kept within a margin", "promotions", "below the best anchor, 95 %", "RMSE at the end")
    show("a hundred retrainings", columns, rows)


def print_targets(found: dict[str, Any]) -> None:
    """Print the extremes beside their targets."""
    targets: list[tuple[str, str, Callable[[float], bool], str]] = [
        (
            "worse by a margin or more, promoted, highest",
            "worse_promoted_max",
            lambda x: x <= MOST_WORSE,
            "at most 6.5 %",
        ),
        ("equal, promoted where resolved, lowest", "equal_promoted_min", lambda x: x >= FEWEST_EQUAL, "at least 78 %"),
        (
            "the same with a declared margin",
            "equal_promoted_declared_min",
            lambda x: x >= FEWEST_EQUAL,
            "at least 78 %",
        ),
        (
            "better by two margins, promoted, lowest",
            "better_promoted_min",
            lambda x: x >= FEWEST_BETTER,
            "at least 99 %",
        ),
        ("histories within a margin, lowest", "histories_kept_min", lambda x: x >= FEWEST_KEPT, "at least 95 %"),
        ("harmed slice caught", "slice_caught", lambda x: x >= FEWEST_CAUGHT, "at least 90 %"),
        ("blocked, no slice harmed", "slice_blocked_falsely", lambda x: x <= MOST_BLOCKED, "at most 5 %"),
        (
            "rows in groups of ten, worse by a margin",
            "cluster_promoted_falsely",
            lambda x: x <= MOST_WORSE,
            "at most 6.5 %",
        ),
    ]
    rows = [(text, _percent(found[key]), target, mark(met(found[key]))) for text, key, met, target in targets]
    seconds = found["resampling_seconds"]
    rows.append(("10,000 resamples of 20,000 rows", f"{seconds:.2f} s", "at most 2 s", mark(seconds <= MOST_SECONDS)))
    show("the gate and its targets", ("", "measured", "target", ""), rows)


def print_tables(found: dict[str, Any]) -> None:
    """Print everything."""
    print_cells(found)
    print_histories(found["histories"])
    for name, title in (
        ("slices", "one of twenty slices 20 % worse"),
        ("clusters", "rows in groups of ten, equal, called better"),
    ):
        show(title, ("", "rate"), [(key.replace("_", " "), _percent(rate)) for key, rate in found[name].items()])
    print_targets(found)


def resampling_seconds() -> float:
    """Give the seconds that ten thousand resamples of twenty thousand rows in four columns take: the least of three."""
    from tasks.judging.resampling import Resampling

    columns = np.random.default_rng(0).normal(size=(20_000, 4))
    seconds: list[float] = []
    for seed in range(3):
        resampling = Resampling(np.arange(len(columns)), seed)
        begun = time.perf_counter()
        resampling.sums(columns)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def measure(pairs: int, number: int, trials: int, seed: int) -> dict[str, Any]:
    """Give all figures of the benchmark; its parts run side by side, the longest first, after what is timed."""
    resampling, begun = resampling_seconds(), time.perf_counter()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as processes:
        asked = [
            (
                processes.submit(cell, shape, correlation, rows, pairs, seed),
                f"{shape.name}, {correlation}, {rows:,} rows",
            )
            for rows in reversed(ROWS)
            for shape in SHAPES
            for correlation in CORRELATIONS
        ]
        judged = {
            (scenario.name, rule): processes.submit(retrained, scenario, rule, number, seed)
            for scenario in SCENARIOS
            for rule in JUDGES
        }
        parts = {"slices": processes.submit(slices, trials, seed), "clusters": processes.submit(clusters, pairs, seed)}
        for done in as_completed([each for each, _ in asked]):
            progress(f"{next(name for each, name in asked if each is done)}: {time.perf_counter() - begun:.0f} s")
        found: dict[str, Any] = {"cells": sorted((each.result() for each, _ in asked), key=lambda each: each["rows"])}
        found["histories"] = [
            {"challengers": scenario.name, **{rule: judged[scenario.name, rule].result() for rule in JUDGES}}
            for scenario in SCENARIOS
        ]
        found |= {name: each.result() for name, each in parts.items()}
    return found | extremes(found) | {"resampling_seconds": resampling, "seconds": round(time.perf_counter() - begun)}


def _arguments() -> argparse.Namespace:
    parser = arguments_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=2000, help="pairs of models a cell (default: 2,000)")
    parser.add_argument("--histories", type=int, default=1000, help="histories of 100 retrainings (default: 1,000)")
    parser.add_argument("--trials", type=int, default=1000, help="challengers judged by slices (default: 1,000)")
    parser.add_argument("--seed", type=int, default=42, help="of everything that is drawn (default: 42)")
    return parser.parse_args()


def main() -> None:
    """Measure, then print tables or JSON."""
    wanted = _arguments()
    found = measure(wanted.pairs, wanted.histories, wanted.trials, wanted.seed)
    print(json.dumps(found)) if wanted.json else print_tables(found)


if __name__ == "__main__":
    main()

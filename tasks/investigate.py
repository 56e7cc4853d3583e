"""Investigate: where a person would look first when a challenger was held against the champion.

"If it did decrease, investigate why" (Géron, 2nd ed., chapter 2): the test rows that lost most, the features whose
values moved between the two models' training rows, and what differs between the two declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import get_run_logger, task

from tasks.columns import FOLD, ROW
from tasks.judging.contest import Contest, read_contest
from tasks.metrics import figure
from tasks.records import Artifact, Investigation, Scores, Split, Version, WorstRow
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd

MOST, SAMPLE = 5, 50_000
LEAST_MOVE = 0.05
"""The distance between two distributions (0 the same, 1 apart) from which on it is worth a line."""


def worst_rows(contest: Contest, named: dict[int, str]) -> tuple[WorstRow, ...]:
    """Give the rows on which the challenger lost most against the champion, the worst first, and by how much."""
    lost = contest.losses("challenger") - contest.losses("champion")
    worst = [index for index in np.argsort(-lost, kind="stable")[:MOST].tolist() if lost[index] > 0]
    return tuple(
        WorstRow(
            row=named.get(int(contest.rows[index]), f"{int(contest.rows[index]):016x}"),
            target=_said(contest.target[index]),
            challenger=_said(contest.predictions["challenger"].values[index]),
            champion=_said(contest.predictions["champion"].values[index]),
            loss=float(lost[index]),
        )
        for index in worst
    )


def moved(before: pd.DataFrame, now: pd.DataFrame) -> tuple[str, ...]:
    """Give the columns whose values moved most, the furthest first, with the distance.

    Numbers: the Kolmogorov-Smirnov statistic; everything else: the total variation distance of the shares of values.
    """
    found: list[tuple[float, str]] = []
    for name in (name for name in now.columns if name in before.columns):
        distance, sentence = _distance(name, before[name].dropna(), now[name].dropna())
        if distance >= LEAST_MOVE:
            found.append((distance, sentence))
    return tuple(sentence for _, sentence in sorted(found, reverse=True)[:MOST])


def changed(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    """Give what differs between two declarations, a line for each key.

    >>> changed({"gate": {"margin": 0.01}}, {"gate": {"margin": 0.02}})
    ('gate.margin: 0.01 -> 0.02',)
    """
    old, new = dict(_flat(before)), dict(_flat(now))
    keys = dict.fromkeys([*old, *new])
    return tuple(
        f"{key}: {old.get(key, 'not declared')} -> {new.get(key, 'not declared')}"
        for key in keys
        if old.get(key) != new.get(key)
    )


@task(task_run_name="investigate")
def investigate(
    scores: Scores, sides: Split, champion: Version, declaration: dict[str, Any], store: Store
) -> Investigation:
    """Compare rows, features and declarations of a challenger that was held with those of the champion."""
    logger = get_run_logger()
    logger.info("Looking for what differs from version %s.", champion.number)
    contest = read_contest(scores, store)
    found = Investigation(
        worst_rows=worst_rows(contest, _names(sides, store)) if "champion" in contest.predictions else (),
        moved=moved(_sample(champion.model.trained_on, store), _sample(sides.train, store)),
        declared=changed(champion.declaration, declaration) if champion.declaration else (),
    )
    for line in (*found.moved, *found.declared):
        logger.info("%s", line)
    return found


def _names(sides: Split, store: Store) -> dict[int, str]:
    """Give test rows the values of up to four columns of their identity, by the hash of it."""
    columns = sides.unit[:4]
    table = store.table(sides.test, [ROW, *columns])
    values = zip(*(table[name].to_pylist() for name in columns), strict=True)
    said = (", ".join(f"{name}={_said(each)}" for name, each in zip(columns, row, strict=True)) for row in values)
    return dict(zip(table[ROW].to_pylist(), said, strict=True))


def _sample(rows: Artifact, store: Store) -> pd.DataFrame:
    """Give evenly spaced training rows, at most `SAMPLE` of them."""
    table = store.table(rows, [name for name in rows.names if name not in {ROW, FOLD}])
    step = -(-table.num_rows // SAMPLE) or 1
    return table.take(np.arange(0, table.num_rows, step)).to_pandas()


def _distance(name: str, before: pd.Series[Any], now: pd.Series[Any]) -> tuple[float, str]:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype
    from scipy.stats import ks_2samp

    if not len(before) or not len(now):
        return 0.0, ""
    if is_numeric_dtype(now) and is_numeric_dtype(before) and not is_bool_dtype(now):
        found: Any = ks_2samp(before.to_numpy("float64"), now.to_numpy("float64"))
        distance = float(found.statistic)
        return distance, f"{name}: mean {figure(before.mean())} -> {figure(now.mean())} (distance {distance:.2f})"
    shares = before.astype("str").value_counts(normalize=True), now.astype("str").value_counts(normalize=True)
    gap = shares[1].sub(shares[0], fill_value=0.0)
    distance = float(gap.abs().sum() / 2)
    most = gap.abs().idxmax()
    old, new = (share.get(most, 0.0) for share in shares)
    return distance, f"{name}: {most!r} {old:.0%} -> {new:.0%} of the rows (distance {distance:.2f})"


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Give the leaves of nested tables and lists by their dotted keys; members of a list go by their name, if any."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{key}[{inner.get('name', place)}]")
    else:
        yield key, value


def _said(value: object) -> str:
    return figure(float(value)) if isinstance(value, (float, np.floating)) else str(value)

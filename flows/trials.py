"""How trials are shown: every one of a version, or the best of each candidate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.records import Trial

if TYPE_CHECKING:
    from rich.table import Table

NOT_SHOWN = {"name", "estimator", "search", "members"}


def leaderboard_view(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Give every trial, best first, with its place."""
    return [
        {
            "place": place,
            "candidate": trial.candidate.model_dump(mode="json", exclude_defaults=True),
            "trial": trial.number,
            "metric": trial.metric,
            "fold_scores": list(trial.fold_scores),
            "mean": trial.mean if trial.fold_scores else None,
            "standard_deviation": trial.standard_deviation if trial.fold_scores else None,
            "pruned": trial.pruned,
            "problem": trial.problem,
            "cost": trial.cost.model_dump(exclude={"schema_version"}) if trial.cost else None,
        }
        for place, trial in enumerate(trials, start=1)
    ]


def best_of_each(trials: Sequence[Trial]) -> list[tuple[int, Trial, int]]:
    """Give of each candidate its best trial, that trial's place, and how many trials it had."""
    counts = Counter(trial.candidate.name for trial in trials)
    first: dict[str, tuple[int, Trial, int]] = {}
    for place, trial in enumerate(trials, start=1):
        first.setdefault(trial.candidate.name, (place, trial, counts[trial.candidate.name]))
    return list(first.values())


def score(trial: Trial) -> str:
    """Give a trial's score in words: the mean and the standard deviation of its folds, or why it has none."""
    from tasks.metrics import figure, mean_and_deviation

    if trial.problem:
        return trial.problem
    if trial.pruned:
        return f"{figure(trial.mean)}, given up after {len(trial.fold_scores)} of its folds"
    return mean_and_deviation(trial.mean, trial.standard_deviation)


def settings(trial: Trial) -> str:
    """Give what was fixed of a trial's candidate, in a line; of an ensemble its members with their weights."""
    candidate = trial.candidate
    if candidate.members:
        return ", ".join(f"{member.weight:.2f} {member.candidate.name}" for member in candidate.members)
    declared = candidate.model_dump(mode="json", exclude_defaults=True, exclude=NOT_SHOWN)
    flat = declared.pop("parameters", {}) | declared.pop("text", {}) | declared
    return ", ".join(f"{name}={_short(value)}" for name, value in flat.items())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trials_table(title: str, trials: Sequence[Trial]) -> Table:
    """Give every trial, best first."""
    from rich.table import Table

    from flows.terminal import add_plain
    from tasks.metrics import METRICS

    counted = f"{len(trials)} trials, by cross-validation on the training rows"
    table = Table(title=f"{title}: {counted}", title_justify="left")
    label = METRICS[trials[0].metric].label
    for name in ("", "candidate", "trial", f"{label} (mean ± s.d.)", "fit s", "ms / 1,000 rows", "MB", "settings"):
        table.add_column(name, justify="left" if name in {"candidate", "settings"} else "right")
    for place, trial in enumerate(trials, start=1):
        cost = trial.cost
        costs = (
            (f"{cost.fit_seconds:,.1f}", f"{cost.predict_milliseconds:,.1f}", f"{cost.megabytes:,.1f}")
            if cost
            else ("", "", "")
        )
        style = "bold green" if place == 1 else "red" if trial.problem else "dim" if trial.pruned else None
        name, number = trial.candidate.name, str(trial.number)
        add_plain(table, str(place), name, number, score(trial), *costs, settings(trial), style=style)
    return table


def declaration(trial: Trial) -> str:
    """Give a trial as a candidate of a problem file, in TOML."""
    from tasks.drafting.draft_texts import candidate_lines

    members = [member.candidate for member in trial.candidate.members] or [trial.candidate]
    blocks = ["\n".join(candidate_lines(each.model_dump(mode="json", exclude_defaults=True))) for each in members]
    return "\n\n".join(blocks)

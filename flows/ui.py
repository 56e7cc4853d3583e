"""What a run leaves in the Prefect UI for people: the leaderboard and the verdict, as artifacts of the run."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.trials import score, settings
from flows.verdicts import verdict_text
from tasks.metrics import METRICS
from tasks.records import Scores, Trial, Verdict


def show_leaderboard(problem: str, leaderboard: Sequence[Trial]) -> None:
    """Publish every trial, best first, with the mean and the standard deviation of its folds."""
    label = METRICS[leaderboard[0].metric].label
    rows = [
        {
            "place": place,
            "candidate": trial.candidate.name,
            "trial": trial.number,
            "estimator": trial.candidate.estimator,
            label: score(trial),
            "settings": settings(trial),
        }
        for place, trial in enumerate(leaderboard, start=1)
    ]
    create_table_artifact(
        rows, key=f"{_slug(problem)}-leaderboard", description=f"What was tried for {problem}, cross-validated"
    )


def show_verdict(problem: str, scores: Scores, verdict: Verdict) -> None:
    """Publish the verdict with every rule and its figures."""
    text = verdict_text(problem, scores, verdict)
    create_markdown_artifact(text, key=f"{_slug(problem)}-verdict", description=f"The gate's verdict on {problem}")


def _slug(problem: str) -> str:
    return problem.replace("_", "-")

"""What a run leaves in the Prefect UI for people: the leaderboard and the verdict, as artifacts of the run."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.verdicts import verdict_text
from tasks.metrics import METRICS, mean_and_deviation
from tasks.records import Scores, Trial, Verdict


def show_leaderboard(problem: str, leaderboard: Sequence[Trial]) -> None:
    """Publish the candidates, best first, with the mean and the standard deviation of their folds."""
    label = METRICS[leaderboard[0].metric].label
    rows = [
        {
            "place": place,
            "candidate": trial.candidate.name,
            "estimator": trial.candidate.estimator,
            label: trial.problem or mean_and_deviation(trial.mean, trial.standard_deviation),
        }
        for place, trial in enumerate(leaderboard, start=1)
    ]
    create_table_artifact(
        rows, key=f"{_slug(problem)}-leaderboard", description=f"Candidates of {problem}, cross-validated"
    )


def show_verdict(problem: str, scores: Scores, verdict: Verdict) -> None:
    """Publish the verdict with every rule and its figures."""
    text = verdict_text(problem, scores, verdict)
    create_markdown_artifact(text, key=f"{_slug(problem)}-verdict", description=f"The gate's verdict on {problem}")


def _slug(problem: str) -> str:
    return problem.replace("_", "-")

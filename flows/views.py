"""What the commands that only read show: plain dictionaries, the same for ``--json`` and for tables.

`status` and `versions` answer at once, so NumPy is imported only where a figure is shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.records import RunRecord, Version
from tasks.registry import Registry


def status_view(registry: Registry) -> dict[str, Any]:
    """Give what is in production, since when, and how the last run ended."""
    champion, since = registry.champion(), None
    for decision in reversed(registry.history()):
        if champion is None or decision.champion != champion.number:
            break
        since = decision.at
    runs = registry.store.names("runs")
    last = registry.store.record(runs[-1], RunRecord).model_dump(mode="json") if runs else None
    return {
        "problem": registry.store.problem,
        "champion": champion.number if champion else None,
        "candidate": champion.model.candidate.name if champion else None,
        "measured": measured(champion) if champion else "",
        "since": since.isoformat() if since else None,
        "versions": len(registry.store.numbers("versions")),
        "last_run": last,
    }


def brief(version: Version) -> dict[str, Any]:
    """Give a version in a line."""
    return {
        "version": version.number,
        "candidate": version.model.candidate.name,
        "metric": version.scores.metric,
        "test": version.scores.challenger.model_dump(),
        "measured": measured(version),
        "promote": version.verdict.promote,
        "cause": version.verdict.cause,
        "created": version.created.isoformat(),
    }


def run_view(run: dict[str, Any], version: Version | None) -> dict[str, Any]:
    """Give a run with the version that it judged."""
    return run | {"judged": brief(version) | {"reason": version.verdict.reason} if version else None}


def measured(version: Version) -> str:
    """Give the test metric with its interval."""
    from tasks.metrics import METRICS, figure

    scores = version.scores
    ours = scores.challenger
    return f"{METRICS[scores.metric].label} {figure(ours.value)} [{figure(ours.low)}, {figure(ours.high)}]"


def minute(moment: str | None) -> str:
    """Give a moment in local time, to the minute."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


def snapshots_view(registry: Registry) -> list[dict[str, Any]]:
    """Give a problem's snapshots, newest first."""
    from tasks.snapshots import Snapshots

    versions = registry.versions()
    return [
        {
            "snapshot": entry.number,
            "outcome": entry.outcome,
            "sentence": entry.sentence,
            "at": entry.at.isoformat(),
            "rows": entry.snapshot.data.rows,
            **entry.changes.model_dump(include={"added", "changed", "gone"}),
            "quarantine": entry.quarantine.rows if entry.quarantine else 0,
            "versions": [v.number for v in versions if v.snapshot.data == entry.snapshot.data],
            "origin": entry.snapshot.origin,
        }
        for entry in reversed(Snapshots(registry.store).entries())
    ]

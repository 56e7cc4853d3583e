"""What the commands that only read show: plain dictionaries, the same for ``--json`` and for tables.

`status` and `versions` answer at once, so NumPy is imported only where a figure is shown.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tasks.records import Decision, RunRecord, Version
from tasks.registry import Registry
from tasks.store import Store

if TYPE_CHECKING:
    from tasks.registering.collect import Waste


def status_view(registry: Registry) -> dict[str, Any]:
    """Give what is in production, since when, what a person should know of it, and how the last run ended."""
    champion, history = registry.champion(), registry.history()
    runs = registry.store.names("runs")
    last = registry.store.record(runs[-1], RunRecord).model_dump(mode="json") if runs else None
    state = history[-1] if history else None
    there = takewhile(lambda decision: champion and decision.champion == champion.number, reversed(history))
    since = [decision.at.isoformat() for decision in there]
    return {
        "problem": registry.store.problem,
        "champion": champion.number if champion else None,
        "candidate": champion.model.candidate.name if champion else None,
        "measured": measured(champion) if champion else "",
        "since": since[-1] if since else None,
        "anchor": state.anchor if state else None,
        "frozen": state.frozen if state else False,
        "blocked": list(state.blocked) if state else [],
        "waiting": [version.number for version in registry.waiting()],
        "looks_left": looks_left(registry.store),
        "versions": len(registry.store.numbers("versions")),
        "last_run": last,
    }


def looks_left(store: Store) -> float:
    """Give the share of the error budget that is left for the test rows of the newest look: 1 before the first."""
    if not store.numbers("looks"):
        return 1.0
    from tasks.judging.looks import Looks

    looks = Looks(store)
    return looks.left(looks.all()[-1].rows)


def notes(status: dict[str, Any]) -> list[str]:
    """Give what is unusual about a problem, and what can be done about it."""
    problem, found = status["problem"], list[str]()
    if status["frozen"]:
        found.append(f"{problem} is frozen, nothing is promoted: salamander unfreeze {problem} ends that.")
    found.extend(
        f"Version {number} of {problem} waits for a person: salamander promote {problem} {number}, or salamander "
        f"reject {problem} {number}."
        for number in status["waiting"]
    )
    if status["looks_left"] < 1:
        found.append(
            f"The newest test rows of {problem} have {status['looks_left']:.0%} of their error budget left; rows that "
            "no decision has used bring more."
        )
    if status["blocked"]:
        blocked = ", ".join(map(str, status["blocked"]))
        found.append(f"Blocked for {problem}: version {blocked}. salamander history {problem} says why.")
    return found


def decision_view(decision: Decision) -> dict[str, Any]:
    """Give a decision, without the schema of its record."""
    return decision.model_dump(mode="json", exclude={"schema_version"})


def waste_view(problem: str, found: Waste, *, removed: bool) -> dict[str, Any]:
    """Give what nothing needs, by its kind, and the versions that lose files by that."""
    kinds: dict[str, dict[str, int]] = {}
    for each in found.unneeded:
        kind = kinds.setdefault(each.kind, {"files": 0, "bytes": 0})
        kind["files"] += 1
        kind["bytes"] += each.size
    return {
        "problem": problem,
        "removed": removed,
        "files": len(found.unneeded),
        "bytes": sum(each.size for each in found.unneeded),
        "kinds": kinds,
        "versions": sorted(found.versions),
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

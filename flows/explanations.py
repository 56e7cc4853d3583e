"""Why was a version promoted or held? Its statistics, computed again from what is stored, and nothing else."""

from __future__ import annotations

from tasks.decide import judge
from tasks.errors import StoreError
from tasks.investigate import changed
from tasks.judging.contest import read_contest
from tasks.records import Verdict, Version
from tasks.registry import Registry


def explained(registry: Registry, number: int) -> tuple[Version, Verdict]:
    """Give a version and its verdict as it comes out now; measurements are replayed, everything else is computed.

    Raises
    ------
    StoreError
        It does not come out as it was decided, to the last digit, or a version of an older Salamander lacks what it
        takes to compute it.
    """
    version = registry.version(number)
    if version.gate is None:
        raise StoreError(
            f"Version {number} of {registry.store.problem} was judged by an older Salamander, which did not keep the "
            f"evidence; salamander show {registry.store.problem} {number} gives its verdict as it was."
        )
    registry.check_kept(version)
    contest = read_contest(version.scores, registry.store)
    scores = version.scores.model_copy(update=contest.intervals(version.scores.confidence))
    verdict = judge(contest, scores, version.measurements, version.look, version.gate, newer=version.newer)
    verdict = verdict.model_copy(update={"investigation": version.verdict.investigation})
    kept = {"scores": version.scores.model_dump(mode="json"), "verdict": version.verdict.model_dump(mode="json")}
    computed = {"scores": scores.model_dump(mode="json"), "verdict": verdict.model_dump(mode="json")}
    if differing := changed(kept, computed):
        raise StoreError(
            f"Version {number} of {registry.store.problem} does not come out as it was decided: {differing[0]}"
            f"{f', and {len(differing) - 1} more' if len(differing) > 1 else ''}; were libraries upgraded since?"
        )
    return version, verdict

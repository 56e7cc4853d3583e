"""What each candidate is searched for: its own declaration, completed by that for all candidates.

Whoever declares ``[search]`` wants every candidate searched that leaves anything open; what a candidate fixes stays as
it is. Minutes are shared equally among those that do not say how many they want.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.candidates import Budget, Candidate, PreparationSpace, Search, SearchRule
from tasks.searching.ranges import usual

TRIALS = 30


def planned(candidates: Sequence[Candidate], rule: SearchRule | None) -> tuple[Candidate, ...]:
    """Give candidates whose searches are complete: strategy, budget and what to try; without one, a single trial."""
    opened = [_opened(candidate, rule) for candidate in candidates]
    searched = sum(search is not None for search in opened)
    return tuple(
        candidate.model_copy(update={"search": search and _with_budget(search, rule or SearchRule(), searched)})
        for candidate, search in zip(candidates, opened, strict=True)
    )


def _opened(candidate: Candidate, rule: SearchRule | None) -> Search | None:
    """Give what is to be tried of a candidate, or None where that is nothing."""
    declared = candidate.search
    if declared is None and rule is None:
        return None
    search = declared or Search()
    if search.parameters or search.text or search.prepare != PreparationSpace():
        return search
    ranges = usual(candidate.estimator)
    if ranges is None:
        return None
    left = {name: space for name, space in ranges.parameters.items() if name not in candidate.parameters}
    prepare = PreparationSpace() if candidate.scale else ranges.prepare
    if not left and prepare == PreparationSpace():
        return None
    return search.model_copy(update={"parameters": left, "prepare": prepare})


def _with_budget(search: Search, rule: Budget, searched: int) -> Search:
    strategy = search.strategy or rule.strategy or "bayesian"
    trials = search.trials or (None if search.minutes else rule.trials)
    minutes = search.minutes or (None if search.trials or rule.minutes is None else rule.minutes / searched)
    if trials is None and minutes is None and strategy != "grid":
        trials = TRIALS
    return search.model_copy(update={"strategy": strategy, "trials": trials, "minutes": minutes})

"""The points of a search: what is open in a candidate, what Optuna proposes for it, and the candidate at a point.

A list of numbers is a scale for Optuna, of which it is told the place, so that it learns that neighbours are alike; of
any other list it learns which members are good.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tasks.candidates import ESTIMATORS, Candidate, Range, TaskKind, Value
from tasks.estimators import SCALED

if TYPE_CHECKING:
    from optuna.trial import Trial

DIGITS, DIGITS_OF_STEPS = 4, 10
Part = Literal["parameters", "text", "prepare"]
Point = dict[str, Any]
"""A value for each dimension by its name: of a range a number of it, of a list the place."""


class Dimension(NamedTuple):
    """Something that is open in a candidate, and its possible values."""

    part: Part
    key: str
    values: Range | tuple[Any, ...]

    @property
    def name(self) -> str:
        """Its name in a study."""
        return f"{self.part}.{self.key}"

    @property
    def listed(self) -> tuple[Any, ...] | None:
        """Its values, where they are finitely many: a list, whole numbers, or steps."""
        if not isinstance(self.values, Range):
            return self.values
        if self.values.log or not (self.values.step or self.values.whole):
            return None
        step = self.values.step or 1
        count = int((self.values.high - self.values.low) / step + 1e-9) + 1
        return tuple(_rounded(self.values.low + place * step, self.values) for place in range(count))

    def suggested(self, trial: Trial) -> float:
        """Give what Optuna proposes: a number of a range, a place in a list."""
        if not isinstance(self.values, Range):
            if all(_is_number(value) for value in self.values) and self.values == tuple(sorted(self.values)):
                return trial.suggest_int(self.name, 0, len(self.values) - 1)
            return trial.suggest_categorical(self.name, range(len(self.values)))
        low, high, step = self.values.low, self.values.high, self.values.step
        if isinstance(low, int) and isinstance(high, int):
            return trial.suggest_int(self.name, low, high, step=int(step or 1), log=self.values.log)
        return trial.suggest_float(self.name, low, high, step=step, log=self.values.log)

    def value(self, proposed: float) -> Any:
        """Give the value that a proposal stands for."""
        return _rounded(proposed, self.values) if isinstance(self.values, Range) else self.values[int(proposed)]

    def proposal(self, value: Value | None) -> float | None:
        """Give what stands for a value, or None where it is not among those to try."""
        if isinstance(self.values, Range):
            if not isinstance(value, int if self.values.whole else (int, float)) or isinstance(value, bool):
                return None
            return value if self.values.low <= value <= self.values.high else None
        return self.values.index(value) if value in self.values else None


def dimensions(candidate: Candidate) -> tuple[Dimension, ...]:
    """Give what is open in a candidate, in the order of its declaration."""
    search = candidate.search
    if search is None:
        return ()
    prepared = {key: getattr(search.prepare, key) for key in type(search.prepare).model_fields}
    return (
        *(Dimension("parameters", key, values) for key, values in search.parameters.items()),
        *(Dimension("text", key, values) for key, values in search.text.items()),
        *(Dimension("prepare", key, values) for key, values in prepared.items() if values),
    )


def candidate_at(candidate: Candidate, point: Mapping[str, float]) -> Candidate:
    """Give a candidate with the values of a point, and nothing open any more."""
    found = [(each.part, each.key, each.value(point[each.name])) for each in dimensions(candidate) if point]
    return candidate.model_copy(
        update={
            "search": None,
            "parameters": candidate.parameters | {key: value for part, key, value in found if part == "parameters"},
            "text": candidate.text | {key: value for part, key, value in found if part == "text"},
            **{key: None if value == "all" else value for part, key, value in found if part == "prepare"},
        }
    )


def size(candidate: Candidate) -> int | None:
    """Give how many points there are; None where they are not finitely many."""
    listed = [each.listed for each in dimensions(candidate)]
    return None if None in listed else prod(len(values or ()) for values in listed)


def grid(candidate: Candidate) -> list[Point]:
    """Give all points of a search that has finitely many."""
    known = dimensions(candidate)
    places = [range(len(each.values)) if not isinstance(each.values, Range) else (each.listed or ()) for each in known]
    return [dict(zip((each.name for each in known), values, strict=True)) for values in product(*places)]


def start(candidate: Candidate, task: TaskKind) -> Point | None:
    """Give the point at which everything open is as it is without a search, so that none ends worse than that.

    It is empty where a value is none of a range because it is no number, such as ``max_features = "sqrt"``: then the
    candidate is tried as it is. None is given where a range or a list leaves it out.
    """
    usual = _as_usual(candidate, task)
    point: Point = {}
    beside = False
    for each in dimensions(candidate):
        value = usual.get(each.name)
        if (proposal := each.proposal(value)) is not None:
            point[each.name] = proposal
        elif isinstance(each.values, Range) and each.name in usual and not _is_number(value):
            beside = True
        else:
            return None
    return {} if beside else point


def _as_usual(candidate: Candidate, task: TaskKind) -> dict[str, Any]:
    """Give the values that a candidate has by itself, by the names of dimensions."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    kind = getattr(importlib.import_module(ESTIMATORS[task][candidate.estimator]), candidate.estimator)
    prepared = {
        "scale": candidate.scale or ("standard" if candidate.estimator in SCALED else "none"),
        "impute": candidate.impute or "median",
        "encode": candidate.encode,
        "components": candidate.components or "all",
        "target": candidate.target,
        "features": candidate.features,
        "leave_out": candidate.leave_out,
    }
    parts = {"parameters": kind().get_params(), "text": TfidfVectorizer().get_params(), "prepare": prepared}
    return {f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rounded(value: float, values: Range) -> float:
    """Give a number of a range as a person would write it."""
    if values.whole:
        return round(value)
    digits = DIGITS_OF_STEPS if values.step else DIGITS
    return min(max(float(f"{value:.{digits}g}"), values.low), values.high)

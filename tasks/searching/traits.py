"""What training rows are like, as far as it tells which models suit them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import TaskKind
from tasks.columns import names_with_role
from tasks.problem import Problem
from tasks.records import Features
from tasks.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKEWED = 0.5
"""The skewness from which on the logarithm of a target is tried, where that is less skewed."""

COORDINATES = ({"longitude", "lon", "lng", "long"}, {"latitude", "lat"})
PIXEL = re.compile(r"(\D*)\d+(?:\D\d+)?")
SMALLEST_SIDE = 6


@dataclass(frozen=True)
class Traits:
    """What a choice of models depends on.

    Attributes
    ----------
    numeric, categorical, text : tuple of str
        The features of each role.
    absolute : bool
        Whether absolute errors count.
    logarithmic : bool
        Whether the logarithm of the target is worth learning.
    """

    task: TaskKind
    rows: int
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    text: tuple[str, ...]
    absolute: bool
    logarithmic: bool

    @property
    def side(self) -> int | None:
        """The height and width of an image whose pixels are the features, row by row, if they are."""
        side = math.isqrt(len(self.numeric))
        named = {found.group(1) if (found := PIXEL.fullmatch(name)) else None for name in self.numeric}
        pixels = len(named) == 1 and None not in named and not (self.categorical or self.text)
        return side if pixels and side >= SMALLEST_SIDE and side * side == len(self.numeric) else None

    @property
    def places(self) -> tuple[str, ...]:
        """Longitude and latitude, if both are features."""
        found = [name for names in COORDINATES for name in self.numeric if name.lower() in names]
        return tuple(found) if len(found) == 2 else ()


def traits_of(problem: Problem, features: Features, store: Store) -> Traits:
    """Give the traits of a problem's training rows."""
    columns = features.columns
    return Traits(
        task=problem.task,
        rows=features.train.rows,
        numeric=tuple(names_with_role(columns, "numeric")),
        categorical=tuple(names_with_role(columns, "categorical")),
        text=tuple(names_with_role(columns, "text")),
        absolute=problem.judged_by == "mae",
        logarithmic=problem.task == "regression" and skewed(store.table(features.train, [columns.target])),
    )


def skewed(target: Any) -> bool:
    """Tell whether numbers are above 0 and their logarithms nearer to symmetry."""
    values = target.column(0).to_numpy().astype("float64")
    if not len(values) or not values.min() > 0:
        return False
    skewness = _skewness(values)
    return skewness > SKEWED and abs(_skewness(np.log(values))) < skewness


def _skewness(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(float((centred**2).mean()) ** 1.5, 1e-300))

"""Inputs that are a picture: a square of numbers whose columns share a name and are counted.

Such a model is asked by drawing. What is drawn must look as its training rows do, or the model is asked about pictures
of a kind that it has never seen; so their middling row says how large, how wide and how dark a drawing is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.records import Input

SMALLEST, USUAL_INK = 4, 0.2
COUNTED = re.compile(r"(?P<prefix>.*?)(?P<first>\d+)(?:\D(?P<second>\d+))?")


@dataclass(frozen=True)
class Picture:
    """How a drawing becomes a row.

    Parameters
    ----------
    side : int
        The picture is so many columns wide and high.
    shade : float
        The number of a pixel that is all ink; 0 is paper.
    columns : tuple of str
        The pixels' columns, row by row from the upper left corner.
    height, width : float
        How many rows and columns the ink of the middling picture covers: no larger a drawing is made.
    ink : float
        The share of the middling picture that is ink: as dark a drawing is made.
    """

    side: int
    shade: float
    columns: tuple[str, ...]
    height: float
    width: float
    ink: float


def picture_of(inputs: Sequence[Input]) -> Picture | None:
    """Give the picture that inputs are; None where they are none.

    >>> picture_of([Input(name=f"p{i}", kind="number", nullable=False, low=0, high=9, example=i) for i in range(16)])
    ... # doctest: +ELLIPSIS
    Picture(side=4, shade=9.0, columns=('p0', 'p1', ..., 'p15'), height=4.0, width=4.0, ink=0.83...)
    """
    side = math.isqrt(len(inputs))
    if side < SMALLEST or side * side != len(inputs):
        return None
    placed = _placed([each.name for each in inputs], side)
    shade = max((each.high or 0.0 for each in inputs), default=0.0)
    if not placed or shade <= 0 or any(not _is_pixel(each) for each in inputs):
        return None
    ordered = sorted(inputs, key=lambda each: placed[each.name])
    middle = [float(each.example or 0.0) / shade for each in ordered]
    rows = [middle[start : start + side] for start in range(0, side * side, side)]
    return Picture(
        side=side,
        shade=shade,
        columns=tuple(each.name for each in ordered),
        height=_covered(rows),
        width=_covered(list(zip(*rows, strict=True))),
        ink=sum(middle) / len(middle) or USUAL_INK,
    )


def _is_pixel(each: Input) -> bool:
    return each.kind in {"number", "integer"} and not each.nullable and each.low is not None and each.low >= 0


def _covered(lines: Sequence[Sequence[float]]) -> float:
    """Give how many lines of a picture hold ink: it ends in the middle of the outermost ones, or at the edge."""
    inked = [any(line) for line in lines]
    if True not in inked:
        return len(inked)
    first, last = inked.index(True), len(inked) - 1 - inked[::-1].index(True)
    return last - first + 1 - (first > 0) / 2 - (last < len(inked) - 1) / 2


def _placed(names: Sequence[str], side: int) -> dict[str, int]:
    """Give the place of each column in the picture, as its name counts it; nothing where the names do not."""
    found = [match for name in names if (match := COUNTED.fullmatch(name))]
    if len(found) < len(names) or len({each["prefix"] for each in found}) > 1:
        return {}
    first = _from_nought([int(each["first"]) for each in found])
    second = _from_nought([int(each["second"]) for each in found if each["second"] is not None])
    if not second:
        places = first
    elif len(second) == len(first) and max(*first, *second) < side:
        places = [row * side + column for row, column in zip(first, second, strict=True)]
    else:
        return {}
    return dict(zip(names, places, strict=True)) if sorted(places) == list(range(side * side)) else {}


def _from_nought(counts: Sequence[int]) -> list[int]:
    return [count - min(counts) for count in counts]

"""The gate as declared: what a challenger must show before it is deployed. `decide` holds it to that."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tasks.sources import Declared

SMALLEST_MARGIN = 0.01
"""A margin that is not declared is never below one per cent, however much the test rows could resolve."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Scalar = str | int | float | bool | None
Share = Annotated[float, Field(ge=0, lt=1)]
Above = Annotated[float, Field(gt=0)]


class Slice(Declared):
    """Rows that are judged on their own as well.

    ``by`` is a column, a derived column or an expression as in ``[derived]``: each of its values is a slice, or each of
    its ``bins``, or with ``newest = "30 days"`` the rows of its last days. ``margin``: `Gate.slice_margin` otherwise.
    """

    name: Name
    by: str
    bins: tuple[float, ...] = ()
    newest: str | None = None
    margin: Share | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Slice:
        if list(self.bins) != sorted(set(self.bins)):
            raise ValueError(f"bins must rise, but are {list(self.bins)}")
        if self.bins and self.newest:
            raise ValueError("bins and newest exclude each other")
        if self.newest and not re.fullmatch(r"[1-9]\d{0,5} (hour|day|week|month|year)s?", self.newest):
            raise ValueError(f"newest = {self.newest!r} is not a period such as '30 days'")
        return self


class Behaviour(Declared):
    """What a model must do when one column of a row is changed: by ``add``, ``multiply`` or ``replace``.

    ``prediction`` says what its prediction may do then; of a classifier that is the probability of the class ``of``, or
    with ``"same"`` and no ``of`` the class itself. ``broken_at_most`` is the share of rows that may break it.
    """

    column: str
    add: float | None = None
    multiply: float | None = None
    replace: Scalar = None
    prediction: Literal["same", "not lower", "not higher"]
    of: str | None = None
    broken_at_most: Share = 0.0

    @model_validator(mode="after")
    def _one_change(self) -> Behaviour:
        if sum(change is not None for change in (self.add, self.multiply, self.replace)) != 1:
            raise ValueError("exactly one of add, multiply and replace is needed")
        return self

    @property
    def sentence(self) -> str:
        """The behaviour in words."""
        change = (
            f"adding {self.add:g} to {self.column}"
            if self.add is not None
            else f"multiplying {self.column} by {self.multiply:g}"
            if self.multiply is not None
            else f"replacing {self.column} by {self.replace}"
        )
        what = f"the probability of {self.of}" if self.of else "the prediction"
        return f"{change}: {what} is {self.prediction}"


class Gate(Declared):
    """What a challenger must reach before it is deployed.

    ``margin`` is how much worse than production is still "not worse", as a share of the champion's metric; by default
    the smallest that the test rows can resolve. ``minimum_gain`` is a share of it too. Limits that are not declared are
    measured and shown, but hold nothing.
    """

    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    promote_when: Literal["not_worse", "better", "fresher"] = "not_worse"
    minimum_gain: Share = 0.0
    at_least: float | None = None
    at_most: float | None = None
    fewest_rows: Annotated[int, Field(ge=2)] = 30
    slices: tuple[Slice, ...] = ()
    slice_margin: Share = 0.05
    calibration_error_at_most: Above | None = None
    outside_range_at_most: Share | None = None
    row_milliseconds_at_most: Above | None = None
    batch_seconds_at_most: Above | None = None
    megabytes_at_most: Above | None = None
    memory_megabytes_at_most: Above | None = None
    behaviours: tuple[Behaviour, ...] = ()
    approval: Literal["automatic", "manual"] = "automatic"
    approval_hours: Above = 24.0

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Gate:
        names = [part.name for part in self.slices]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise ValueError(f"slices.name = {twice[0]!r} stands twice; each needs a name of its own")
        if self.minimum_gain and self.promote_when != "better":
            raise ValueError("minimum_gain fits promote_when = 'better' only")
        return self


class Retention(Declared):
    """What `salamander gc` keeps: so many of the newest versions and snapshots, and all that were ever champion.

    Results of steps are kept for so many ``days`` after they were last used, what serving noted of predictions for
    ``served_days`` after it was written.
    """

    versions: Annotated[int, Field(ge=1)] = 10
    snapshots: Annotated[int, Field(ge=1)] = 10
    days: Annotated[float, Field(ge=0)] = 7.0
    served_days: Annotated[float, Field(ge=0)] = 90.0

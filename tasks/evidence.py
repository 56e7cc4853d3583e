"""Evidence: what decides on the side and the fold of each row, read from a table batch by batch into arrays.

Only the columns that decide are read, and of those only numbers are kept: at most 8 bytes a row and array.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.candidates import TaskKind
from tasks.columns import row_hashes
from tasks.dividing.strata import Codes, bin_names, binned, renumbered, value_names
from tasks.dividing.times import lacking, times
from tasks.errors import DataRefused, ProblemError
from tasks.problem import SplitRule

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ONE_STRATUM = "all"


def labelled(batch: pa.RecordBatch, target: str) -> NDArray[np.bool_]:
    """Tell which rows have a target; nothing can be learnt from the others or measured on them."""
    return ~batch[target].is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Evidence:
    """What decides on the side and the fold of each row that has a target; all arrays have shape (rows,).

    ``rows`` and ``units`` are hashes of identity and of what stays together; ``stratum`` and, of a classification,
    ``target`` are numbers of the sorted ``names`` and ``classes``; ``times`` are as in `tasks.dividing.times`.
    """

    rows: NDArray[np.uint64]
    units: NDArray[np.uint64]
    stratum: NDArray[np.int32]
    target: NDArray[Any]
    names: tuple[str, ...] = (ONE_STRATUM,)
    classes: tuple[Any, ...] = ()
    times: NDArray[Any] | None = None
    zone: str | None = None


class Reading:
    """What decides, gathered batch by batch; `evidence` gives it as arrays."""

    def __init__(self, rule: SplitRule, identity: Iterable[str], target: str, task_kind: TaskKind) -> None:
        self.rule, self.identity, self.target, self.task_kind = rule, tuple(identity), target, task_kind
        self.strata, self.classes = Codes(), Codes()
        self.found: dict[str, list[NDArray[Any]]] = {}
        self.zone: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        stratify = (self.rule.stratify,) if self.rule.stratify else ()
        return list(dict.fromkeys([*self.identity, *self.rule.by, *stratify, self.target]))

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in a batch of rows."""
        import pyarrow as pa

        has_target = labelled(batch, self.target)
        rows = batch if has_target.all() else batch.filter(pa.array(has_target))
        values = {"labelled": has_target, "rows": row_hashes(rows, self.identity), "target": self._target(rows)}
        if self.rule.kind == "group":
            values["units"] = row_hashes(rows, self.rule.by)
        if self.rule.kind == "time":
            values["times"] = times(rows[self.rule.by[0]], self.rule.by[0])
            self._check_times(rows[self.rule.by[0]].type)
        values["stratum"] = self._stratum(rows)
        for name, array in values.items():
            self.found.setdefault(name, []).append(array)

    def evidence(self) -> tuple[NDArray[np.bool_], Evidence]:
        """Tell which rows have a target, and give what decides on those.

        Raises
        ------
        DataRefused
            There are none, or the time of some is missing.
        """
        whole = {name: np.concatenate(self.found.pop(name)) for name in list(self.found)}
        has_target, rows = whole.pop("labelled", np.zeros(0, dtype="bool")), whole.pop("rows", np.zeros(0))
        if len(rows) == 0:
            raise DataRefused("The data is too small for its strata: there are no rows with a target; gather some.")
        if "times" in whole and (gone := int(lacking(whole["times"]).sum())):
            raise DataRefused(
                f"{gone:,} of {len(rows):,} rows have no time in the column {self.rule.by[0]!r}, which split.by names; "
                "correct or remove them, or divide by something else."
            )
        return has_target, self._numbered(
            Evidence(
                rows=rows,
                units=whole.get("units", rows),
                stratum=whole["stratum"],
                target=whole["target"],
                times=whole.get("times"),
                zone=self.zone,
            )
        )

    def _numbered(self, evidence: Evidence) -> Evidence:
        """Give evidence whose numbers for strata and classes are in the order of their names."""
        numbered = evidence
        if self.rule.stratify:
            names = bin_names(self.rule.bins) if self.rule.bins else value_names(self.strata.numbers)
            stratum, names = renumbered(evidence.stratum, names)
            numbered = replace(numbered, stratum=stratum, names=names)
        if self.task_kind == "classification":
            target, classes = renumbered(evidence.target, list(self.classes.numbers))
            numbered = replace(numbered, target=target, classes=classes)
        return numbered

    def _stratum(self, rows: pa.RecordBatch) -> NDArray[np.int32]:
        if self.rule.stratify is None:
            return np.zeros(rows.num_rows, dtype="int32")
        values = rows[self.rule.stratify]
        return binned(values, self.rule.bins, self.rule.stratify) if self.rule.bins else self.strata.of(values)

    def _target(self, rows: pa.RecordBatch) -> NDArray[Any]:
        from pyarrow import types

        values = rows[self.target]
        if self.task_kind == "classification":
            return self.classes.of(values)
        if types.is_boolean(values.type):
            values = values.cast("uint8")
        if not (types.is_integer(values.type) or types.is_floating(values.type)):
            raise DataRefused(f"The target {self.target!r} holds {values.type}, but task = 'regression' needs numbers.")
        return values.to_numpy(zero_copy_only=False).astype("float64", copy=False)

    def _check_times(self, dtype: pa.DataType) -> None:
        from pyarrow import types

        self.zone = getattr(dtype, "tz", None)
        sizes = {"test_size": self.rule.test_size, "validation_size": self.rule.validation_size}
        for key, size in sizes.items():
            if isinstance(size, str) and (types.is_integer(dtype) or types.is_floating(dtype)):
                raise ProblemError(
                    f"split.{key} = {size!r} needs dates, but the column {self.rule.by[0]!r}, which split.by names, "
                    f"holds {dtype}; declare a share of the rows, such as 0.2."
                )

"""A declared problem: `data/<name>/problem.toml`, read into frozen models that refuse what they do not know.

Only what differs from the defaults needs to be written. What is wrong is one sentence that names the file, the key, the
value and what is allowed. Heavy libraries are not needed to read a problem, so `status` stays fast.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)

from tasks.candidates import (
    Aim,
    Candidates,
    Ensemble,
    Feature,
    SearchRule,
    TaskKind,
    check_candidates,
    check_ensembles,
)
from tasks.errors import ProblemError
from tasks.gate import Gate, Name, Retention
from tasks.sentences import listed, meant, mistakes
from tasks.sources import Address, Declared, Source

MetricName = Literal[
    "accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "brier_score", "rmse", "mae", "mape", "r2"
]

METRICS_OF: dict[TaskKind, tuple[MetricName, ...]] = {
    "classification": ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "brier_score"),
    "regression": ("rmse", "mae", "mape", "r2"),
}
GREATER_IS_BETTER: tuple[MetricName, ...] = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "r2")


def _size(value: Any) -> float | str:
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, str) and re.fullmatch(r"[1-9]\d{0,5} (hour|day|week|month|year)s?", value):
        return value
    raise ValueError("a share between 0 and 1 is needed, or with kind = 'time' a period such as '90 days'")


Size = Annotated[float | str, PlainValidator(_size)]


class Columns(Declared):
    """Which columns are not features, and the roles that the types of the data do not tell.

    ``text`` are columns of many words each, told apart by the words in them. Derived columns may be listed too.
    """

    drop: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_role_each(self) -> Columns:
        listed_names = [*self.drop, *self.numeric, *self.categorical, *self.text]
        if twice := [name for name in dict.fromkeys(listed_names) if listed_names.count(name) > 1]:
            raise ValueError(f"{twice[0]!r} is listed twice; a column has one role, or is dropped")
        return self


Statistic = Literal["mean", "min", "max", "std", "median"]


class History(Declared):
    """What was known before each row, given to it as columns, so that a series can be forecast.

    Rows stand in the order of the column ``order`` (numbers, dates or ISO 8601 text), in a series of its own for each
    value of the columns ``by``. For each column of ``of``, ``lags`` gives the value so many rows before
    (``temperature_lag_1``) and ``rolling`` the ``statistics`` of so many rows before (``temperature_mean_7``).
    """

    order: str
    of: Annotated[tuple[str, ...], Field(min_length=1)]
    by: tuple[str, ...] = ()
    lags: tuple[Annotated[int, Field(ge=1)], ...] = ()
    rolling: tuple[Annotated[int, Field(ge=2)], ...] = ()
    statistics: Annotated[tuple[Statistic, ...], Field(min_length=1)] = ("mean",)

    @model_validator(mode="before")
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: (each,) if key in {"of", "by"} and isinstance(each, str) else each for key, each in value.items()
            }
        return value

    @model_validator(mode="after")
    def _parts_fit_together(self) -> History:
        if not self.columns:
            raise ValueError("lags = [1, 7] or rolling = [7] is needed: how many rows to look back")
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} would be made twice; each number and each name may stand once")
        if self.order in (*self.by, *self.of):
            raise ValueError(f"order = {self.order!r} cannot be in by or of too")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that are added, in order."""
        return tuple(
            f"{of}_{name}"
            for of in self.of
            for name in (
                *(f"lag_{lag}" for lag in self.lags),
                *(f"{statistic}_{rows}" for rows in self.rolling for statistic in self.statistics),
            )
        )


class SplitRule(Declared):
    """How rows are divided; cross-validation follows the same rule.

    ``hash``: by the hash of identity within each stratum. ``group``: the same, but all rows equal in the columns ``by``
    stay on one side. ``time``: by the column ``by``, the newest rows are the test rows. ``shuffle``: as scikit-learn's
    `StratifiedShuffleSplit`.

    ``test_size`` and ``validation_size`` are shares of the rows; for ``time`` they may be periods such as ``"90 days"``
    or ``"2 years"``. Where ``validation_size`` is given, candidates are compared on those rows instead of on folds.
    """

    kind: Literal["hash", "group", "time", "shuffle"] = "hash"
    by: tuple[str, ...] = ()
    test_size: Size = 0.2
    validation_size: Size | None = None
    stratify: str | None = None
    bins: tuple[float, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42

    @model_validator(mode="before")
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("by"), str):
            return {**value, "by": (value["by"],)}
        return value

    @model_validator(mode="after")
    def _parts_fit_together(self) -> SplitRule:
        if self.bins and self.stratify is None:
            raise ValueError("bins cut the column named by stratify, which is missing")
        if list(self.bins) != sorted(set(self.bins)):
            raise ValueError(f"bins must rise, but are {list(self.bins)}")
        if self.kind in {"group", "time"} and not self.by:
            raise ValueError(f"kind = {self.kind!r} needs by = '...', the column that it divides by")
        if self.kind in {"hash", "shuffle"} and self.by:
            raise ValueError(f"by does not fit kind = {self.kind!r}; it belongs to kind = 'group' or 'time'")
        if self.kind == "time" and (len(self.by) > 1 or self.stratify):
            raise ValueError("kind = 'time' divides by one column alone, without stratify")
        sizes = [size for size in (self.test_size, self.validation_size) if size is not None]
        if self.kind != "time" and any(isinstance(size, str) for size in sizes):
            raise ValueError("a period such as '90 days' fits kind = 'time' only; otherwise a share between 0 and 1")
        if sum(size for size in sizes if isinstance(size, float)) >= 1:
            raise ValueError("test_size and validation_size leave nothing to train on")
        return self


class Quarantine(Declared):
    """Which share of the rows, of the table and of its newest part, may break expectations of single rows."""

    budget: Annotated[float, Field(ge=0, lt=1)] = 0.01


class CrossValidation(Declared):
    """How candidates are compared on the training rows."""

    folds: Annotated[int, Field(ge=2, le=100)] = 5


def _cron(value: str) -> str:
    try:
        CronSim(value, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"not a cron expression ({error}); five fields are needed, as in '0 6 * * 1'") from error
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA database; allowed are names such as 'Europe/Berlin'") from error
    return value


class Schedule(Declared):
    """When retraining runs start by themselves."""

    cron: Annotated[str, AfterValidator(_cron)]
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"


class Scoring(Declared):
    """Batch predictions that are made by themselves: of which rows, and where they are written.

    ``out`` is a CSV or Parquet file, or its fsspec address; ``%Y-%m-%d`` and the like in it become the time of the run.
    With ``interval``, the bounds of that level (or the labels that are possible) stand beside each prediction; with
    ``strict``, a row that gets none refuses all.
    """

    source: Source
    out: Annotated[Address, StringConstraints(pattern=r"\.(csv|parquet)$")]
    interval: Annotated[float, Field(gt=0, lt=1)] | None = None
    strict: bool = False
    schedule: Schedule | None = None


class Serving(Declared):
    """What is noted of the requests that a deployed model answers.

    ``log`` is the share of the requests that is written to the journal; ``private`` are columns that never are.
    """

    log: Annotated[float, Field(ge=0, le=1)] = 1.0
    private: tuple[str, ...] = ()


class Problem(Declared):
    """One problem as declared; see each part for its meaning and its default."""

    schema_version: Literal[1] = 1
    name: Name
    description: str = ""
    task: TaskKind
    target: str
    source: Source
    identity: tuple[str, ...] = ()
    columns: Columns = Columns()
    history: History | None = None
    derived: dict[str, str] = Field(default_factory=dict)
    quarantine: Quarantine = Quarantine()
    split: SplitRule = SplitRule()
    cross_validation: CrossValidation = CrossValidation()
    metric: MetricName | None = None
    features: tuple[Feature, ...] = ()
    search: SearchRule | None = None
    candidates: Candidates
    ensembles: tuple[Ensemble, ...] = ()
    threshold: Aim | None = None
    gate: Gate = Gate()
    retention: Retention = Retention()
    serving: Serving = Serving()
    schedule: Schedule | None = None
    scoring: Scoring | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42

    @property
    def judged_by(self) -> MetricName:
        """The declared metric, or the usual one for the task: accuracy or RMSE."""
        return self.metric or METRICS_OF[self.task][0]

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Problem:
        if self.judged_by not in METRICS_OF[self.task]:
            raise ValueError(
                f"metric = {self.metric!r} does not fit task = {self.task!r}; allowed: {listed(METRICS_OF[self.task])}"
            )
        floor, ceiling = ("at_least", "at_most") if self.judged_by in GREATER_IS_BETTER else ("at_most", "at_least")
        if getattr(self.gate, ceiling) is not None:
            raise ValueError(f"gate.{ceiling} does not fit metric = {self.judged_by!r}; use gate.{floor}")
        if self.history and not self.identity:
            raise ValueError(
                "history needs identity = [...], the columns that make a row the same row (its moment, and its series)"
            )
        if self.source.mode == "append" and not self.identity:
            raise ValueError(
                "source.mode = 'append' needs identity = [...], the columns that make a row the same row; without it "
                "a row would replace another that merely has equal values"
            )
        columns = self.columns
        if self.target in (*columns.drop, *columns.numeric, *columns.categorical, *columns.text):
            raise ValueError(f"target = {self.target!r} is listed in columns too; the target is never a feature")
        return self

    @model_validator(mode="after")
    def _candidates_fit_together(self) -> Problem:
        declared = () if self.candidates == "auto" else self.candidates
        check_candidates(self.task, declared, self.features, self.search)
        check_ensembles(declared, self.ensembles)
        if self.threshold and self.task == "regression":
            raise ValueError("threshold fits task = 'classification' only")
        return self

    @model_validator(mode="after")
    def _gate_fits_the_task(self) -> Problem:
        other = "outside_range_at_most" if self.task == "classification" else "calibration_error_at_most"
        if getattr(self.gate, other) is not None:
            raise ValueError(f"gate.{other} does not fit task = {self.task!r}, whose models give nothing to measure so")
        for behaviour in self.gate.behaviours:
            if behaviour.column == self.target:
                raise ValueError(f"gate.behaviours change the target {self.target!r}, which no model reads")
            if behaviour.of is not None and self.task == "regression":
                raise ValueError(f"gate.behaviours: of = {behaviour.of!r} fits task = 'classification' only")
            if behaviour.of is None and self.task == "classification" and behaviour.prediction != "same":
                raise ValueError(
                    f"gate.behaviours: prediction = {behaviour.prediction!r} needs of = '...', the class whose "
                    "probability it tells of"
                )
        return self


def declaration(name: str, project: Path) -> Path:
    """Give the file that declares a problem."""
    return project / "data" / name / "problem.toml"


def load_problem(name: str, project: Path) -> Problem:
    """Give the problem declared in ``project/data/<name>/problem.toml``.

    Raises
    ------
    ProblemError
        There is no such problem, or its file is not right: in one sentence.
    """
    path = declaration(name, project)
    if len(name.encode(errors="replace")) > 255 or not path.is_file():
        known = problem_names(project)
        raise ProblemError(
            f"There is no problem {name!r}: {path} does not exist"
            f"{meant(name, known)}; known here: {listed(known) or 'none'}."
        )
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise ProblemError(f"{path} is not TOML: {error}.") from error
    if "name" in declared:
        raise ProblemError(f"{path}: the key 'name' is not allowed; the problem is named by its folder, {name!r}.")
    try:
        return Problem.model_validate({**declared, "name": name})
    except ValidationError as error:
        raise ProblemError(f"{path}: {'; '.join(mistakes(error, declared, Problem))}.") from error


def problem_names(project: Path) -> tuple[str, ...]:
    """Give the names of the problems declared in a project, sorted."""
    return tuple(sorted(path.parent.name for path in (project / "data").glob("*/problem.toml")))

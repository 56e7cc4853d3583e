"""A declared problem: `data/<name>/problem.toml`, read into frozen models that refuse what they do not know.

Only what differs from the defaults needs to be written. What is wrong is one sentence that names the file, the key, the
value and what is allowed. Heavy libraries are not needed to read a problem, so `status` stays fast.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from tasks.errors import ProblemError

TaskKind = Literal["classification", "regression"]
MetricName = Literal["accuracy", "log_loss", "rmse", "mae", "mape"]

METRICS: dict[TaskKind, tuple[MetricName, ...]] = {
    "classification": ("accuracy", "log_loss"),
    "regression": ("rmse", "mae", "mape"),
}
GREATER_IS_BETTER: tuple[MetricName, ...] = ("accuracy",)

ESTIMATORS: dict[TaskKind, dict[str, str]] = {
    "classification": {
        "DummyClassifier": "sklearn.dummy",
        "LogisticRegression": "sklearn.linear_model",
        "RidgeClassifier": "sklearn.linear_model",
        "SGDClassifier": "sklearn.linear_model",
        "LinearDiscriminantAnalysis": "sklearn.discriminant_analysis",
        "GaussianNB": "sklearn.naive_bayes",
        "KNeighborsClassifier": "sklearn.neighbors",
        "SVC": "sklearn.svm",
        "LinearSVC": "sklearn.svm",
        "DecisionTreeClassifier": "sklearn.tree",
        "RandomForestClassifier": "sklearn.ensemble",
        "ExtraTreesClassifier": "sklearn.ensemble",
        "GradientBoostingClassifier": "sklearn.ensemble",
        "HistGradientBoostingClassifier": "sklearn.ensemble",
        "MLPClassifier": "sklearn.neural_network",
        "ConvolutionalNetworkClassifier": "tasks.networks",
        "WideAndDeepClassifier": "tasks.networks",
    },
    "regression": {
        "DummyRegressor": "sklearn.dummy",
        "LinearRegression": "sklearn.linear_model",
        "Ridge": "sklearn.linear_model",
        "Lasso": "sklearn.linear_model",
        "ElasticNet": "sklearn.linear_model",
        "SGDRegressor": "sklearn.linear_model",
        "KNeighborsRegressor": "sklearn.neighbors",
        "SVR": "sklearn.svm",
        "LinearSVR": "sklearn.svm",
        "DecisionTreeRegressor": "sklearn.tree",
        "RandomForestRegressor": "sklearn.ensemble",
        "ExtraTreesRegressor": "sklearn.ensemble",
        "GradientBoostingRegressor": "sklearn.ensemble",
        "HistGradientBoostingRegressor": "sklearn.ensemble",
        "MLPRegressor": "sklearn.neural_network",
        "WideAndDeepRegressor": "tasks.networks",
    },
}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Scalar = str | int | float | bool | None


class Declared(BaseModel):
    """Frozen, and nothing unknown is let in."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BundledSource(Declared):
    """A data set that comes with scikit-learn: no network."""

    kind: Literal["bundled"]
    name: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"]


class UrlSource(Declared):
    """A file at a public address: CSV or Parquet, plain or inside a tar or zip archive, pinned by its sha256."""

    kind: Literal["url"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
    sha256: Digest | None = None
    member: str | None = None
    largest_bytes: Annotated[int, Field(gt=0)] = 2**30


Source = Annotated[BundledSource | UrlSource, Discriminator("kind")]


class Columns(Declared):
    """Which columns are not features, and the roles that the types of the data do not tell."""

    drop: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()


class SplitRule(Declared):
    """How rows are divided: by the hash of their identity within each stratum, or as scikit-learn shuffles them."""

    kind: Literal["hash", "shuffle"] = "hash"
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.2
    stratify: str | None = None
    bins: tuple[float, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42

    @model_validator(mode="after")
    def _bins_belong_to_a_column(self) -> SplitRule:
        if self.bins and self.stratify is None:
            raise ValueError("bins cut the column named by stratify, which is missing")
        if list(self.bins) != sorted(set(self.bins)):
            raise ValueError(f"bins must rise, but are {list(self.bins)}")
        return self


class CrossValidation(Declared):
    """How candidates are compared on the training rows."""

    folds: Annotated[int, Field(ge=2, le=100)] = 5


class Candidate(Declared):
    """An estimator that is tried: its name on the leaderboard, its class and the parameters that are not defaults.

    ``scale`` says how numbers are scaled before it; by default they are standardised where the estimator needs it.
    """

    name: Name
    estimator: str
    scale: Literal["standard", "minmax", "none"] | None = None
    parameters: dict[str, Scalar | tuple[Scalar, ...]] = {}


class Gate(Declared):
    """What a challenger must reach before it is deployed."""

    margin: Annotated[float, Field(ge=0, lt=1)] = 0.02
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    at_least: float | None = None
    at_most: float | None = None
    fewest_rows: Annotated[int, Field(ge=2)] = 30


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
    derived: dict[str, str] = {}
    split: SplitRule = SplitRule()
    cross_validation: CrossValidation = CrossValidation()
    metric: MetricName | None = None
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    gate: Gate = Gate()
    schedule: Schedule | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42

    @property
    def judged_by(self) -> MetricName:
        """The declared metric, or the usual one for the task: accuracy or RMSE."""
        return self.metric or METRICS[self.task][0]

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Problem:
        if self.judged_by not in METRICS[self.task]:
            raise ValueError(
                f"metric = {self.metric!r} does not fit task = {self.task!r}; allowed: {listed(METRICS[self.task])}"
            )
        floor, ceiling = ("at_least", "at_most") if self.judged_by in GREATER_IS_BETTER else ("at_most", "at_least")
        if getattr(self.gate, ceiling) is not None:
            raise ValueError(f"gate.{ceiling} does not fit metric = {self.judged_by!r}; use gate.{floor}")
        names = [candidate.name for candidate in self.candidates]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"candidates.name = {twice[0]!r} stands twice; each candidate needs a name of its own")
        for candidate in self.candidates:
            if candidate.estimator not in (allowed := ESTIMATORS[self.task]):
                raise ValueError(
                    f"candidates.estimator = {candidate.estimator!r} is not known for task = {self.task!r}"
                    f"{meant(candidate.estimator, allowed)}; allowed: {listed(allowed)}"
                )
        if self.target in (*self.columns.drop, *self.columns.numeric, *self.columns.categorical):
            raise ValueError(f"target = {self.target!r} is listed in columns too; the target is never a feature")
        return self


def load_problem(name: str, project: Path) -> Problem:
    """Give the problem declared in ``project/data/<name>/problem.toml``.

    Raises
    ------
    ProblemError
        There is no such problem, or its file is not right: in one sentence.
    """
    path = project / "data" / name / "problem.toml"
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
        sentences = [_sentence(detail, declared) for detail in _deepest(error.errors())]
        raise ProblemError(f"{path}: {'; '.join(sentences)}.") from error


NEEDED = {
    "tuple_type": "a list is needed",
    "model_type": "a table is needed",
    "model_attributes_type": "a table is needed",
    "dict_type": "a table is needed",
    "too_short": "at least 1 is needed",
    "scalar": "a text, a number, true, false or a list of these is needed",
}


def problem_names(project: Path) -> tuple[str, ...]:
    """Give the names of the problems declared in a project, sorted."""
    return tuple(sorted(path.parent.name for path in (project / "data").glob("*/problem.toml")))


def _deepest(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Give one detail for each thing that is wrong: a list is not wrong besides its member."""
    found: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        location = detail["loc"]
        if location[:1] == ("candidates",) and location[2:3] == ("parameters",) and len(location) > 4:
            location = location[:4]  # what follows are the kinds of value that were tried
            found.setdefault(location, {**detail, "loc": location, "type": "scalar"})
        found.setdefault(location, detail)
    return [d for at, d in found.items() if not any(o[: len(at)] == at and len(o) > len(at) for o in found)]


def _sentence(detail: ErrorDetails, declared: Mapping[str, Any]) -> str:
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(detail["loc"], declared)
        unknown = str(detail["loc"][-1])
        return f"the key '{key}' is not known{meant(unknown, allowed)}; allowed: {listed(allowed)}"
    if detail["type"] == "missing":
        return f"the key '{key}' is missing"
    if detail["type"].startswith("union_tag"):
        kinds = [get_args(kind.model_fields["kind"].annotation)[0] for kind in _union_members(Source)]
        given = detail["input"].get("kind") if isinstance(detail["input"], dict) else detail["input"]
        return f"'{key}.kind' = {given!r} is not allowed; allowed: {listed(kinds)}"
    message = NEEDED.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return f"{key + ': ' if key else ''}{message}"
    return f"'{key}' = {detail['input']!r} is not allowed: {message[:1].lower()}{message[1:]}"


def _key(location: tuple[int | str, ...]) -> str:
    """Give a location as it is written in TOML; the tag of a union's member is not part of what the user wrote."""
    parts = [part for index, part in enumerate(location) if not (index == 1 and location[0] == "source")]
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _allowed_keys(location: tuple[int | str, ...], declared: Mapping[str, Any]) -> list[str]:
    model: type[BaseModel] = Problem
    for index, part in enumerate(location[:-1]):
        if index == 1 and location[0] == "source":
            continue
        if isinstance(part, str) and part in model.model_fields:
            members = list(_union_members(model.model_fields[part].annotation))
            kind = declared["source"].get("kind") if part == "source" else None
            model = next(m for m in members if kind is None or get_args(m.model_fields["kind"].annotation)[0] == kind)
    return [name for name in model.model_fields if name not in {"name"} or model is not Problem]


def _union_members(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give every model named inside an annotation."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for member in get_args(annotation):
        yield from _union_members(member)


def listed(names: Iterable[str]) -> str:
    """Give names as they stand in a sentence."""
    return ", ".join(names)


def meant(name: str, known: Iterable[str]) -> str:
    """Give the aside that proposes the known name nearest to a misspelt one, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""

"""A declared problem: `data/<name>/problem.toml`, read into frozen models that refuse what they do not know.

Only what differs from the defaults needs to be written. What is wrong is one sentence that names the file, the key, the
value and what is allowed. Heavy libraries are not needed to read a problem, so `status` stays fast.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal
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

from tasks.errors import ProblemError
from tasks.sentences import listed, meant, mistakes

TaskKind = Literal["classification", "regression"]
MetricName = Literal["accuracy", "log_loss", "rmse", "mae", "mape"]

METRICS_OF: dict[TaskKind, tuple[MetricName, ...]] = {
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

    @property
    def pinned(self) -> bool:
        """Whether the data cannot change, so that what was fetched once need not be fetched again."""
        return True


class UrlSource(Declared):
    """A file at a public address: CSV or Parquet, plain or inside a tar or zip archive, pinned by its sha256."""

    kind: Literal["url"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
    sha256: Digest | None = None
    member: str | None = None
    largest_bytes: Annotated[int, Field(gt=0)] = 2**30

    @property
    def pinned(self) -> bool:
        """Whether the digest of the file is declared."""
        return self.sha256 is not None


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
        raise ProblemError(f"{path}: {'; '.join(mistakes(error, declared, Problem))}.") from error


def problem_names(project: Path) -> tuple[str, ...]:
    """Give the names of the problems declared in a project, sorted."""
    return tuple(sorted(path.parent.name for path in (project / "data").glob("*/problem.toml")))

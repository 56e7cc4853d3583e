"""Candidates as declared: estimators, how their inputs are prepared, what is searched for, and within which budget.

`estimators.build` makes an estimator of a candidate whose values are fixed; `tasks.searching` fixes what is left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from tasks.gate import Name, Scalar
from tasks.sentences import listed, meant
from tasks.sources import Declared

TaskKind = Literal["classification", "regression"]

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
        "TextNetworkClassifier": "tasks.text_networks",
    },
    "regression": {
        "DummyRegressor": "sklearn.dummy",
        "LinearRegression": "sklearn.linear_model",
        "Ridge": "sklearn.linear_model",
        "Lasso": "sklearn.linear_model",
        "ElasticNet": "sklearn.linear_model",
        "HuberRegressor": "sklearn.linear_model",
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
        "ColumnForecast": "tasks.forecasts",
    },
}

TRANSFORMERS: dict[str, str] = {
    "ClusterSimilarity": "tasks.preparing.clusters",
    "ImageGradients": "tasks.preparing.gradients",
    "NaiveBayesRatios": "tasks.preparing.ratios",
    "NeighboursMean": "tasks.preparing.neighbours",
    "NeighboursTarget": "tasks.preparing.neighbours",
}
"""What ``[[features]]`` may name; each is fitted inside cross-validation, with the estimator that reads it."""

Value = Scalar | tuple[Scalar, ...]
Strategy = Literal["bayesian", "random", "grid"]
Positive = Annotated[int, Field(ge=1)]
Minutes = Annotated[float, Field(gt=0)]


class Range(Declared):
    """Numbers from ``low`` to ``high``, both included; whole ones where both are whole.

    ``step`` is the distance of neighbouring values, which a grid needs; ``log`` draws them evenly in logarithms.
    """

    low: int | float
    high: int | float
    step: Annotated[int | float, Field(gt=0)] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"the range from low = {self.low} to high = {self.high} is empty; low must be below high")
        if self.log and (self.low <= 0 or self.step):
            raise ValueError("a range with log = true needs low above 0 and no step")
        if isinstance(self.step, float) and self.whole:
            raise ValueError(f"step = {self.step} must be whole, as low and high are")
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def _kind_of_values(value: Any) -> str | None:
    if isinstance(value, (Range, dict)):
        return "range"
    return "choices" if isinstance(value, (list, tuple)) else None


Choices = Annotated[tuple[Value, ...], Field(min_length=1)]
Values = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind_of_values)]
Space = dict[str, Values]
"""What may be tried, by parameter: a range, or each of a list (whose members may be lists themselves)."""


class Budget(Declared):
    """How a search goes on and when it ends: after so many trials, or minutes of fitting on all cores.

    What is not declared for a candidate is taken from ``[search]``, which holds for all; see `tasks.searching.plan`.
    """

    strategy: Strategy | None = None
    trials: Positive | None = None
    minutes: Minutes | None = None


class PreparationSpace(Declared):
    """Which ways of preparing the inputs are tried: for each key of a candidate, its values."""

    scale: tuple[Literal["standard", "minmax", "robust", "quantile", "none"], ...] = ()
    impute: tuple[Literal["median", "mean", "most_frequent", "neighbours"], ...] = ()
    encode: tuple[Literal["one-hot", "ordinal", "target"], ...] = ()
    components: tuple[Positive | Literal["all"], ...] = ()
    target: tuple[Literal["plain", "log"], ...] = ()
    features: tuple[tuple[str, ...], ...] = ()
    leave_out: tuple[tuple[str, ...], ...] = ()


class Search(Budget):
    """What is tried of a candidate beside its fixed values; where nothing is named, its estimator's usual ranges."""

    parameters: Space = Field(default_factory=dict)
    text: Space = Field(default_factory=dict)
    prepare: PreparationSpace = PreparationSpace()


class SearchRule(Budget):
    """What holds for the searches of all candidates; ``minutes`` are shared among them equally.

    With ``choose = "simplest"`` the simplest model within one standard error of the best is taken (Breiman et al.,
    Classification and Regression Trees, 1984, section 3.4.3), else the best.
    """

    choose: Literal["best", "simplest"] = "best"


class Candidate(Declared):
    """An estimator that is tried: its name on the leaderboard, its class, and how its inputs are prepared.

    Attributes
    ----------
    parameters : dict
        The estimator's parameters that are not its defaults.
    text : dict
        Settings of scikit-learn's `TfidfVectorizer`, which turns columns of the role text into numbers.
    scale, impute : str, optional
        How numbers are scaled and missing ones filled in; by default standardised and by the median, where needed.
    encode : str
        How categories become numbers: a column for each, their order, or the target's mean there (cross-fitted).
    components : int, optional
        How many principal components are taken in place of the prepared numbers.
    target : str
        Whether the estimator learns the target of a regression itself or its logarithm.
    calibrate : str, optional
        Whether the probabilities of a classifier are calibrated, by which method.
    features : tuple of str, optional
        The ``[[features]]`` that it reads, by name; by default all of them.
    leave_out : tuple of str
        Columns that it does not read.
    search : Search, optional
        What is tried; the trials on a leaderboard have none any more.
    members : tuple of Member
        Of an ensemble; it is built by `tasks.ensembling`, never declared.
    """

    name: Name
    estimator: str
    scale: Literal["standard", "minmax", "robust", "quantile", "none"] | None = None
    impute: Literal["median", "mean", "most_frequent", "neighbours"] | None = None
    encode: Literal["one-hot", "ordinal", "target"] = "one-hot"
    components: Positive | None = None
    target: Literal["plain", "log"] = "plain"
    calibrate: Literal["sigmoid", "isotonic"] | None = None
    features: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] = ()
    parameters: dict[str, Value] = Field(default_factory=dict)
    text: dict[str, Value] = Field(default_factory=dict)
    search: Search | None = None
    members: tuple[Member, ...] = ()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Candidate:
        search = self.search
        if search is None:
            return self
        for key in ("parameters", "text"):
            if both := [name for name in getattr(search, key) if name in getattr(self, key)]:
                raise ValueError(f"{key}.{both[0]} is fixed and searched for; leave it out in one of the two")
        return self


class Member(Declared):
    """A member of an ensemble, with its weight."""

    candidate: Candidate
    weight: float


Candidate.model_rebuild()


def _kind_of_candidates(value: Any) -> str | None:
    if isinstance(value, (list, tuple)):
        return "declared"
    return "auto" if value == "auto" else None


Candidates = Annotated[
    Annotated[Annotated[tuple[Candidate, ...], Field(min_length=1)], Tag("declared")]
    | Annotated[Literal["auto"], Tag("auto")],
    Discriminator(_kind_of_candidates),
]
"""What is tried: a list, or what suits the task and the size of the data."""


class Ensemble(Declared):
    """A candidate made of the best trials of others.

    ``average`` takes the mean of their predictions; ``greedy`` adds one after the other, with repetition, whatever
    makes the whole best (Caruana et al., Ensemble Selection from Libraries of Models, ICML 2004); ``stack`` weighs them
    by a regression on their out-of-fold predictions (Wolpert, Stacked Generalization, 1992), no weight below 0.

    Attributes
    ----------
    of : tuple of str
        The names of the candidates whose trials may take part; by default all.
    members : int
        The most models that it may hold.
    """

    name: Name
    kind: Literal["average", "greedy", "stack"]
    of: tuple[Name, ...] = ()
    members: Annotated[int, Field(ge=2, le=50)] = 5


class Feature(Declared):
    """Columns that are made inside cross-validation: a transformer of `TRANSFORMERS`, what it reads, its parameters."""

    name: Name
    transformer: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    parameters: dict[str, Value | tuple[tuple[Scalar, ...], ...]] = Field(default_factory=dict)


class Aim(Declared):
    """What a classifier's threshold is chosen for, on the held-out folds of the training rows.

    For two classes, of which ``positive`` is the one of interest: the best F1, or the most found with a precision of at
    least ``precision_at_least``, or the most precise that finds at least ``recall_at_least``. Or, for any number of
    classes, the least cost: ``costs[i][j]`` is that of predicting the j-th class where the i-th is true, sorted.
    """

    positive: str | int | bool | None = None
    best: Literal["f1"] | None = None
    precision_at_least: Annotated[float, Field(gt=0, le=1)] | None = None
    recall_at_least: Annotated[float, Field(gt=0, le=1)] | None = None
    costs: tuple[tuple[Annotated[float, Field(ge=0)], ...], ...] = ()

    @model_validator(mode="after")
    def _one_aim(self) -> Aim:
        given = (self.best, self.precision_at_least, self.recall_at_least, self.costs or None)
        if sum(each is not None for each in given) != 1:
            raise ValueError("exactly one of best, precision_at_least, recall_at_least and costs is needed")
        if (self.positive is None) != bool(self.costs):
            raise ValueError("positive = ..., the class of interest, is needed by all but costs, which do not take it")
        if any(len(row) != len(self.costs) or row[place] for place, row in enumerate(self.costs)):
            raise ValueError("costs needs a row and a column for each class, and 0 where the prediction is right")
        return self


def check_candidates(
    task: TaskKind, candidates: Sequence[Candidate], features: Sequence[Feature], rule: SearchRule | None
) -> None:
    """Check what is declared of candidates against each other, the task, and the features that are made for them.

    Raises
    ------
    ValueError
        Something does not fit: says what, and what is allowed.
    """
    _check_unique("features.name", features)
    _check_unique("candidates.name", candidates)
    for feature in features:
        if feature.transformer not in TRANSFORMERS:
            raise ValueError(
                f"features.transformer = {feature.transformer!r} is not known{meant(feature.transformer, TRANSFORMERS)}"
                f"; allowed: {listed(TRANSFORMERS)}"
            )
    for candidate in candidates:
        if candidate.estimator not in (allowed := ESTIMATORS[task]):
            raise ValueError(
                f"candidates.estimator = {candidate.estimator!r} is not known for task = {task!r}"
                f"{meant(candidate.estimator, allowed)}; allowed: {listed(allowed)}"
            )
        if candidate.members:
            raise ValueError(f"candidates.members of {candidate.name!r} cannot be declared; use [[ensembles]]")
        _check_task(task, candidate)
        _check_features(candidate, [feature.name for feature in features])
        _check_grid(candidate, rule)


def check_ensembles(candidates: Sequence[Candidate], ensembles: Sequence[Ensemble]) -> None:
    """Check ensembles against the candidates that they are made of.

    Raises
    ------
    ValueError
        A name stands twice, or is no candidate's.
    """
    _check_unique("ensembles.name", [*candidates, *ensembles])
    known = [candidate.name for candidate in candidates]
    for ensemble in ensembles:
        for name in ensemble.of if candidates else ():
            if name not in known:
                raise ValueError(
                    f"ensembles.of = {name!r} is no candidate{meant(name, known)}; the candidates: {listed(known)}"
                )


def _check_unique(key: str, declared: Sequence[Candidate | Ensemble | Feature]) -> None:
    names = [each.name for each in declared]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{key} = {twice[0]!r} stands twice; each needs a name of its own")


def _check_task(task: TaskKind, candidate: Candidate) -> None:
    logarithm = candidate.target == "log" or (candidate.search and "log" in candidate.search.prepare.target)
    if task == "classification" and logarithm:
        raise ValueError(f"candidates.target of {candidate.name!r}: 'log' fits task = 'regression' only")
    if task == "regression" and candidate.calibrate:
        raise ValueError(f"candidates.calibrate of {candidate.name!r} fits task = 'classification' only")


def _check_features(candidate: Candidate, known: Sequence[str]) -> None:
    tried = candidate.search.prepare.features if candidate.search else ()
    for name in {name for names in (candidate.features or (), *tried) for name in names}:
        if name not in known:
            raise ValueError(
                f"candidates.features of {candidate.name!r} names {name!r}, which is not declared in [[features]]"
                f"{meant(name, known)}; declared: {listed(known) or 'none'}"
            )


def _check_grid(candidate: Candidate, rule: SearchRule | None) -> None:
    search = candidate.search
    if search is None or (search.strategy or (rule.strategy if rule else None)) != "grid":
        return
    if not (search.parameters or search.text or search.prepare != PreparationSpace()):
        raise ValueError(f"candidates.search of {candidate.name!r}: strategy = 'grid' needs the values to try")
    for name, space in (search.parameters | search.text).items():
        if isinstance(space, Range) and not (space.step or (space.whole and not space.log)):
            raise ValueError(
                f"candidates.search of {candidate.name!r}: strategy = 'grid' needs a list for {name}, or a range with "
                "step = ..."
            )

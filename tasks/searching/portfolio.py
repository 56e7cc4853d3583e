"""What is tried: as declared, or with ``candidates = "auto"`` what suits the task and the size of the data.

No model is the best one everywhere, and models that learn in different ways are wrong on different rows: so a portfolio
holds one of each kind that the data allow, and ensembles of them. What takes quadratic time is left out where rows are
many, what learns from many rows only where they are few. A network is tried once, with values that did well elsewhere:
one trial of it takes as long as a search of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tasks.candidates import Candidate, Ensemble, Search, SearchRule, TaskKind, Value, check_ensembles
from tasks.errors import ProblemError
from tasks.problem import Problem
from tasks.records import Features
from tasks.searching.traits import Traits, traits_of
from tasks.store import Store

BUDGET = SearchRule(minutes=10.0, trials=20)
ENSEMBLES = (
    Ensemble(name="average", kind="average"),
    Ensemble(name="greedy", kind="greedy", members=8),
    Ensemble(name="stack", kind="stack", members=8),
)
ONE_TRIAL = Search(trials=1)

FEWEST_FOR_A_NETWORK = 2_000
MOST_FOR_SMALL_STEPS = 5_000
MOST_FOR_KERNELS: dict[TaskKind, int] = {"classification": 5_000, "regression": 10_000}
"""Of a classifier the probabilities take five more fits."""

MOST_FOR_NEIGHBOURS, MOST_NUMBERS_FOR_NEIGHBOURS = 50_000, 100
MOST_FOR_FORESTS = 200_000
FOR_IMAGES: dict[str, Value] = {
    "epochs": 40,
    "patience": 40,
    "learning_rate": 0.003,
    "schedule": "one-cycle",
    "normalised": True,
    "shift": 0.7,
    "rotation": 10.0,
    "zoom": 0.1,
}
FOR_TABLES: dict[str, Value] = {
    "batch_size": 256,
    "learning_rate": 0.004,
    "schedule": "one-cycle",
    "weight_decay": 0.03,
    "normalised": True,
    "dropout": 0.3,
    "hidden": (256, 128),
}
ROWS_TO_SEE, FEWEST_EPOCHS, MOST_EPOCHS = 320_000, 20, 100
"""A network makes so many passes that it sees about so many rows: few passes are few steps where rows are few."""


class Portfolio(NamedTuple):
    """The candidates that are searched, the ensembles made of their trials, and how the searches go on."""

    candidates: tuple[Candidate, ...]
    ensembles: tuple[Ensemble, ...]
    rule: SearchRule | None


def portfolio(problem: Problem, features: Features, store: Store) -> Portfolio:
    """Give what is tried for a problem on its training rows.

    Raises
    ------
    ProblemError
        An ensemble is declared of a candidate that is not tried.
    """
    if problem.candidates != "auto":
        return Portfolio(problem.candidates, problem.ensembles, problem.search)
    candidates = tuple(_chosen(traits_of(problem, features, store)))
    try:
        check_ensembles(candidates, problem.ensembles)
    except ValueError as error:
        raise ProblemError(f"data/{problem.name}/problem.toml: {error}.") from error
    return Portfolio(candidates, problem.ensembles or ENSEMBLES, _rule(problem.search))


def _rule(declared: SearchRule | None) -> SearchRule:
    """Give the rule of the searches, with a budget where none is declared."""
    if declared is None or declared.trials or declared.minutes:
        return declared or BUDGET
    return declared.model_copy(update={"minutes": BUDGET.minutes, "trials": BUDGET.trials})


def _chosen(seen: Traits) -> Iterator[Candidate]:
    """Give the candidates, from the simplest on."""
    if seen.text:
        yield from _of_texts(seen)
        return
    yield from _linear(seen)
    yield from _of_neighbours(seen)
    yield from _of_trees(seen)
    yield from _network(seen)


def _candidate(name: str, seen: Traits, kind: str, **more: Any) -> Candidate:
    """Give a candidate, of a kind of estimator that there is for both tasks."""
    suffix = "Classifier" if seen.task == "classification" else "Regressor"
    return Candidate(name=name, estimator=f"{kind}{suffix}", **more)


def _linear(seen: Traits) -> Iterator[Candidate]:
    if seen.task == "classification":
        yield Candidate(name="linear", estimator="LogisticRegression", parameters={"max_iter": 1000})
    else:
        yield Candidate(name="linear", estimator="Ridge")
        if seen.absolute:
            yield Candidate(name="huber", estimator="HuberRegressor", parameters={"max_iter": 1000})


def _of_neighbours(seen: Traits) -> Iterator[Candidate]:
    """Give what compares rows with rows, among them a model of the place alone.

    The pixels of an image are of one scale already; to standardise them makes much of those that are nearly always 0.
    """
    scale = "none" if seen.side else None
    if seen.rows <= MOST_FOR_NEIGHBOURS and len(seen.numeric) <= MOST_NUMBERS_FOR_NEIGHBOURS:
        yield _candidate("neighbours", seen, "KNeighbors", scale=scale)
        others = tuple(name for name in (*seen.numeric, *seen.categorical) if name not in seen.places)
        if seen.places and others:
            yield _candidate("places", seen, "KNeighbors", scale="none", features=(), leave_out=others)
    if seen.rows <= MOST_FOR_KERNELS[seen.task]:
        if seen.task == "classification":
            yield Candidate(name="svm", estimator="SVC", scale=scale, calibrate="sigmoid")
        else:
            target = "log" if seen.logarithmic else "plain"
            yield Candidate(name="svm", estimator="SVR", target=target)


def _of_trees(seen: Traits) -> Iterator[Candidate]:
    if seen.rows <= MOST_FOR_FORESTS:
        yield _candidate("forest", seen, "RandomForest")
        yield _candidate("extra-trees", seen, "ExtraTrees")
    if seen.rows <= MOST_FOR_SMALL_STEPS and seen.side is None:
        yield _candidate("small-steps", seen, "GradientBoosting")
    loss = {"loss": "absolute_error"} if seen.absolute else {}
    yield _candidate("boosting", seen, "HistGradientBoosting", parameters=loss)
    if seen.logarithmic:
        yield _candidate("boosting-log", seen, "HistGradientBoosting", parameters=loss, target="log")


def _network(seen: Traits) -> Iterator[Candidate]:
    if seen.side and seen.task == "classification":
        parameters = FOR_IMAGES | {"image_shape": (seen.side, seen.side)}
        yield _candidate("network", seen, "ConvolutionalNetwork", parameters=parameters, search=ONE_TRIAL)
    elif seen.rows >= FEWEST_FOR_A_NETWORK:
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, ROWS_TO_SEE // seen.rows))
        parameters = FOR_TABLES | {"epochs": epochs, "patience": epochs}
        if seen.places and seen.task == "regression":
            parameters |= {"crossed": seen.places}
        yield _candidate("network", seen, "WideAndDeep", parameters=parameters, search=ONE_TRIAL)


def _of_texts(seen: Traits) -> Iterator[Candidate]:
    """Give what reads texts as words and pairs of words."""
    words: dict[str, Value] = {"sublinear_tf": True, "min_df": 2}
    pairs: dict[str, Value] = words | {"ngram_range": (1, 2)}
    if seen.task == "regression":
        yield Candidate(name="words", estimator="Ridge", text=words)
        yield Candidate(name="pairs", estimator="Ridge", text=pairs)
        yield Candidate(name="svm", estimator="LinearSVR", text=words, parameters={"max_iter": 5000})
        return
    for name, text in (("words", words), ("pairs", pairs)):
        yield Candidate(name=name, estimator="LogisticRegression", text=text, parameters={"max_iter": 1000})
    yield Candidate(name="svm", estimator="LinearSVC", text=pairs, calibrate="sigmoid")
    yield Candidate(name="network", estimator="TextNetworkClassifier", search=ONE_TRIAL)

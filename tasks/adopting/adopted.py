"""A model that a user already has in production, as a `Model` like those that are trained here.

What is kept is tried: the model that was read and the one that is loaded from the store must predict the same for real
rows. From then on `models.load`, the fresh process and the gate know no difference between it and a trained one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.adopting.adopted_files import read_model
from tasks.adopting.adopted_inputs import Known, of_estimator, of_network
from tasks.candidates import Candidate, TaskKind
from tasks.columns import source_columns
from tasks.errors import ProblemError
from tasks.inputs import inputs
from tasks.keys import library_versions
from tasks.models import Prediction, Predictor, load, save
from tasks.records import Adopted, Artifact, FeatureSet, Input, Model, Split
from tasks.reference import agree, sample
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TRIED_ROWS = 200


def adopt_model(
    path: Path,
    columns: FeatureSet,
    sides: Split,
    trained_on: Artifact,
    task: TaskKind,
    seed: int,
    store: Store,
    *,
    trust_pickle: bool,
) -> Adopted:
    """Give the model of a file, kept in the store; ``columns`` are what the problem's own candidates read.

    Raises
    ------
    ProblemError
        The file cannot be read or holds what is not on the list, it is no model for this task, reads a column that the
        data does not have, tells other classes apart, or cannot predict.
    """
    read, known = read_model(path, trust_pickle=trust_pickle), Known(path, sides.test.columns, columns)
    classes = _classes(columns.target, sides, store) if task == "classification" else np.array([])
    rows, is_network = _some_rows(sides.test, seed, store), path.suffix == ".keras"
    estimator, features = (
        of_network(read.model, known, task, classes) if is_network else of_estimator(read.model, known, task)
    )
    tried = _tried(Predictor(estimator, features), rows, classes, known)
    model = Model(
        candidate=Candidate(name="adopted", estimator=type(_last_step(read.model)).__name__),
        task=task,
        files=save(estimator, features, store),
        columns=features,
        classes=tuple(tried.classes.tolist()),
        inputs=_inputs(features, sides, trained_on, store),
        leaderboard=(),
        trained_on=trained_on,
        libraries=library_versions(),
        seed=seed,
    )
    if not agree(load(model, store).predict(rows).values, tried.values, is_network).all():
        raise ProblemError(f"{path} cannot be kept without a pickle: what was written of it predicts something else.")
    unknown = sorted(set(classes.tolist()) - set(model.classes), key=str)
    notes = (f"The model does not know the class {label!r} of {columns.target}." for label in unknown)
    return Adopted(model=model, notes=(*read.notes, *notes))


def _tried(predictor: Predictor, rows: pd.DataFrame, classes: NDArray[Any], known: Known) -> Prediction:
    """Give a prediction for real rows, after checking that it is what the task needs."""
    try:
        found = predictor.predict(rows)
    except Exception as error:
        first = (str(error).strip().splitlines() or ["no message"])[0].rstrip(".")
        text = f"{known.path} cannot predict for rows of the data: {type(error).__name__}: {first}."
        raise ProblemError(text) from error
    if found.values.shape != (len(rows),):
        raise ProblemError(f"{known.path} predicts values of the shape {found.values.shape[1:]} for each row, not one.")
    if len(classes) and not set(classes.tolist()) & set(found.classes.tolist()):
        raise ProblemError(
            f"{known.path} tells the classes {listed(map(repr, found.classes.tolist()))} apart, but the target "
            f"{known.features.target!r} holds {listed(map(repr, classes.tolist()))}; train it on the target as it is."
        )
    if (shares := found.probabilities) is not None and not _add_up(shares):
        raise ProblemError(f"{known.path} gives no probabilities of classes; end a network with softmax or sigmoid.")
    return found


def _add_up(shares: NDArray[np.float64]) -> bool:
    return bool(((shares >= 0) & (shares <= 1)).all() and np.allclose(shares.sum(axis=1), 1, atol=1e-3))


def _classes(target: str, sides: Split, store: Store) -> NDArray[Any]:
    """Give the classes that the data have, sorted."""
    parts = [store.table(side, [target])[target].to_pandas().dropna().to_numpy() for side in (sides.train, sides.test)]
    return np.unique(np.concatenate(parts))


def _inputs(features: FeatureSet, sides: Split, trained_on: Artifact, store: Store) -> tuple[Input, ...]:
    """Give what the model reads, as the rows that it was trained on had it, or if nobody told, the problem's."""
    told = trained_on.rows > 0 and set(source_columns(features)) <= set(trained_on.names)
    return inputs(trained_on if told else sides.train, features, store)


def _some_rows(test: Artifact, seed: int, store: Store) -> pd.DataFrame:
    table = store.table(test)
    return table.take(sample(table.num_rows, TRIED_ROWS, seed)).to_pandas()


def _last_step(model: Any) -> Any:
    """Give the last step of a pipeline, or the model itself."""
    return _last_step(model.steps[-1][1]) if hasattr(model, "steps") else model

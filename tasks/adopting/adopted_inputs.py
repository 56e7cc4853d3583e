"""What a model from outside reads: it names columns, or it takes all numbers (or the one text) in their order.

The values are those that the data have: whole numbers stay numbers, where one of the problem's own candidates might
take them for categories.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.adopting.adopted_estimators import Unnamed, columns_taken
from tasks.candidates import TaskKind
from tasks.columns import FOLD, ROW, kind_of, names_with_role
from tasks.errors import ProblemError
from tasks.expressions import columns_in, gives
from tasks.models import network_from_outside
from tasks.records import Column, FeatureSet, Role
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Known(NamedTuple):
    """What the data have for a model of a file: columns with their types, and what candidates make of them."""

    path: Path
    columns: tuple[Column, ...]
    features: FeatureSet

    def role(self, name: str) -> Role:
        """Give the role of a column that the model names."""
        dtypes = {column.name: column.dtype for column in self.columns if column.name not in {ROW, FOLD}}
        if name == self.features.target:
            raise ProblemError(f"{self.path} reads the target {name!r}, which nobody knows when a model predicts.")
        if name not in dtypes and name not in self.features.derived:
            known = [*dtypes, *self.features.derived]
            raise ProblemError(
                f"{self.path} reads the column {name!r}, which the data does not have{meant(name, known)}; its "
                f"columns: {listed(known)}. A column that is computed from others is declared in [derived]."
            )
        kind = kind_of(dtypes[name]) if name in dtypes else gives(self.features.derived[name])
        if kind == "date":
            raise ProblemError(f"{self.path} reads the date {name!r}; a model can read what [derived] makes of it.")
        if kind == "number":
            return "numeric"
        return "text" if self.features.roles.get(name) == "text" else "categorical"

    def reading(self, roles: Mapping[str, Role]) -> FeatureSet:
        """Give the feature set of these roles, with the derived columns that they need."""
        needed, derived = set(roles), dict(reversed(self.features.derived.items()))
        for name, text in derived.items():
            needed |= set(columns_in(text)) if name in needed else set()
        kept = {name: text for name, text in self.features.derived.items() if name in needed}
        return FeatureSet(target=self.features.target, roles=dict(roles), derived=kept)

    def named(self, names: Iterable[str]) -> FeatureSet:
        """Give the feature set of columns that the model names, in their order."""
        return self.reading({name: self.role(name) for name in names})


def of_estimator(found: Any, known: Known, task: TaskKind) -> tuple[Any, FeatureSet]:
    """Give a fitted scikit-learn model as it takes a frame of features, and which these are."""
    from sklearn.base import is_classifier, is_regressor

    if not (is_classifier(found) if task == "classification" else is_regressor(found)):
        raise ProblemError(f"{known.path} holds a {type(found).__name__}, which is no model for task = {task!r}.")
    jobs = [name for name in found.get_params() if name.rpartition("__")[2] == "n_jobs"]
    found.set_params(**dict.fromkeys(jobs))  # a forest adds its trees up in the order in which threads finish
    if (names := getattr(found, "feature_names_in_", None)) is not None:
        return found, known.named(map(str, names))
    width, texts = getattr(found, "n_features_in_", None), names_with_role(known.features, "text")
    if width is None and len(texts) == 1:
        return Unnamed(found, texts[0]), known.named(texts)
    numbers = names_with_role(known.features, "numeric")
    if width != len(numbers):
        trained = "is not fitted" if width is None else f"was trained on a matrix of {width} columns without names"
        raise ProblemError(
            f"{known.path} {trained}, which does not fit the {len(numbers)} numeric features of the problem "
            f"({listed(numbers)}); fit it on a pandas DataFrame, whose names tell, or declare columns.drop."
        )
    return Unnamed(found), known.reading(dict.fromkeys(numbers, "numeric"))


def of_network(found: Any, known: Known, task: TaskKind, classes: NDArray[Any]) -> tuple[Any, FeatureSet]:
    """Give a Keras network as it takes a frame of features, and which these are."""
    inputs = {tensor.name: tensor for tensor in found.inputs}
    there = {column.name for column in known.columns} | set(known.features.derived)
    every: dict[str, Role] = dict(known.features.roles)
    every.update({name: _role_for(name, tensor, known) for name, tensor in inputs.items() if name in there})
    try:
        taken = columns_taken(inputs, every)
    except ValueError as error:
        raise ProblemError(f"{known.path} cannot take the data: {error}.") from error
    roles: dict[str, Role] = {name: every[name] for names in taken.values() for name in names}
    width = found.output_shape[-1] if isinstance(found.output_shape, tuple) else None
    fits = (1,) if task == "regression" else (len(classes), 1) if len(classes) == 2 else (len(classes),)
    if width not in fits:
        raise ProblemError(
            f"{known.path} gives outputs of the shape {found.output_shape}, but task = {task!r} needs "
            + (f"{len(classes)} of them, one for each class" if len(classes) else "one number")
            + f"{', or one for the second class' if len(fits) > 1 else ''}."
        )
    features = known.reading(roles)
    estimator = network_from_outside(task, features)
    estimator.network_ = found
    if task == "classification":
        estimator.classes_ = classes
    return estimator, features


def _role_for(name: str, tensor: Any, known: Known) -> Role:
    """Give the role of a column that an input of a network is named for: a number may be taken as text."""
    role = known.role(name)
    if tensor.dtype == "string":
        return "categorical" if role == "numeric" else role
    if role != "numeric":
        raise ProblemError(f"{known.path} takes the column {name!r} as {tensor.dtype}, but it holds text.")
    return role

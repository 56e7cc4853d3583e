"""A version is believed only where it repeats predictions that were stored when it was judged.

That a model's files are unchanged says nothing of the libraries that read them: after an upgrade a file may load and
predict something else. A last bit may move with the shape of a batch (BLAS adds up in another order), a network's
output in its sixth digit; a class must be the same class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.columns import ROW, source_columns
from tasks.errors import StoreError
from tasks.keys import library_versions
from tasks.models import Prediction, Predictor, has_network, load
from tasks.out_of_fold import outputs
from tasks.records import Model, Version
from tasks.sentences import listed
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

REFERENCES = 200
TOLERANCE, NETWORK_TOLERANCE = 1e-9, 1e-5


class Repetition(NamedTuple):
    """How predictions made now compare with those stored: how many rows, how many differ, the largest difference."""

    rows: int
    different: int
    largest: float

    @property
    def same(self) -> bool:
        """Whether there was something to repeat and all of it was repeated."""
        return self.rows > 0 and not self.different


def agree(values: NDArray[Any], expected: NDArray[Any], network: bool) -> NDArray[np.bool_]:
    """Tell for each row whether two predictions are the same, as far as the arithmetic of a model repeats itself.

    Numbers may differ by a share of 1e-9 (a network's: 1e-5) of the expected one or, near zero, of the middle of all.
    """
    same = np.asarray(values == expected, dtype="bool")
    if np.issubdtype(values.dtype, np.floating) and len(values):
        share = NETWORK_TOLERANCE if network else TOLERANCE
        numbers = np.abs(expected[np.isfinite(expected)])
        middle = float(np.median(numbers)) if len(numbers) else 0.0
        same |= np.isclose(values, expected, rtol=share, atol=share * middle, equal_nan=True)
    return same


def repeated(predictor: Predictor, version: Version, store: Store, most: int | None = None) -> Repetition:
    """Give how a predictor's predictions compare with those that a version was judged by: all, or ``most`` of them."""
    rows, expected = _references(version, store, most)
    if not len(rows):
        return Repetition(0, 0, 0.0)
    values = predictor.predict(rows).values
    same = agree(values, expected, has_network(version.model))
    numeric = np.issubdtype(values.dtype, np.number) and not same.all()
    largest = float(np.nanmax(np.abs(values.astype("float64") - expected.astype("float64")))) if numeric else 0.0
    return Repetition(len(rows), int((~same).sum()), largest)


def alike(ours: Prediction, theirs: Prediction, model: Model) -> Repetition:
    """Give how two predictions of one model for the same rows compare: numbers, or the probabilities of classes.

    The largest difference is a share of the expected number; of a probability it is the difference itself.
    """
    values, expected = outputs(ours), outputs(theirs)
    same = agree(values.ravel(), expected.ravel(), has_network(model)).reshape(values.shape).all(axis=1)
    same &= (ours.values == theirs.values) | (not len(ours.classes))
    scale = 1.0 if len(ours.classes) else np.abs(expected).clip(min=np.finfo("float64").tiny)
    return Repetition(len(values), int((~same).sum()), float((np.abs(values - expected) / scale).max(initial=0.0)))


def _references(version: Version, store: Store, most: int | None) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Give test rows, drawn with the model's seed, and the predictions that were stored for them, in their order.

    Rows equal in identity have one hash; where only some of them were judged, nobody can tell which: they are left out.
    """
    stored = store.table(version.scores.predictions, [ROW, "challenger"]).to_pandas()
    test = store.table(version.test, [ROW, *source_columns(version.model.columns)]).to_pandas()
    judged, all_of_them = stored[ROW].value_counts(), test[ROW].value_counts()
    stored = stored[(stored[ROW].map(judged) == stored[ROW].map(all_of_them)).to_numpy()]
    rows = test[test[ROW].isin(stored[ROW]).to_numpy()]
    chosen = sample(len(rows), len(rows) if most is None else most, version.model.seed)
    return rows.iloc[chosen], stored["challenger"].to_numpy()[chosen]


def sample(rows: int, most: int, seed: int) -> NDArray[np.int64]:
    """Give the positions, rising, of at most so many rows of a table, which may be sorted or repeat itself.

    >>> sample(3, 10, 42).tolist()
    [0, 1, 2]
    """
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def load_version(version: Version, store: Store) -> Predictor:
    """Give the predictor of a version after it repeated up to `REFERENCES` of its stored predictions here.

    Where some of these differ, all are repeated, in the batch that they were made in: only that counts against it.

    Raises
    ------
    StoreError
        It cannot be loaded, or it predicts something else than when it was judged; the sentence says what to do.
    """
    name = f"Version {version.number} of {store.problem}"
    try:
        predictor = load(version.model, store)
        found = repeated(predictor, version, store, REFERENCES)
        if found.different:
            found = repeated(predictor, version, store)
    except StoreError as error:
        raise StoreError(f"{name} cannot be used: {error} {_way_out(version, store)}") from error
    except Exception as error:
        text = f"{name} cannot predict here: {type(error).__name__}: {error}. {_way_out(version, store)}"
        raise StoreError(text) from error
    if not found.same:
        raise StoreError(
            f"{name} predicts something else here than when it was judged: {_difference(found)} "
            f"{_way_out(version, store)}"
        )
    return predictor


def _difference(found: Repetition) -> str:
    if not found.rows:
        return "no stored prediction fits its test rows."
    by = f", by up to {found.largest:.3g}" if found.largest else ""
    return f"{found.different:,} of {found.rows:,} stored predictions differ{by}."


def other_libraries(model: Model) -> list[str]:
    """Give the libraries that have another version here than where a model was made, as they stand in a sentence."""
    here, made_with = library_versions(), model.libraries
    return [
        f"{name} {made_with[name]} (here {here[name]})"
        for name in here
        if made_with.get(name, here[name]) != here[name]
    ]


def way_of_making(model: Model) -> str:
    """Give what a person can do to make a model as it was made."""
    if other := other_libraries(model):
        return f"It was made with {listed(other)}: install those."
    return "The libraries are those that it was made with; the code, or the number of cores, is not."


def _way_out(version: Version, store: Store) -> str:
    """Give what a person can do about a version that cannot be used."""
    other = other_libraries(version.model)
    train = f"Train with the libraries that it was made with ({listed(other)}), or put" if other else "Put"
    return (
        f"{train} another version into production: salamander rollback {store.problem}, or "
        f'salamander promote {store.problem} VERSION --because "...".'
    )

"""Declared behaviours of a model, tested on real rows: a column is changed, and the prediction must do as declared.

These are the metamorphic tests of Ribeiro et al., *Beyond Accuracy* (2020): "invariance" and "directional
expectation". The change is made to the source's column, before anything is derived from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.models import Prediction
from tasks.reference import agree
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def changed(rows: pd.DataFrame, behaviour: Behaviour) -> pd.DataFrame:
    """Give rows with one column changed; a missing value stays missing.

    >>> import pandas as pd
    >>> changed(pd.DataFrame({"rooms": [2, 3]}), Behaviour(column="rooms", add=1, prediction="same"))["rooms"].tolist()
    [3.0, 4.0]
    """
    import pandas as pd

    values = rows[behaviour.column]
    if behaviour.add is None and behaviour.multiply is None and not _is_number(values):
        return rows.assign(**{behaviour.column: values.astype("object").where(values.isna(), behaviour.replace)})
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    if behaviour.add is not None:
        found = numbers + behaviour.add
    elif behaviour.multiply is not None:
        found = numbers * behaviour.multiply
    else:
        found = np.where(np.isnan(numbers), np.nan, np.float64(behaviour.replace))
    return rows.assign(**{behaviour.column: pd.Series(found, index=rows.index)})


def _is_number(values: pd.Series[Any]) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def broken(before: Prediction, after: Prediction, behaviour: Behaviour, network: bool) -> NDArray[np.bool_]:
    """Tell for each row whether the predictions before and after a change break a behaviour.

    Raises
    ------
    ProblemError
        The behaviour is about a class or a probability that the model does not have.
    """
    old, new = told(before, behaviour), told(after, behaviour)
    kept = agree(new, old, network)
    match behaviour.prediction:
        case "same":
            return ~kept
        case "not lower":
            return ~(kept | (new > old))
        case "not higher":
            return ~(kept | (new < old))


def told(prediction: Prediction, behaviour: Behaviour) -> NDArray[Any]:
    """Give what a behaviour is about, for each row: the number, the class, or the probability of a class."""
    if behaviour.of is None:
        return prediction.values
    if prediction.probabilities is None:
        raise ProblemError(
            f"gate.behaviours tell of the probability of {behaviour.of!r}, but the model gives no probabilities; "
            "leave out `of` (with prediction = 'same'), or let candidates be estimators that give them."
        )
    labels = [str(label) for label in prediction.classes]
    if behaviour.of not in labels:
        raise ProblemError(
            f"gate.behaviours: of = {behaviour.of!r} is no class of the model{meant(behaviour.of, labels)}; "
            f"its classes: {listed(labels)}."
        )
    return prediction.probabilities[:, labels.index(behaviour.of)]

"""What a model from outside reads, of what the data have."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from tasks.adopting.adopted_estimators import Unnamed
from tasks.adopting.adopted_inputs import Known, of_estimator
from tasks.errors import ProblemError
from tasks.records import Column, FeatureSet

TYPES = {"rooms": "int64", "people": "int64", "place": "string", "notes": "string", "sold": "date32[day]"}
FEATURES = FeatureSet(
    target="price",
    roles={"rooms": "categorical", "notes": "text", "month": "numeric", "size": "numeric"},
    derived={"month": "month(sold)", "area": "among(place, 'shore')", "share": "rooms / people", "size": "share * 2"},
)
KNOWN = Known(
    Path("model.skops"),
    tuple(Column(name=name, dtype=dtype) for name, dtype in (TYPES | {"price": "double"}).items()),
    FEATURES,
)


def test_a_model_reads_the_values_that_the_data_have():
    found = KNOWN.named(["place", "rooms", "notes"])
    assert list(found.roles.items()) == [("place", "categorical"), ("rooms", "numeric"), ("notes", "text")]
    assert found.derived == {}


def test_only_the_derived_columns_that_it_needs_are_made_in_their_order():
    assert KNOWN.named(["size"]).derived == {"share": "rooms / people", "size": "share * 2"}
    assert KNOWN.named(["area", "month"]).derived == {"month": "month(sold)", "area": "among(place, 'shore')"}
    assert KNOWN.named(["area", "month"]).roles == {"area": "categorical", "month": "numeric"}


@pytest.mark.parametrize("name", ["price", "sold", "salamander_row", "garden"])
def test_what_no_model_can_read_is_refused(name):
    known = KNOWN._replace(columns=(*KNOWN.columns, Column(name="salamander_row", dtype="uint64")))
    with pytest.raises(ProblemError, match=rf"^model.skops reads the .*'{name}'"):
        known.named([name])


def test_a_frame_has_names_and_a_matrix_an_order():
    frame = pd.DataFrame({"rooms": [1, 2, 3], "people": [1, 1, 2]})
    estimator, features = of_estimator(Ridge().fit(frame, [1, 2, 3]), KNOWN, "regression")
    assert (type(estimator), list(features.roles)) == (Ridge, ["rooms", "people"])
    estimator, features = of_estimator(Ridge().fit(frame.to_numpy(), [1, 2, 3]), KNOWN, "regression")
    assert (type(estimator), list(features.roles)) == (Unnamed, ["month", "size"])
    assert list(features.derived) == ["month", "share", "size"]
    with pytest.raises(
        ProblemError, match=r"was trained on a matrix of 3 columns .* the 2 numeric features .*month, size"
    ):
        of_estimator(Ridge().fit(np.eye(3), [1, 2, 3]), KNOWN, "regression")


def test_a_model_for_another_task_is_refused():
    fitted = LogisticRegression().fit([[0], [1]], ["a", "b"])
    with pytest.raises(ProblemError, match="holds a LogisticRegression, which is no model for task = 'regression'"):
        of_estimator(fitted, KNOWN, "regression")

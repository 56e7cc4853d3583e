"""A version that answers: loaded, checked and warm, and told of what it answered."""

import asyncio

import numpy as np
import pytest

from serving.served import Served
from tasks.errors import StoreError


@pytest.fixture
def columns():
    return {"x": np.array([1.0, 6.0]), "place": np.array(["shore", "hill"], dtype=object)}


def test_it_says_what_it_reads_and_answers_rows_of_that(store, version_of, columns) -> None:
    served = Served(version_of("DecisionTreeRegressor"), store)
    assert (served.problem, [each.name for each in served.inputs]) == ("houses", ["x", "place"])
    assert served.predict(columns).values == pytest.approx([1, 6], abs=0.2)


def test_it_tells_what_was_asked_and_predicted_once_it_was(store, version_of, columns) -> None:
    sizes, noted = [], []

    async def asked():
        served = Served(version_of("DecisionTreeClassifier"), store, sizes.append)
        served.noted = lambda *found: noted.append(found)
        answer = await served.answer(columns)
        await served.close()
        return answer

    answer = asyncio.run(asked())
    assert noted == [(columns, answer)]
    assert sizes == [2]


def test_a_version_whose_file_was_changed_is_not_served(store, version_of) -> None:
    version = version_of("DecisionTreeRegressor")
    path = store.folder / version.model.files["model.skops"].path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StoreError, match="cannot be used"):
        Served(version, store)


def test_where_arrays_predict_something_else_frames_are_used(store, version_of, columns, monkeypatch) -> None:
    version = version_of("DecisionTreeRegressor")
    as_arrays = Served(version, store).predict(columns).values
    monkeypatch.setattr("tasks.direct.DirectPredictor.repeats", lambda *_: False)
    assert Served(version, store).predict(columns).values.tolist() == as_arrays.tolist()

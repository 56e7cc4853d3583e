from inspect import signature

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import haversine_distances

from tasks import geometry
from tasks.errors import ProblemError
from tasks.expressions import columns_in, evaluate, gives, is_arithmetic

DEGREES = st.floats(-360, 360)
LATITUDES = st.floats(-90, 90)


def test_each_function_takes_as_many_numbers_as_is_said():
    for name, count in geometry.NUMBERS_OF.items():
        assert len(signature(getattr(geometry, name)).parameters) == count + 1


@given(DEGREES, LATITUDES, DEGREES, LATITUDES)
def test_great_circles_are_scikit_learns_haversine(longitude, latitude, longitude0, latitude0):
    places = np.radians([[latitude, longitude], [latitude0, longitude0]])
    expected = haversine_distances(places)[0, 1] * geometry.EARTH_RADIUS_KILOMETRES
    found = geometry.great_circle(np, *map(np.float64, (longitude, latitude, longitude0, latitude0)))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), DEGREES)
def test_turned_axes_keep_distances(x, y, degrees):
    x, y, degrees = map(np.float64, (x, y, degrees))
    turned = geometry.rotated(np, x, y, degrees), geometry.rotated(np, x, y, degrees + 90)
    assert np.hypot(*turned) == pytest.approx(geometry.distance(np, x, y, 0.0, 0.0), rel=1e-9, abs=1e-6)


def test_what_is_missing_stays_missing():
    rows = {"x": np.array([1.0, np.nan]), "y": np.array([2.0, 3.0])}
    for expression in ("distance(x, y, 0, 0)", "great_circle(x, y, 0, 0)", "rotated(x, y, 30)"):
        assert np.isnan(evaluate(expression, rows)).tolist() == [False, True]


def test_they_are_arithmetic_on_columns_and_expressions():
    expression = "distance(x, log(y), x0 + 1, 2)"
    assert columns_in(expression) == ("x", "y", "x0")
    assert gives(expression) == "number"
    assert is_arithmetic(expression)
    assert not is_arithmetic("distance(x, month(y), 1, 2)")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("distance(x, y)", "distance takes 4 numbers (x, y, x0, y0), not 2."),
        ("rotated(x, y, 30, 40)", "rotated takes 3 numbers (x, y, degrees), not 4."),
        ("great_circle()", "great_circle takes 4 numbers (longitude, latitude, longitude0, latitude0), not 0."),
        ("rotated(x, first(y), 30)", "rotated takes a number, but 'first(y)' is a text."),
        ("rotated(x, y, degrees=30)", "'rotated(x, y, degrees=30)' is not allowed; allowed are column names, numbers"),
    ],
)
def test_what_does_not_fit_is_one_sentence(expression, reason):
    with pytest.raises(ProblemError) as caught:
        columns_in(expression)
    assert str(caught.value).startswith(f"derived = {expression!r}: {reason}")

import numpy as np
import pyarrow as pa
import pytest

from tasks.searching.traits import Traits, skewed


def traits(numeric, categorical=()):
    return Traits("regression", 10, tuple(numeric), tuple(categorical), (), absolute=False, logarithmic=False)


def test_an_image_is_a_square_of_numbered_pixels():
    pixels = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    assert traits(pixels).side == 8
    assert traits([f"p{number}" for number in range(49)]).side == 7
    assert traits(pixels[:63]).side is None
    assert traits(pixels, ["camera"]).side is None
    assert traits([*pixels[:63], "age"]).side is None
    assert traits([f"lag{number}" for number in range(4)]).side is None  # too small to see anything on
    assert traits([]).side is None


def test_places_are_named_longitude_and_latitude():
    assert traits(["Latitude", "rooms", "Longitude"]).places == ("Longitude", "Latitude")
    assert traits(["lat", "lng"]).places == ("lng", "lat")
    assert traits(["latitude", "rooms"]).places == ()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (np.exp(np.random.default_rng(0).normal(size=500)), True),
        (np.exp(np.random.default_rng(0).normal(size=500)) - 0.5, False),
        (np.random.default_rng(0).normal(100, 1, 500), False),
        (100 - np.random.default_rng(0).exponential(size=500), False),
        (np.full(10, 3), False),
        (np.array([]), False),
    ],
    ids=["prices", "below-zero", "symmetric", "long-to-the-left", "constant", "none"],
)
def test_a_logarithm_is_for_what_is_above_zero_and_long_to_the_right(target, expected):
    assert skewed(pa.table({"y": target})) == expected

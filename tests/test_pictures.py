import numpy as np
import pytest

from serving.pictures import picture_of
from tasks.records import Input


def inputs(names, **changed):
    made = {"kind": "number", "nullable": False, "low": 0.0, "high": 16.0, "example": 8.0} | changed
    return [Input(name=name, **made) for name in names]


SQUARE = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]


@pytest.mark.parametrize(
    "names",
    [
        SQUARE,
        [f"pixel{row + 1}x{column + 1}" for row in range(8) for column in range(8)],
        [f"pixel_{place}" for place in range(64)],
        [f"pixel{place}" for place in range(1, 65)],
        [f"{place}" for place in range(64)],
    ],
    ids=lambda names: names[0],
)
def test_a_square_of_counted_numbers_is_a_picture_in_whatever_order_they_come(names):
    shuffled = [names[place] for place in np.random.default_rng(7).permutation(64)]
    found = picture_of(inputs(shuffled))
    assert found is not None
    assert (found.side, found.shade, found.columns) == (8, 16.0, tuple(names))


@pytest.mark.parametrize(
    "given",
    [
        inputs(SQUARE[:63]),
        inputs([*SQUARE[:63], "pixel_8_0"]),
        inputs([*SQUARE[:63], "pixel_7_8"]),
        inputs([*SQUARE[:63], "pixel_63"]),
        inputs([*SQUARE[:63], "other_7_7"]),
        inputs([*SQUARE[:63], "age"]),
        inputs(SQUARE, kind="text"),
        inputs(SQUARE, nullable=True),
        inputs(SQUARE, low=-1.0),
        inputs(SQUARE, high=0.0),
        inputs(["x_1", "x_2", "x_3", "x_4"]),
        [],
    ],
)
def test_nothing_else_is_one(given):
    assert picture_of(given) is None


def test_the_middling_picture_says_how_large_and_dark_a_drawing_is_made():
    """Ink in all rows, and in the columns 1 to 6: it ends in the middle of the outermost, or at the edge."""
    middle = {f"pixel_{row}_{column}": 16.0 if 1 <= column <= 6 else 0.0 for row in range(8) for column in range(8)}
    given = [
        Input(name=name, kind="number", nullable=False, low=0, high=16, example=ink) for name, ink in middle.items()
    ]
    found = picture_of(given)
    assert found is not None
    assert (found.height, found.width, found.ink) == (8, 5, 0.75)


def test_a_middling_picture_without_ink_leaves_the_whole_room():
    found = picture_of(inputs(SQUARE, example=0.0))
    assert found is not None
    assert (found.height, found.width, found.ink) == (8, 8, 0.2)

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from tasks.preparing.gradients import ImageGradients


def image(rows):
    return np.array(rows, dtype="float64").reshape(1, -1)


RIGHT = [[0, 0, 1, 1]] * 4
DOWN = np.transpose(RIGHT)


@pytest.mark.parametrize(
    ("rows", "direction"),
    [(RIGHT, 0), (DOWN, 1), (np.fliplr(RIGHT), 2), (np.flipud(DOWN), 3)],
    ids=["right", "down", "left", "up"],
)
def test_grey_that_grows_to_one_side_is_seen_in_that_direction(rows, direction):
    found = ImageGradients(directions=4, cell=4).fit_transform(image(rows))
    np.testing.assert_allclose(found, np.eye(4)[direction : direction + 1], atol=1e-12)


def test_contrast_and_brightness_do_not_matter():
    pixels, _ = load_digits(return_X_y=True)
    made = ImageGradients()
    np.testing.assert_allclose(made.fit_transform(pixels[:20]), made.fit_transform(pixels[:20] * 0.5 + 3.0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(made.fit_transform(pixels), axis=1), 1.0)


def test_an_empty_image_has_no_direction():
    assert not ImageGradients(cell=2).fit_transform(np.zeros((1, 16))).any()


def test_cells_overlap_and_say_where():
    made = ImageGradients(directions=4, cell=3)
    found = made.fit_transform(image([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]))
    names = made.get_feature_names_out().tolist()
    assert names[:4] == ["gradient_0_0_0", "gradient_0_0_1", "gradient_0_1_0", "gradient_0_1_1"]
    assert len(names) == found.shape[1] == 16
    assert found[0, names.index("gradient_0_0_1")] > found[0, names.index("gradient_0_1_1")] > 0


def test_digits_are_told_apart_better_than_by_their_pixels():
    pixels, digits = load_digits(return_X_y=True)
    pixels, digits = pixels[:800], digits[:800]
    plain = cross_val_score(SVC(C=10), pixels, digits).mean()
    assert cross_val_score(make_pipeline(ImageGradients(), SVC(C=10)), pixels, digits).mean() > plain


@pytest.mark.parametrize(
    ("settings", "columns", "reason"),
    [
        ({}, 10, "images must be square, but there are 10 columns; the nearest are 9"),
        ({}, 1, "at least 2 x 2 pixels"),
        ({"cell": 5}, 16, "cell = 5 must be from 1 to 4"),
        ({"directions": 0}, 16, "directions = 0 must be at least 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(settings, columns, reason):
    with pytest.raises(ValueError, match=reason):
        ImageGradients(**settings).fit(np.zeros((2, columns)))

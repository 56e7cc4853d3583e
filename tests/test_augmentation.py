import numpy as np
import pytest
from sklearn.datasets import load_digits

from tasks.networking.augmentation import Changes, changed

IMAGES = load_digits().images[:60].astype("float32")


def made(changes, seed=1, images=IMAGES):
    return changed(images, Changes(**changes), np.random.default_rng(seed))


def test_no_change_gives_the_images_back():
    np.testing.assert_allclose(made({}), IMAGES, atol=1e-4)


@pytest.mark.parametrize("changes", [{"shift": 0.7}, {"rotation": 15.0}, {"zoom": 0.2}, {"bend": 0.5}])
def test_each_change_changes_every_image_a_little_by_the_seed_alone(changes):
    found = made(changes)
    assert found.shape == IMAGES.shape
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, made(changes))
    assert (found != made(changes, seed=2)).any(axis=(1, 2)).all()
    assert ((found >= -1e-4) & (found <= IMAGES.max() + 1e-4)).all()
    alike = [np.corrcoef(new.ravel(), old.ravel())[0, 1] for new, old in zip(found, IMAGES, strict=True)]
    assert 0.7 < np.mean(alike) < 1.0


def centre(image):
    down, right = np.mgrid[: image.shape[0], : image.shape[1]]
    return (down * image).sum() / image.sum(), (right * image).sum() / image.sum()


def test_a_shift_moves_by_at_most_so_many_pixels_in_either_direction():
    image = np.zeros((400, 21, 21), dtype="float32")
    image[:, 10, 10] = 1.0
    moved = np.array([centre(each) for each in made({"shift": 2.0}, images=image)]) - 10
    assert np.abs(moved).max() <= 2.0 + 1e-3
    assert moved.min(axis=0).max() < -1.8
    assert moved.max(axis=0).min() > 1.8


def test_a_rotation_turns_around_the_middle():
    image = np.zeros((200, 21, 21), dtype="float32")
    image[:, 10, 16] = 1.0
    found = np.array([centre(each) for each in made({"rotation": 30.0}, images=image)]) - 10
    np.testing.assert_allclose(np.hypot(*found.T), 6.0, atol=0.15)
    angles = np.degrees(np.arctan2(*found.T))
    assert np.abs(angles).max() <= 31
    assert angles.min() < -20
    assert angles.max() > 20


def test_images_need_not_be_square_and_there_may_be_none():
    assert made({"shift": 1.0, "bend": 0.5}, images=np.ones((3, 5, 9), "float32")).shape == (3, 5, 9)
    assert made({"shift": 1.0}, images=np.ones((0, 8, 8), "float32")).shape == (0, 8, 8)

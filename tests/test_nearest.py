import numpy as np
import pytest

from tasks.preparing.nearest import Nearest, checked_weights, index, scales, search, softening

PLACES = np.array([[0.0], [0.0], [1.0], [5.0]])


def test_no_training_row_is_its_own_neighbour_but_one_at_the_same_place_is():
    found = search(index(PLACES, 2))
    assert found.rows[:, 0].tolist()[:2] == [1, 0]
    assert (found.rows != np.arange(4)[:, None]).all()
    assert found.distances[3].tolist() == [4.0, 5.0]


def test_other_rows_have_the_nearest_training_rows_as_neighbours():
    found = search(index(PLACES, 2), np.array([[4.0]]))
    assert (found.rows.tolist(), found.distances.tolist()) == ([[3, 2]], [[1.0, 3.0]])


def test_there_are_no_more_neighbours_than_other_rows():
    assert search(index(PLACES, 30)).rows.shape == (4, 3)
    with pytest.raises(ValueError, match="neighbours need at least 2 training rows, not 1"):
        index(PLACES[:1], 3)


def test_nearer_values_count_more():
    near = Nearest(np.array([[0.0, 1.0]]), np.array([[0, 1]]))
    values = np.array([[10.0], [40.0]])
    assert near.mean(values, 1.0).tolist() == [[20.0]]
    assert near.first(1).mean(values, 1.0).tolist() == [[10.0]]
    assert near.first(5).rows.tolist() == [[0, 1]]


def test_what_is_infinitely_far_from_all_has_no_mean_and_nobody_is_warned():
    corners = np.random.default_rng(0).normal(size=(100, 2))
    near = search(index(corners, 2), np.array([[1e200, 1e200], [0.0, 0.0]]))
    assert near.distances[0].tolist() == [np.inf, np.inf]
    assert np.isnan(near.mean(corners, 1.0)).tolist() == [[True, True], [False, False]]


def test_softening_is_a_distance_between_places_that_differ():
    assert softening(index(PLACES, 1)) == 2.5
    assert softening(index(np.zeros((3, 1)), 1)) == 1.0


def test_columns_count_by_their_weights_once_standardised():
    numbers = np.array([[0.0, 7.0, 0.0], [4.0, 7.0, 10.0]])
    assert scales(numbers, np.array([1.0, 1.0, 0.5])).tolist() == [0.5, 1.0, 0.1]


def test_weights_are_one_for_each_column():
    assert checked_weights(None, 2).tolist() == [1.0, 1.0]
    assert checked_weights((1, 0.5), 2).tolist() == [1.0, 0.5]
    for wrong in ((1,), (1, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match="must be a number above 0 for each of the 2 columns"):
            checked_weights(wrong, 2)

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from tasks.preparing.neighbours import NeighboursMean, NeighboursTarget

PLACES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
PRICES = np.array([10.0, 20.0, 30.0, 90.0])


def named(made, values):
    return dict(zip(made.get_feature_names_out().tolist(), values.tolist(), strict=True))


def test_the_targets_of_the_nearest_are_told():
    made = NeighboursTarget(neighbours=(1, 3)).fit(PLACES, PRICES)
    found = named(made, made.transform(PLACES[3:] + 5)[0])
    assert found["mean_1"] == found["nearest_target"] == found["highest_3"] == 90.0
    assert found["lowest_3"] == 20.0
    assert found["mean_3"] < 90.0
    assert found["deviation_3"] == pytest.approx(np.std([90.0, 20.0, 30.0]))
    assert found["distance_1"] < found["distance_3"]


def test_no_training_row_is_told_its_own_target():
    """A target changed in one row changes what is made for the others, never what is made for that row."""
    before = NeighboursTarget(neighbours=(1, 3)).fit_transform(PLACES, PRICES)
    changed = PRICES.copy()
    changed[0] = 1e6
    after = NeighboursTarget(neighbours=(1, 3)).fit_transform(PLACES, changed)
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[1:] != before[1:]).any(axis=1).all()


def test_targets_of_pure_chance_are_not_learnt():
    """Were a row its own neighbour, training would look perfect and held-out rows would be predicted by noise."""
    rng = np.random.default_rng(5)
    places, chance = rng.normal(size=(400, 2)), rng.normal(size=400)
    made = NeighboursTarget(neighbours=(1, 5))
    own = LinearRegression().fit(made.fit_transform(places, chance), chance)
    assert own.score(made.fit_transform(places, chance), chance) < 0.1
    assert np.mean(cross_val_score(make_pipeline(made, LinearRegression()), places, chance)) > -0.1


def test_columns_count_by_their_weights():
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    first = NeighboursTarget(neighbours=(1,), weights=(1.0, 0.01)).fit(rows, [1.0, 2.0, 3.0, 4.0])
    other = NeighboursTarget(neighbours=(1,), weights=(0.01, 1.0)).fit(rows, [1.0, 2.0, 3.0, 4.0])
    assert first.transform([[0.0, 0.9]])[0, 0] == other.transform([[0.1, 1.0]])[0, 0] == 1.0
    assert first.transform([[0.9, 0.0]])[0, 0] == other.transform([[1.0, 0.1]])[0, 0] == 2.0


@pytest.mark.parametrize("labels", [["b", "a", "a", "c"], [True, False, False, True], [7, 2, 2, 9]])
def test_of_classes_the_shares_are_told(labels):
    made = NeighboursTarget(neighbours=(1, 3), shares=labels[0] == 7)
    shares = made.fit_transform(PLACES, np.array(labels))
    classes = len(set(labels))
    np.testing.assert_array_equal(made.classes_, np.unique(labels))
    np.testing.assert_allclose(shares[:, :classes].sum(axis=1), 1.0)
    np.testing.assert_allclose(shares[:, classes : 2 * classes].sum(axis=1), 1.0)
    assert shares.shape == (4, len(made.get_feature_names_out())) == (4, 2 * classes + 2)


def test_whole_numbers_are_numbers_unless_they_are_said_to_be_classes():
    assert not len(NeighboursTarget().fit(PLACES, [1, 2, 3, 4]).classes_)


@pytest.mark.parametrize("neighbours", [(), (0,), (3, -1)])
def test_numbers_of_neighbours_are_checked(neighbours):
    with pytest.raises(ValueError, match="must be whole numbers from 1 on, at least one"):
        NeighboursTarget(neighbours=neighbours).fit(PLACES, PRICES)


def test_means_around_a_row_leave_itself_out():
    rows = np.array([[0.0, 5.0, 1.0], [1.0, 7.0, 1.0], [9.0, 1.0, 0.0]])
    made = NeighboursMean(near=1, neighbours=1)
    np.testing.assert_array_equal(made.fit_transform(rows), [[7, 1, -2, 0], [5, 1, 2, 0], [7, 1, -6, -1]])
    np.testing.assert_array_equal(made.transform(rows), [[5, 1, 0, 0], [7, 1, 0, 0], [1, 0, 0, 0]])
    assert made.get_feature_names_out(["x", "income", "age"]).tolist() == [
        "income_around",
        "age_around",
        "income_above",
        "age_above",
    ]


@pytest.mark.parametrize(("settings", "reason"), [({"near": 2}, "near = 2 must be from 1 to 1"), ({"near": 0}, "near")])
def test_what_is_near_and_what_is_told_are_different_columns(settings, reason):
    with pytest.raises(ValueError, match=reason):
        NeighboursMean(**settings).fit(PLACES)


def test_no_neighbours_have_no_mean():
    with pytest.raises(ValueError, match="neighbours = 0 must be at least 1"):
        NeighboursMean(near=1, neighbours=0).fit(PLACES)

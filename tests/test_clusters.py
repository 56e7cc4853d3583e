import numpy as np
import pytest

from tasks.preparing.clusters import ClusterSimilarity

TOWNS = np.array([[0.0, 0.0], [0.1, 0.0], [8.0, 8.0], [8.0, 8.1], [0.0, 0.1], [8.1, 8.0]])


def test_a_row_is_like_the_cluster_that_it_is_in():
    made = ClusterSimilarity(clusters=2, gamma=1.0, random_state=3)
    likeness = made.fit_transform(TOWNS)
    assert likeness.shape == (6, len(made.get_feature_names_out())) == (6, 2)
    assert (likeness.max(axis=1) > 0.99).all()
    assert (likeness.min(axis=1) < 0.05).all()
    assert likeness.argmax(axis=1).tolist() in ([0, 0, 1, 1, 0, 1], [1, 1, 0, 0, 1, 0])


def test_similarity_falls_faster_with_a_greater_gamma():
    far = np.array([[4.0, 4.0]])
    slow, fast = (ClusterSimilarity(2, gamma, 3).fit(TOWNS).transform(far) for gamma in (0.5, 2.0))
    np.testing.assert_allclose(slow**4, fast)


def test_there_are_no_more_clusters_than_different_rows():
    assert ClusterSimilarity(clusters=10, random_state=3).fit_transform(np.repeat(TOWNS[:2], 4, axis=0)).shape == (8, 2)


@pytest.mark.parametrize(("settings", "reason"), [({"clusters": 0}, "clusters = 0"), ({"gamma": 0.0}, r"gamma = 0\.0")])
def test_parameters_are_checked(settings, reason):
    with pytest.raises(ValueError, match=reason):
        ClusterSimilarity(**settings).fit(TOWNS)

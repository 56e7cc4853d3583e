"""How like each cluster a row is: a smooth map of places, made without looking at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ClusterSimilarity(TransformerMixin, BaseEstimator):
    """Gives for each cluster of the training rows how near its centre is: 1 there, 0 far away.

    The clusters are k-means', the similarity is the Gaussian radial basis function exp(-gamma * distance²) (Géron,
    Hands-On Machine Learning, 3rd ed., 2022, chapter 2, "Custom Transformers"). Columns are standardised before.

    Parameters
    ----------
    clusters : int
        How many; fewer where there are fewer different training rows.
    gamma : float
        How fast similarity falls with the distance, in standard deviations.
    random_state : int, optional
        Of the first centres.

    Attributes
    ----------
    scaler_ : StandardScaler
    kmeans_ : KMeans

    Examples
    --------
    >>> places = np.array([[0.0], [0.0], [4.0], [4.0]])
    >>> ClusterSimilarity(clusters=2, gamma=1.0, random_state=1).fit_transform(places).max(axis=1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    reads = "number"

    def __init__(self, clusters: int = 10, gamma: float = 4.0, random_state: int | None = None) -> None:
        self.clusters = clusters
        self.gamma = gamma
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn passes it
        """Find the clusters of rows, shape (rows, columns).

        Raises
        ------
        ValueError
            A parameter does not fit.
        """
        from sklearn.cluster import KMeans
        from sklearn.preprocessing import StandardScaler

        if self.clusters < 1:
            raise ValueError(f"clusters = {self.clusters} must be at least 1")
        if not self.gamma > 0:
            raise ValueError(f"gamma = {self.gamma} must be above 0")
        numbers = np.asarray(X, dtype="float64")
        self.n_features_in_ = numbers.shape[1]
        self.scaler_ = StandardScaler().fit(numbers)
        count = min(self.clusters, len(np.unique(numbers, axis=0)))
        settings: dict[str, Any] = {"n_clusters": count, "n_init": 3, "random_state": self.random_state}
        self.kmeans_ = KMeans(**settings).fit(self.scaler_.transform(numbers))
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Give similarities from 0 to 1, an array of shape (rows, clusters)."""
        from sklearn.metrics.pairwise import rbf_kernel

        check_is_fitted(self, "kmeans_")
        numbers: Any = self.scaler_.transform(np.asarray(X, dtype="float64"))
        return rbf_kernel(numbers, self.kmeans_.cluster_centers_, gamma=self.gamma)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Give a name for each cluster."""
        check_is_fitted(self, "kmeans_")
        names = [f"cluster_{place}" for place in range(len(self.kmeans_.cluster_centers_))]
        return np.asarray(names, dtype="object")

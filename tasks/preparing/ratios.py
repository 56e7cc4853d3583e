"""Words weighed by how much more often one class says them: what a linear model then only has to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NaiveBayesRatios(TransformerMixin, BaseEstimator):
    """Gives for each word, and each run of words, the logarithm of how much more often a class says it than the others.

    A text's words count once each and together have length 1; each is then multiplied by its ratio (Wang and Manning,
    Baselines and Bigrams: Simple, Good Sentiment and Topic Classification, ACL 2012). For two classes the ratios are
    those of the second; for more there is a column of each word for each class.

    As in the paper the ratios of the training rows are known to the estimator that is fitted to the same rows. They
    only say how much a word's weight is held back by its regularisation, so they give no row's own target away.

    Parameters
    ----------
    ngram_range : (int, int)
        The shortest and the longest run of words.
    min_df : int
        In how many texts a run must stand.
    smoothing : float
        What is added to each count.

    Attributes
    ----------
    vectorizer_ : CountVectorizer
    classes_ : array of shape (classes,)
        Sorted.
    ratios_ : array of shape (1 or classes, runs)

    Examples
    --------
    >>> made = NaiveBayesRatios(ngram_range=(1, 1), min_df=1).fit(["good film", "bad film"], ["pro", "contra"])
    >>> dict(zip(made.get_feature_names_out().tolist(), made.ratios_[0].round(2).tolist(), strict=True))
    {'bad': -0.69, 'film': 0.0, 'good': 0.69}
    """

    reads = "text"

    def __init__(self, ngram_range: tuple[int, int] = (1, 2), min_df: int = 2, smoothing: float = 1.0) -> None:
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.smoothing = smoothing

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the words and their ratios from texts, shape (rows,) or (rows, columns), and classes, shape (rows,).

        Raises
        ------
        ValueError
            There are not at least two classes, or a parameter does not fit.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        if not self.smoothing > 0:
            raise ValueError(f"smoothing = {self.smoothing} must be above 0")
        self.classes_ = np.unique(np.asarray(y))
        if len(self.classes_) < 2 or self.classes_.dtype.kind == "f":
            raise ValueError("NaiveBayesRatios needs a target of at least two classes, not of numbers")
        settings: dict[str, Any] = {"ngram_range": tuple(self.ngram_range), "min_df": self.min_df, "binary": True}
        self.vectorizer_ = CountVectorizer(**settings)
        counts: Any = self.vectorizer_.fit_transform(_texts(X))
        said = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.ratios_ = np.stack([self._ratio(counts, np.asarray(y) == label) for label in said])
        return self

    def transform(self, X: Any) -> Any:
        """Give a sparse matrix of shape (rows, runs), or (rows, classes * runs) for more than two classes."""
        from scipy import sparse
        from sklearn.preprocessing import normalize

        check_is_fitted(self, "ratios_")
        counts: Any = self.vectorizer_.transform(_texts(X))
        words: Any = normalize(counts.astype("float64"))
        return sparse.hstack([words.multiply(ratio) for ratio in self.ratios_], format="csr")

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Give the runs of words, with their class where there are more than two."""
        check_is_fitted(self, "ratios_")
        words = self.vectorizer_.get_feature_names_out()
        if len(self.ratios_) == 1:
            return words
        return np.asarray([f"{word} ({label})" for label in self.classes_ for word in words], dtype="object")

    def _ratio(self, counts: Any, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        here, there = (np.asarray(counts[rows].sum(axis=0)).ravel() + self.smoothing for rows in (inside, ~inside))
        return np.log(here / here.sum()) - np.log(there / there.sum())


def _texts(values: Any) -> list[str]:
    """Give one text for each row, of all its columns."""
    table = np.asarray(values, dtype="object")
    return [" ".join(str(text) for text in row) for row in table] if table.ndim == 2 else [str(text) for text in table]

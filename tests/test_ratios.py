import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tasks.preparing.ratios import NaiveBayesRatios

TEXTS = ["a good film", "a good plot", "a bad film", "a bad, bad plot"]
VIEWS = np.array(["pro", "pro", "contra", "contra"])


def ratios(made):
    return dict(zip(made.get_feature_names_out().tolist(), made.ratios_[0].tolist(), strict=True))


def test_words_of_the_second_class_count_above_0_those_of_the_first_below():
    """Each class says 4 words in 2 texts and there are 4 of them: (2 + 1) / (4 + 4) to (0 + 1) / (4 + 4)."""
    found = ratios(NaiveBayesRatios(ngram_range=(1, 1)).fit(TEXTS, VIEWS))
    assert found == pytest.approx({"good": np.log(3), "bad": -np.log(3), "film": 0.0, "plot": 0.0})


def test_texts_have_length_1_before_they_are_weighed_and_words_count_once():
    made = NaiveBayesRatios(ngram_range=(1, 1)).fit(TEXTS, VIEWS)
    found = made.transform(["good good plot", "unheard"])
    assert sparse.issparse(found)
    expected = [ratios(made)["good"] / np.sqrt(2) if name == "good" else 0.0 for name in made.get_feature_names_out()]
    np.testing.assert_allclose(found.toarray(), [expected, [0.0] * 4])


def test_runs_of_words_are_counted_where_they_stand_often_enough():
    names = NaiveBayesRatios(ngram_range=(1, 2), min_df=1).fit(TEXTS, VIEWS).get_feature_names_out()
    assert {"good film", "bad bad"} <= set(names)
    assert "good film" not in NaiveBayesRatios(ngram_range=(1, 2), min_df=2).fit(TEXTS, VIEWS).get_feature_names_out()


def test_more_classes_have_columns_of_their_own():
    made = NaiveBayesRatios(ngram_range=(1, 1), min_df=1).fit(TEXTS, [3, 5, 8, 8])
    found = made.transform(TEXTS)
    names = made.get_feature_names_out().tolist()
    assert found.shape == (4, 12) == (4, len(names))
    assert found[2, names.index("bad (8)")] > 0 > found[2, names.index("bad (3)")]


def test_the_columns_of_a_row_are_one_text():
    table = pd.DataFrame({"title": ["good", "bad"], "text": ["film", "plot"]})
    made = NaiveBayesRatios(ngram_range=(1, 1), min_df=1).fit(table, ["pro", "contra"])
    joined = NaiveBayesRatios(ngram_range=(1, 1), min_df=1).fit(["good film", "bad plot"], ["pro", "contra"])
    np.testing.assert_array_equal(
        made.transform(table).toarray(), joined.transform(["good film", "bad plot"]).toarray()
    )


@pytest.mark.parametrize(
    ("target", "settings", "reason"),
    [
        ([0.5, 1.0, 2.5, 0.1], {}, "a target of at least two classes, not of numbers"),
        (["pro"] * 4, {}, "a target of at least two classes"),
        (VIEWS, {"smoothing": 0.0}, r"smoothing = 0\.0 must be above 0"),
    ],
)
def test_what_does_not_fit_is_one_sentence(target, settings, reason):
    with pytest.raises(ValueError, match=reason):
        NaiveBayesRatios(**settings).fit(TEXTS, target)

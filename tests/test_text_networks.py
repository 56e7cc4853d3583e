import numpy as np
import pandas as pd
import pytest

from tasks.candidates import Candidate
from tasks.columns import derive, served_columns
from tasks.estimators import build
from tasks.models import load, predict, save
from tasks.networks import tensorflow
from tasks.records import FeatureSet, Model

COLUMNS = FeatureSet(
    target="liked",
    roles={"review": "text", "title": "text", "stars": "numeric", "share": "numeric", "kind": "categorical"}
    | {"size": "numeric", "twice": "numeric"},
    derived={"share": "stars / 5", "kind": "first(title)", "size": "words(review)", "twice": "2 * size + share"},
)
ONLY_TEXT = FeatureSet(target="liked", roles={"review": "text"}, derived={})


def reviews(rows=80):
    rng = np.random.default_rng(3)
    liked = rng.random(rows) < 0.5
    plain = np.array(["the", "film", "was", "shot", "in", "spring", "with", "two", "actors", "and", "a", "dog"])
    texts = [
        " ".join([*rng.choice(plain, 6), "not good" if not like else "very good", *rng.choice(plain, 3)])
        for like in liked
    ]
    frame = pd.DataFrame(
        {"review": texts, "title": rng.choice(["A", "B", ""], rows), "stars": rng.integers(1, 6, rows)}
    )
    frame.loc[2, ["review", "title"]] = None
    return frame, np.where(liked, "yes", "no")


def unseen():
    return pd.DataFrame(
        {
            "review": ["Very good, the dog!", None, "", "\u00fcber-gut \U0001f98e", "not good " * 40],
            "title": ["A", None, "Z", "B", "A"],
            "stars": [5.0, np.nan, 1.0, 3.0, 2.0],
        }
    )


def untrained(columns=COLUMNS, **parameters):
    settings = {"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "length": 30} | parameters
    candidate = Candidate(name="words", estimator="TextNetworkClassifier", parameters=settings)
    return build(candidate, "classification", columns, 7)


@pytest.fixture(scope="module")
def network():
    frame, target = reviews()
    return untrained().fit(derive(frame, COLUMNS), target)


def test_a_pair_of_words_is_learnt():
    """Only pairs tell: each word alone stands in both classes, as "not" and "very" do elsewhere."""
    frame, target = reviews(200)
    other = np.where(target == "yes", " the actors not so", " the actors very so")
    frame["review"] = frame["review"].fillna("") + other
    kept, held_out = slice(0, 150), slice(150, 200)
    network = untrained(ONLY_TEXT, epochs=40).fit(derive(frame[kept], ONLY_TEXT), target[kept])
    assert (network.predict(derive(frame[held_out], ONLY_TEXT)) == target[held_out]).mean() > 0.9


def test_the_same_seed_gives_the_same_predictions_and_another_gives_others(network):
    frame, target = reviews()
    features, new = derive(frame, COLUMNS), derive(unseen(), COLUMNS)
    expected = network.predict_features(new)
    np.testing.assert_array_equal(untrained().fit(features, target).predict_features(new), expected)
    assert (untrained(random_state=8).fit(features, target).predict_features(new) != expected).any()


def test_no_word_of_the_rows_held_out_for_early_stopping_is_known():
    frame, target = reviews()
    frame["review"] = [f"word{row}" for row in range(80)]
    network = untrained(ONLY_TEXT, epochs=1).fit(derive(frame, ONLY_TEXT), target)
    cut = next(each for each in network.network_.layers if hasattr(each, "get_vocabulary"))
    assert len([word for word in cut.get_vocabulary() if word.startswith("word")]) == 72


def test_the_loaded_and_the_served_network_repeat_the_predictions(network, store, tmp_path):
    files = save(network, COLUMNS, store)
    model = Model.model_validate(
        {
            "candidate": {"name": "words", "estimator": "TextNetworkClassifier"},
            "task": "classification",
            "files": files,
            "columns": COLUMNS,
            "classes": network.classes_.tolist(),
            "leaderboard": (),
            "trained_on": {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()},
            "libraries": {},
            "seed": 7,
        }
    )
    expected = predict(network, derive(unseen(), COLUMNS))
    prediction = load(model, store).predict(unseen())
    np.testing.assert_array_equal(prediction.values, expected.values)
    np.testing.assert_allclose(prediction.probabilities, expected.probabilities, rtol=1e-5, atol=1e-7)

    store.project(model.served_files, tmp_path / "serving" / "1")
    tf = tensorflow()
    served = tf.saved_model.load(str(tmp_path / "serving" / "1")).signatures["serving_default"]
    signature = served_columns(COLUMNS)
    # What is derived from texts is taken as it is; "share" and "twice" are computed inside.
    assert signature == {"review": False, "title": False, "kind": False, "size": True, "stars": True}
    features = derive(unseen(), COLUMNS)
    answer = served(
        **{
            name: tf.constant(features[name].to_numpy(dtype="float64"))
            if is_number
            else tf.constant(features[name].fillna("").to_numpy(dtype="object"))
            for name, is_number in signature.items()
        }
    )
    np.testing.assert_allclose(answer["probabilities"].numpy(), expected.probabilities, rtol=1e-4, atol=1e-6)
    assert [label.decode() for label in answer["class"].numpy()] == expected.values.tolist()

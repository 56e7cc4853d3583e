import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tasks.candidates import ESTIMATORS, Candidate
from tasks.columns import derive
from tasks.errors import ProblemError
from tasks.estimators import BASELINES, DENSE_ONLY, build, is_network
from tasks.models import load, save
from tasks.records import FeatureSet, File, Model

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COLUMNS = FeatureSet(
    target="sold",
    roles={"rooms": "numeric", "place": "categorical", "income": "numeric", "ratio": "numeric"},
    derived={"ratio": "rooms / income"},
)
EVERY = [
    (task, name)
    for task, known in ESTIMATORS.items()
    for name, module in known.items()
    if module.startswith("sklearn.")
]
NETWORKS = [
    ("classification", "ConvolutionalNetworkClassifier"),
    ("classification", "WideAndDeepClassifier"),
    ("regression", "WideAndDeepRegressor"),
]


def houses(rows=60):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "rooms": rng.integers(1, 9, rows).astype("float64"),
            "place": rng.choice(["shore", "hill"], rows),
            "income": rng.uniform(1, 5, rows),
        }
    )
    frame.loc[3, "rooms"] = np.nan
    return frame


def unseen_houses():
    return pd.DataFrame(
        {"rooms": [2.0, np.nan, 4.0], "place": ["island", "shore", None], "income": [2.0, 1.0, 0.0]}, index=[7, 8, 9]
    )


def targets(task, rows=60):
    price = houses(rows)["income"].to_numpy() * 2 + 1
    return np.where(price > 7, "dear", "cheap") if task == "classification" else price


def fitted(task, name, **parameters):
    estimator = build(Candidate(name="tried", estimator=name, parameters=parameters), task, COLUMNS, 7)
    estimator.fit(derive(houses(), COLUMNS), targets(task))
    return estimator


def model_of(task, name, files: dict[str, File]) -> Model:
    data = {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()}
    return Model.model_validate(
        {
            "candidate": {"name": "tried", "estimator": name},
            "task": task,
            "files": files,
            "columns": COLUMNS,
            "leaderboard": (),
            "trained_on": data,
            "libraries": {},
            "seed": 7,
        }
    )


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_every_estimator_fits_predicts_and_survives_the_store_exactly(store, task, name):
    estimator = fitted(task, name)
    new = unseen_houses()
    expected = estimator.predict(derive(new, COLUMNS))
    assert expected.shape == (3,)
    if task == "classification":
        assert set(expected) <= {"dear", "cheap"}
    else:
        assert np.isfinite(expected).all()
    loaded = load(model_of(task, name, save(estimator, COLUMNS, store)), store)
    prediction = loaded.predict(new)
    np.testing.assert_array_equal(prediction.values, expected)
    if hasattr(estimator, "predict_proba"):
        np.testing.assert_array_equal(prediction.probabilities, estimator.predict_proba(derive(new, COLUMNS)))
        np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_same_seed_gives_the_same_predictions(task, name):
    new = derive(unseen_houses(), COLUMNS)
    np.testing.assert_array_equal(fitted(task, name).predict(new), fitted(task, name).predict(new))


PARAMETERS = [
    ("regression", "HistGradientBoostingRegressor", {"loss": "quantile", "quantile": 0.5}),
    ("regression", "HistGradientBoostingRegressor", {"loss": "poisson", "max_features": 0.5}),
    ("regression", "HistGradientBoostingRegressor", {"loss": "gamma", "early_stopping": True}),
    ("regression", "GradientBoostingRegressor", {"loss": "huber", "n_iter_no_change": 3}),
    ("classification", "GradientBoostingClassifier", {"loss": "exponential"}),
    ("classification", "SGDClassifier", {"loss": "modified_huber", "average": True}),
    ("classification", "RandomForestClassifier", {"class_weight": "balanced", "criterion": "entropy"}),
    ("regression", "DecisionTreeRegressor", {"criterion": "poisson"}),
    ("classification", "SVC", {"kernel": "poly"}),
    ("classification", "LogisticRegression", {"solver": "saga", "l1_ratio": 0.5}),
    ("regression", "MLPRegressor", {"solver": "sgd", "hidden_layer_sizes": (4,), "early_stopping": True}),
    ("regression", "MLPRegressor", {"solver": "lbfgs", "hidden_layer_sizes": (4, 2)}),
    ("regression", "KNeighborsRegressor", {"algorithm": "ball_tree", "p": 3, "weights": "distance"}),
    ("regression", "KNeighborsRegressor", {"algorithm": "kd_tree", "metric": "manhattan"}),
    ("classification", "KNeighborsClassifier", {"metric": "cosine"}),
    ("classification", "KNeighborsClassifier", {"metric": "chebyshev"}),
    ("classification", "KNeighborsClassifier", {"metric": "canberra"}),
]


@pytest.mark.parametrize(("task", "name", "parameters"), PARAMETERS)
def test_declared_parameters_survive_the_store(store, task, name, parameters):
    """What can be trained can be loaded again: the trusted types must cover every part that scikit-learn uses."""
    estimator = fitted(task, name, **parameters)
    loaded = load(model_of(task, name, save(estimator, COLUMNS, store)), store)
    expected = estimator.predict(derive(unseen_houses(), COLUMNS))
    np.testing.assert_array_equal(loaded.predict(unseen_houses()).values, expected)


def last_step(estimator):
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


@pytest.mark.parametrize(("task", "name"), [*EVERY, *NETWORKS])
def test_the_seed_is_set_wherever_there_is_one(task, name):
    estimator = last_step(build(Candidate(name="tried", estimator=name), task, COLUMNS, 1234))
    assert type(estimator).__name__ == name
    if "random_state" in estimator.get_params():
        assert estimator.get_params()["random_state"] == 1234


def test_a_declared_seed_is_kept():
    candidate = Candidate(name="tried", estimator="SVC", parameters={"random_state": 5})
    assert last_step(build(candidate, "classification", COLUMNS, 1234)).random_state == 5


@pytest.mark.parametrize(("task", "name"), [*EVERY, *NETWORKS])
def test_an_unknown_parameter_is_named_with_those_allowed(task, name):
    candidate = Candidate(name="tried", estimator=name, parameters={"n_zebras": 3})
    with pytest.raises(ProblemError) as caught:
        build(candidate, task, COLUMNS, 42)
    sentence = str(caught.value)
    assert sentence.startswith(f"candidates.parameters of 'tried': {name} has no parameter 'n_zebras'")
    assert "; allowed: " in sentence


def test_a_misspelt_parameter_is_proposed():
    candidate = Candidate(name="tried", estimator="RandomForestRegressor", parameters={"n_estimator": 3})
    with pytest.raises(ProblemError, match=r"no parameter 'n_estimator' \(did you mean 'n_estimators'\?\)"):
        build(candidate, "regression", COLUMNS, 42)


def test_parameters_are_set():
    candidate = Candidate(name="tried", estimator="Ridge", parameters={"alpha": 0.25, "solver": "svd"})
    ridge = last_step(build(candidate, "regression", COLUMNS, 42))
    assert (ridge.alpha, ridge.solver) == (0.25, "svd")


@pytest.mark.parametrize(
    ("scale", "name", "expected"),
    [
        (None, "Ridge", ["SimpleImputer", "StandardScaler"]),
        (None, "DecisionTreeRegressor", ["SimpleImputer"]),
        ("minmax", "DecisionTreeRegressor", ["SimpleImputer", "MinMaxScaler"]),
        ("standard", "HistGradientBoostingRegressor", ["EmptyColumns", "StandardScaler"]),
        ("none", "Ridge", ["SimpleImputer"]),
    ],
)
def test_numbers_are_scaled_as_declared_or_where_needed(scale, name, expected):
    pipeline = build(Candidate(name="tried", estimator=name, scale=scale), "regression", COLUMNS, 42)
    numeric = pipeline.named_steps["prepare"].transformers[0][1]
    assert [type(step).__name__ for _, step in numeric.steps] == expected


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_columns_without_any_value_do_not_stop_a_pipeline(task, name):
    """As where a fold happens to hold the only rows that have one."""
    frame = derive(houses(), COLUMNS).assign(income=np.nan, place=None)
    estimator = build(Candidate(name="tried", estimator=name), task, COLUMNS, 42)
    found = estimator.fit(frame, targets(task)).predict(derive(houses(), COLUMNS))
    assert pd.notna(found).all()


def test_only_networks_are_networks():
    for task, name in [*EVERY, *NETWORKS]:
        estimator = build(Candidate(name="tried", estimator=name), task, COLUMNS, 42)
        assert is_network(estimator) == ((task, name) in NETWORKS)


def test_a_network_learns_its_columns():
    network = build(Candidate(name="tried", estimator="WideAndDeepRegressor"), "regression", COLUMNS, 42)
    assert (network.numeric, network.categorical) == (["rooms", "income", "ratio"], ["place"])


PREPARED = [
    {"impute": "mean", "scale": "robust"},
    {"impute": "most_frequent", "scale": "minmax"},
    {"impute": "neighbours", "scale": "none"},
    {"encode": "ordinal"},
    {"encode": "target"},
    {"components": 2},
    {"leave_out": ("place", "income")},
]


def learnt(task, **declared):
    estimator = {"regression": "Ridge", "classification": "LogisticRegression"}[task]
    candidate = Candidate.model_validate({"name": "tried", "estimator": estimator} | declared)
    return build(candidate, task, COLUMNS, 7).fit(derive(houses(), COLUMNS), targets(task))


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("declared", PREPARED, ids=str)
def test_however_inputs_are_prepared_the_same_is_loaded(store, task, declared):
    estimator, new = learnt(task, **declared), unseen_houses()
    expected = estimator.predict(derive(new, COLUMNS))
    loaded = load(model_of(task, "tried", save(estimator, COLUMNS, store)), store)
    np.testing.assert_array_equal(loaded.predict(new).values, expected)
    again = learnt(task, **declared).predict(derive(new, COLUMNS))
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize(
    ("declared", "block", "steps"),
    [
        ({"impute": "neighbours"}, "numeric", ["KNNImputer", "StandardScaler"]),
        ({"components": 2, "scale": "none"}, "numeric", ["SimpleImputer", "PCA"]),
        ({"scale": "quantile"}, "numeric", ["SimpleImputer", "QuantileTransformer"]),
        ({"encode": "target"}, "categorical", ["TargetEncoder"]),
        ({"encode": "ordinal"}, "categorical", ["OrdinalEncoder"]),
    ],
)
def test_inputs_are_prepared_as_declared(declared, block, steps):
    candidate = Candidate.model_validate({"name": "tried", "estimator": "Ridge"} | declared)
    prepare = build(candidate, "regression", COLUMNS, 7).named_steps["prepare"]
    found = {name: transformer for name, transformer, _ in prepare.transformers}[block]
    parts = [step for _, step in found.steps] if hasattr(found, "steps") else [found]
    assert [type(part).__name__ for part in parts] == steps


def test_a_category_that_training_has_not_seen_has_the_mean_of_all():
    estimator = learnt("regression", encode="target")
    rows = unseen_houses().assign(place=["island", "island", "island"])
    encoded = estimator.named_steps["prepare"].named_transformers_["categorical"].transform(rows[["place"]])
    np.testing.assert_allclose(encoded, np.mean(targets("regression")))


def test_boosting_takes_missing_numbers_as_they_are_unless_told_otherwise():
    def steps(**declared):
        candidate = Candidate(name="tried", estimator="HistGradientBoostingRegressor", **declared)
        numeric = build(candidate, "regression", COLUMNS, 7).named_steps["prepare"].transformers[0][1]
        return [name for name, _ in numeric.steps]

    assert steps() == ["fill"]
    assert steps(impute="median") == ["impute"]
    assert steps(components=2) == ["impute", "components"]


def test_what_is_left_out_is_not_read():
    estimator = learnt("regression", leave_out=("income", "ratio"))
    new = derive(unseen_houses(), COLUMNS)
    moved = new.assign(income=99.0, ratio=-1.0)
    np.testing.assert_array_equal(estimator.predict(new), estimator.predict(moved))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_baseline_that_only_counts_has_nothing_prepared_for_it(store, task):
    (dummy,) = (each for each in BASELINES[task] if each.name == "dummy")
    features, target = derive(houses(), COLUMNS), targets(task)
    prepared = build(dummy, task, COLUMNS, 7).fit(features, target)
    plain = build(Candidate(name="plain", estimator=dummy.estimator), task, COLUMNS, 7).fit(features, target)
    assert prepared["prepare"].transform(features).shape == (len(features), 0)
    assert prepared.predict(features).tolist() == plain.predict(features).tolist()
    kept = load(model_of(task, dummy.estimator, save(prepared, COLUMNS, store)), store)
    assert kept.predict(unseen_houses()).values.tolist() == prepared.predict(features)[:3].tolist()


def test_the_logarithm_of_the_target_is_learnt():
    estimator = learnt("regression", target="log")
    plain = build(Candidate(name="tried", estimator="Ridge"), "regression", COLUMNS, 7)
    plain.fit(derive(houses(), COLUMNS), np.log(targets("regression")))
    new = derive(unseen_houses(), COLUMNS)
    np.testing.assert_allclose(estimator.predict(new), np.exp(plain.predict(new)), rtol=1e-12)


def test_calibrated_probabilities_come_from_scores_of_rows_held_out(store):
    candidate = Candidate(name="tried", estimator="LinearSVC", calibrate="sigmoid")
    estimator = build(candidate, "classification", COLUMNS, 7)
    estimator.fit(derive(houses(), COLUMNS), targets("classification"))
    loaded = load(model_of("classification", "LinearSVC", save(estimator, COLUMNS, store)), store)
    prediction = loaded.predict(unseen_houses())
    assert prediction.probabilities.shape == (3, 2)
    np.testing.assert_array_equal(prediction.probabilities, estimator.predict_proba(derive(unseen_houses(), COLUMNS)))


@pytest.mark.parametrize(
    ("task", "declared", "expected"),
    [
        ("regression", {"leave_out": ("incom",)}, "candidates.leave_out of 'tried' names 'incom', which is no feature"),
        (
            "regression",
            {"estimator": "WideAndDeepRegressor", "target": "log"},
            "WideAndDeepRegressor is a network, which is neither calibrated nor fitted to the logarithm of its target",
        ),
        (
            "classification",
            {"estimator": "WideAndDeepClassifier", "calibrate": "sigmoid"},
            "leave out calibrate and target",
        ),
    ],
)
def test_a_way_of_preparing_that_does_not_fit_is_a_sentence(task, declared, expected):
    candidate = Candidate.model_validate({"name": "tried", "estimator": "Ridge"} | declared)
    with pytest.raises(ProblemError) as caught:
        build(candidate, task, COLUMNS, 7)
    assert expected in str(caught.value)


# Texts.

TEXTS = FeatureSet(
    target="sold", roles={"rooms": "numeric", "place": "categorical", "advert": "text", "letter": "text"}, derived={}
)
SMALL = {"max_features": 20}


def adverts(rows=60):
    rng = np.random.default_rng(2)
    words = np.array(["a", "sunny", "quiet", "house", "flat", "with", "garden", "and", "balcony", "near", "the", "sea"])
    texts = [" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(2 * rows)]
    texts[5] = ""
    return houses(rows)[["rooms", "place"]].assign(advert=texts[:rows], letter=texts[rows:])


def unseen_adverts():
    return pd.DataFrame(
        {
            "rooms": [2.0, np.nan],
            "place": ["island", None],
            "advert": ["a castle with garden", None],
            "letter": [None, "\u00fcber sunny sunny"],
        }
    )


def text_candidate(name, **changes):
    needed = {"text": SMALL} if name in DENSE_ONLY else {"text": {"ngram_range": (1, 2), "sublinear_tf": True}}
    return Candidate.model_validate({"name": "tried", "estimator": name} | needed | changes)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_texts_go_through_every_estimator_and_survive_the_store_exactly(store, task, name):
    estimator = build(text_candidate(name), task, TEXTS, 7).fit(derive(adverts(), TEXTS), targets(task))
    expected = estimator.predict(derive(unseen_adverts(), TEXTS))
    assert expected.shape == (2,)
    model = model_of(task, name, save(estimator, TEXTS, store)).model_copy(update={"columns": TEXTS})
    prediction = load(model, store).predict(unseen_adverts())
    np.testing.assert_array_equal(prediction.values, expected)
    if prediction.probabilities is not None:
        expected = estimator.predict_proba(derive(unseen_adverts(), TEXTS))
        np.testing.assert_array_equal(prediction.probabilities, expected)


@pytest.mark.parametrize(
    "text",
    [
        {"analyzer": "char_wb", "ngram_range": (2, 3)},
        {"stop_words": "english"},
        {"stop_words": ("a", "the")},
        {"use_idf": False, "norm": None},
        {"max_df": 0.5, "min_df": 2, "binary": True, "token_pattern": r"\w+", "strip_accents": "unicode"},
    ],
)
def test_every_setting_survives_the_store(store, text):
    candidate = text_candidate("LogisticRegression", text=text)
    estimator = build(candidate, "classification", TEXTS, 7).fit(derive(adverts(), TEXTS), targets("classification"))
    model = model_of("classification", "LogisticRegression", save(estimator, TEXTS, store))
    prediction = load(model.model_copy(update={"columns": TEXTS}), store).predict(unseen_adverts())
    expected = estimator.predict_proba(derive(unseen_adverts(), TEXTS))
    np.testing.assert_array_equal(prediction.probabilities, expected)


def test_words_are_weighed_as_scikit_learn_weighs_them_and_only_numbers_are_scaled():
    only = FeatureSet(target="sold", roles={"advert": "text"}, derived={})
    pipeline = build(text_candidate("LogisticRegression"), "classification", only, 7)
    pipeline.fit(adverts()[["advert"]], targets("classification"))
    direct = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(adverts()["advert"])
    found = pipeline.named_steps["prepare"].transform(adverts()[["advert"]])
    np.testing.assert_allclose(found.toarray(), direct.toarray(), rtol=1e-12)


def test_what_a_vectorizer_learns_is_learnt_from_the_rows_that_it_is_fitted_on():
    pipeline = build(text_candidate("LogisticRegression", text={}), "classification", TEXTS, 7)
    frame = derive(adverts(), TEXTS)
    pipeline.fit(frame.assign(advert="only word"), targets("classification"))
    words = pipeline.named_steps["prepare"].named_transformers_["words of advert"].vocabulary_
    assert set(words) == {"only", "word"}


@pytest.mark.parametrize(
    ("name", "text", "columns", "expected"),
    [
        ("SVC", {"ngrams": 2}, TEXTS, "TfidfVectorizer has no setting 'ngrams'"),
        ("SVC", {"ngram_rang": (1, 2)}, TEXTS, "no setting 'ngram_rang' (did you mean 'ngram_range'?); allowed: "),
        ("SVC", {"input": "filename"}, TEXTS, "TfidfVectorizer has no setting 'input'"),
        ("SVC", {"min_df": 2}, COLUMNS, "candidates.text of 'tried' needs a column of the role text"),
        ("GaussianNB", {}, TEXTS, "GaussianNB takes dense numbers only, so the number of words must be limited"),
        ("HistGradientBoostingClassifier", {"max_features": 10**6}, TEXTS, "at most 5,000"),
        ("WideAndDeepClassifier", {}, TEXTS, "reads no texts, but there are the columns of the role text (advert, let"),
        ("TextNetworkClassifier", {}, COLUMNS, "reads texts, but there is no column of the role text; declare one"),
        ("TextNetworkClassifier", {"min_df": 2}, TEXTS, "its settings belong in parameters"),
    ],
)
def test_wrong_use_of_texts_is_a_sentence(name, text, columns, expected):
    with pytest.raises(ProblemError) as caught:
        build(text_candidate(name, text=text), "classification", columns, 7)
    assert expected in str(caught.value)
    assert "of 'tried'" in str(caught.value)

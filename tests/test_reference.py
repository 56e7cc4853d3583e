"""A version is believed where it repeats its stored predictions; where it does not, a sentence says what to do."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import ROW
from tasks.errors import StoreError
from tasks.models import load
from tasks.records import Cutoff, Version
from tasks.reference import agree, load_version, repeated, sample


def altered(version, store, rows, by=0.5):
    """Give the version with stored predictions of some rows that its model does not repeat."""
    table = store.table(version.scores.predictions).to_pandas()
    table.loc[rows, "challenger"] += by
    return with_predictions(version, store, table)


def with_predictions(version, store, table):
    kept = store.keep_table(pa.Table.from_pandas(table, preserve_index=False), "predictions")
    return version.model_copy(update={"scores": version.scores.model_copy(update={"predictions": kept})})


def test_numbers_agree_up_to_their_arithmetic():
    expected = np.array([1.0, 1000.0, 0.0, np.nan])
    assert agree(expected, expected, network=False).all()
    assert agree(expected * (1 + 1e-12), expected, network=False).all()
    assert agree(expected * (1 + 1e-7), expected, network=False).tolist() == [False, False, True, True]
    assert agree(expected * (1 + 1e-7), expected, network=True).all()
    assert agree(expected * (1 + 1e-3), expected, network=True).tolist() == [False, False, True, True]


def test_near_zero_the_middle_of_all_is_the_measure():
    expected = np.array([1e-9, 200_000.0, 300_000.0])
    assert agree(expected + np.array([1e-6, 0, 0]), expected, network=False).all()
    assert not agree(expected + np.array([1e-3, 0, 0]), expected, network=False)[0]


def test_an_endless_number_excuses_no_other():
    expected = np.array([np.inf, np.inf, 1.0])
    assert agree(np.array([np.inf, 3.0, 2.0]), expected, network=True).tolist() == [True, False, False]


def test_classes_are_the_same_or_not():
    found = agree(np.array(["a", "b"]), np.array(["a", "c"], dtype="object"), network=True)
    assert found.tolist() == [True, False]
    assert agree(np.array([1, 2]), np.array([1, 3]), network=True).tolist() == [True, False]


@pytest.mark.parametrize("estimator", ["RandomForestRegressor", "LogisticRegression"])
def test_a_version_that_repeats_its_predictions_is_loaded(version_of, store, estimator):
    version = version_of(estimator)
    frame = store.table(version.test).to_pandas()
    values = load_version(version, store).predict(frame).values
    assert values.tolist() == store.table(version.scores.predictions)["challenger"].to_pylist()
    assert repeated(load(version.model, store), version, store) == (30, 0, 0.0)


MEMBERS = [
    ("EnsembleRegressor", "RandomForestRegressor", "HistGradientBoostingRegressor", "Ridge"),
    ("EnsembleRegressor", "RandomForestRegressor", "WideAndDeepRegressor"),
    ("EnsembleClassifier", "LogisticRegression", "LinearSVC"),
    ("EnsembleClassifier", "RandomForestClassifier", "WideAndDeepClassifier"),
]


@pytest.mark.parametrize("members", MEMBERS, ids="-".join)
def test_an_ensemble_that_repeats_its_predictions_is_loaded(version_of_ensemble, store, members):
    version = version_of_ensemble(*members)
    predictor = load_version(version, store)
    assert repeated(predictor, version, store).same
    assert predictor.predict(store.table(version.test).to_pandas()).values.shape == (30,)


def test_an_ensemble_with_a_network_may_differ_in_the_sixth_digit(version_of_ensemble, store):
    version = version_of_ensemble("EnsembleRegressor", "RandomForestRegressor", "WideAndDeepRegressor")
    assert load_version(altered(version, store, [3], 1e-6), store)
    with pytest.raises(StoreError, match="1 of 30 stored predictions differ"):
        load_version(altered(version, store, [3], 1e-3), store)
    trees = version_of_ensemble("EnsembleRegressor", "RandomForestRegressor", "ExtraTreesRegressor")
    with pytest.raises(StoreError, match="1 of 30 stored predictions differ"):
        load_version(altered(trees, store, [3], 1e-6), store)


def test_a_version_with_a_threshold_repeats_what_that_decides(version_of, store):
    version = version_of("LogisticRegression", cutoff=Cutoff(positive="villa", threshold=0.05))
    table = store.table(version.scores.predictions)["challenger"].to_pylist()
    assert load_version(version, store).predict(store.table(version.test).to_pandas()).values.tolist() == table
    plain = version.model_copy(update={"model": version.model.model_copy(update={"cutoff": None})})
    with pytest.raises(StoreError, match="of 30 stored predictions differ"):
        load_version(plain, store)


def test_a_version_that_predicts_something_else_is_refused_with_a_way_out(version_of, store):
    version = altered(version_of(), store, [3, 7])
    with pytest.raises(StoreError) as caught:
        load_version(version, store)
    assert str(caught.value) == (
        "Version 0 of houses predicts something else here than when it was judged: 2 of 30 stored predictions differ, "
        "by up to 0.5. Put another version into production: salamander rollback houses, or salamander promote houses "
        'VERSION --because "...".'
    )


def test_other_libraries_are_named(version_of, store):
    version = altered(version_of(), store, [3])
    libraries = version.model.libraries | {"scikit-learn": "1.2.3"}
    model = version.model.model_copy(update={"libraries": libraries})
    with pytest.raises(StoreError, match=r"Train with the libraries that it was made with \(scikit-learn 1.2.3 \(here"):
        load_version(version.model_copy(update={"model": model}), store)


def test_references_are_drawn_from_the_table_and_all_count_in_the_end(version_of, store):
    version = version_of(test_rows=1000)
    late = altered(version, store, range(900, 1000))
    with pytest.raises(StoreError, match="100 of 1,000 stored predictions differ"):
        load_version(late, store)
    few = repeated(load(version.model, store), late, store, most=200)
    assert few.rows == 200
    assert 5 < few.different < 40


def test_a_model_that_cannot_be_loaded_is_refused_with_a_way_out(version_of, store):
    version = version_of()
    store.path(version.model.files["model.skops"]).write_bytes(b"damaged")
    with pytest.raises(StoreError, match=r"Version 0 of houses cannot be used: .* was changed .* salamander rollback"):
        load_version(version, store)


def test_a_model_that_does_not_predict_is_refused_with_a_way_out(version_of, store):
    version = version_of()
    columns = version.model.columns.model_copy(update={"roles": {"x": "numeric"}})
    with pytest.raises(StoreError, match=r"Version 0 of houses cannot predict here: .*'place'.* salamander rollback"):
        load_version(version.model_copy(update={"model": version.model.model_copy(update={"columns": columns})}), store)


def test_rows_of_one_hash_of_which_some_were_left_out_are_not_compared(version_of, store):
    version = version_of()
    frame = store.table(version.test).to_pandas()
    frame.loc[1, ROW] = frame.loc[0, ROW]
    test = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "test")
    version = version.model_copy(update={"test": test})
    table = store.table(version.scores.predictions).to_pandas()
    table.loc[1, ROW] = table.loc[0, ROW]
    both = with_predictions(version, store, table)
    assert repeated(load(version.model, store), both, store) == (30, 0, 0.0)
    second = with_predictions(version, store, table.drop(index=0))
    assert repeated(load(version.model, store), second, store) == (28, 0, 0.0)


def test_predictions_of_other_rows_are_no_reference(version_of, store):
    version = version_of()
    table = store.table(version.scores.predictions).to_pandas()
    table[ROW] += np.uint64(1000)
    with pytest.raises(StoreError, match="no stored prediction fits its test rows"):
        load_version(with_predictions(version, store, table), store)


def test_only_judged_rows_are_compared(version_of, store):
    version = version_of()
    table = store.table(version.scores.predictions).to_pandas()
    assert repeated(load(version.model, store), with_predictions(version, store, table[::2]), store) == (15, 0, 0.0)


def test_a_version_of_the_first_schema_is_believed_too(version_of, store):
    version = version_of()
    old = version.model_dump(mode="json", exclude={"gate", "look", "measurements", "snapshot_number", "declaration"})
    for name in ("excluded", "anchor_version", "baselines", "target_range", "blocks", "seed"):
        del old["scores"][name]
    read = Version.model_validate(old | {"schema_version": 1, "number": 3})
    assert load_version(read, store).predict(pd.DataFrame({"x": [1.0], "place": ["hill"]})).values.shape == (1,)


def test_a_sample_has_no_rhythm():
    chosen = sample(3000, 1000, 42)
    assert len(set(chosen)) == 1000
    assert (np.diff(chosen) > 0).all()
    assert 250 < (chosen % 3 == 0).sum() < 420
    assert (sample(3000, 1000, 42) == chosen).all()

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.columns import derive, feature_set, identity_columns, names_with_role, row_hashes, source_columns
from tasks.errors import ProblemError
from tasks.problem import Problem
from tasks.records import Artifact, Column, FeatureSet, File


def problem(**changes):
    return Problem.model_validate(
        {
            "name": "houses",
            "task": "regression",
            "target": "price",
            "source": {"kind": "bundled", "name": "diabetes"},
            "candidates": [{"name": "ridge", "estimator": "Ridge"}],
        }
        | changes
    )


DATA = [
    Column(name="rooms", dtype="int64"),
    Column(name="income", dtype="double"),
    Column(name="garden", dtype="bool"),
    Column(name="place", dtype="large_string"),
    Column(name="sold", dtype="timestamp[ns]"),
    Column(name="street", dtype="dictionary<values=string, indices=int32, ordered=0>"),
    Column(name="price", dtype="float"),
]


def test_numbers_are_numeric_and_everything_else_is_categorical():
    features = feature_set(problem(), DATA)
    assert features.target == "price"
    assert features.roles == {
        "rooms": "numeric",
        "income": "numeric",
        "garden": "numeric",
        "place": "categorical",
        "sold": "categorical",
        "street": "categorical",
    }


def test_the_problem_has_the_last_word_on_roles():
    declared = problem(
        columns={"drop": ["sold"], "categorical": ["rooms"], "numeric": ["garden"]},
        derived={"rooms_per_income": "rooms / income"},
    )
    features = feature_set(declared, DATA)
    assert names_with_role(features, "numeric") == ["income", "garden", "rooms_per_income"]
    assert names_with_role(features, "categorical") == ["rooms", "place", "street"]
    assert "sold" not in features.roles


def test_what_a_derived_column_reads_is_read_even_if_it_is_no_feature():
    declared = problem(columns={"drop": ["rooms", "income", "sold"]}, derived={"ratio": "rooms / income"})
    assert source_columns(feature_set(declared, DATA)) == ["garden", "place", "street", "income", "rooms"]


def test_text_cannot_be_numeric():
    with pytest.raises(ProblemError, match=r"columns\.numeric .*'street'"):
        feature_set(problem(columns={"numeric": ["street"]}), DATA)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target": "prise"}, "target names the column 'prise', which the data does not have (did you mean 'price'?)"),
        ({"identity": ["romms"]}, "identity names the column 'romms', which the data does not have (did you mean 'roo"),
        ({"split": {"stratify": "incom"}}, "split.stratify names the column 'incom'"),
        ({"columns": {"drop": ["xyz"]}}, "columns.drop names the column 'xyz', which the data does not have; its col"),
        ({"columns": {"numeric": ["plaec"]}}, "columns.numeric names the column 'plaec'"),
        ({"columns": {"categorical": ["plaec"]}}, "columns.categorical names the column 'plaec'"),
        ({"derived": {"ratio": "rooms / incme"}}, "derived.ratio names the column 'incme'"),
        ({"derived": {"income": "rooms / 2"}}, "derived.income has the name of a column of the data"),
        ({"derived": {"ratio": "rooms / min(income)"}}, "'min(income)' is not allowed"),
    ],
)
def test_a_column_that_the_data_does_not_have_is_named(changes, expected):
    with pytest.raises(ProblemError) as caught:
        feature_set(problem(**changes), DATA)
    assert expected in str(caught.value)


def test_the_refusal_lists_the_columns_and_the_file():
    with pytest.raises(ProblemError) as caught:
        feature_set(problem(target="xyz"), DATA[:2])
    assert str(caught.value) == (
        "data/houses/problem.toml: target names the column 'xyz', which the data does not have; "
        "its columns: rooms, income."
    )


def features(**changes):
    return FeatureSet.model_validate({"target": "price", "roles": {"rooms": "numeric"}, "derived": {}} | changes)


def test_derived_columns_and_missing_values():
    columns = features(
        roles={"rooms": "numeric", "place": "categorical", "ratio": "numeric"}, derived={"ratio": "rooms / homes"}
    )
    frame = pd.DataFrame(
        {
            "place": ["shore", None, "hill", "hill"],
            "rooms": [6, 5, 0, 1],
            "homes": [4, 0, 0, None],
            "price": [1.0, 2.0, 3.0, 4.0],
        },
        index=[3, 1, 2, 0],
    )
    given_features = derive(frame, columns)
    assert list(given_features.columns) == ["rooms", "place", "ratio"]
    assert list(given_features.index) == [3, 1, 2, 0]
    assert given_features["rooms"].dtype == np.float64
    # 5 / 0 and 0 / 0 are missing, not infinite
    np.testing.assert_array_equal(given_features["ratio"], [1.5, np.nan, np.nan, np.nan])
    assert given_features["place"].isna().tolist() == [False, True, False, False]
    assert given_features["place"].dropna().tolist() == ["shore", "hill", "hill"]


@pytest.mark.parametrize("expression", ["log(rooms - 6)", "sqrt(-rooms)", "exp(rooms * 1000)", "rooms ** 999"])
def test_what_is_no_number_is_missing(expression):
    columns = features(roles={"value": "numeric"}, derived={"value": expression})
    assert derive(pd.DataFrame({"rooms": [6.0, 5.0]}), columns)["value"].isna().all()


def test_a_derived_value_depends_on_its_own_row_alone():
    columns = features(roles={"ratio": "numeric"}, derived={"ratio": "rooms / homes"})
    frame = pd.DataFrame({"rooms": np.arange(50.0), "homes": np.arange(50.0) % 7})
    whole = derive(frame, columns)
    alone = pd.concat([derive(frame.iloc[[row]], columns) for row in range(len(frame))])
    pd.testing.assert_frame_equal(whole, alone)


def test_booleans_and_nullable_integers_are_numbers():
    columns = features(roles={"rooms": "numeric", "garden": "numeric"})
    frame = pd.DataFrame({"rooms": pd.array([1, None], dtype="Int64"), "garden": [True, None]})
    given_features = derive(frame, columns)
    np.testing.assert_array_equal(given_features["rooms"], [1.0, np.nan])
    np.testing.assert_array_equal(given_features["garden"], [1.0, np.nan])


def test_a_category_is_the_same_text_whether_read_as_integer_or_as_float():
    """One missing value makes pandas read a column of integers as floats; the model must still know its categories."""
    columns = features(roles={"district": "categorical"})
    whole = derive(pd.DataFrame({"district": [12, 7]}), columns)["district"].tolist()
    gappy = derive(pd.DataFrame({"district": [12, 7, None]}), columns)["district"].dropna().tolist()
    assert gappy == whole


def test_identity_is_declared_or_all_but_the_target():
    file = File(path="x", sha256="0" * 64, size=1)
    data = Artifact(file=file, rows=1, columns=tuple(DATA))
    assert identity_columns(("place", "rooms"), "price", data) == ("place", "rooms")
    assert identity_columns((), "price", data) == ("rooms", "income", "garden", "place", "sold", "street")


# Hashes of rows.

FRAME = pd.DataFrame(
    {"x": [1.5, 2.5, np.nan, 4.0], "n": [1, 2, 3, 4], "place": ["shore", "hill", None, "shore"], "other": range(4)}
)
IDENTITY = ("x", "n", "place")


def test_hashes_do_not_depend_on_the_order_of_rows_or_columns():
    expected = row_hashes(FRAME, IDENTITY)
    assert expected.dtype == np.uint64
    assert len(set(expected)) == 4
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(row_hashes(FRAME.iloc[order], IDENTITY), expected[order])
    np.testing.assert_array_equal(row_hashes(FRAME[["place", "other", "n", "x"]], IDENTITY[::-1]), expected)


def test_hashes_do_not_depend_on_other_columns():
    np.testing.assert_array_equal(row_hashes(FRAME.assign(other=7), IDENTITY), row_hashes(FRAME, IDENTITY))


def hash_of(values):
    return row_hashes(pd.DataFrame({"x": values}), ["x"])


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float32", "float64", "Int64", "Float64"])
def test_equal_numbers_of_any_type_have_equal_hashes(dtype):
    np.testing.assert_array_equal(hash_of(pd.array([1, 2, 3], dtype=dtype)), hash_of([1.0, 2.0, 3.0]))


def test_minus_zero_is_zero():
    np.testing.assert_array_equal(hash_of([-0.0]), hash_of([0.0]))


def test_missing_is_missing():
    negative_nan = -np.float64("nan")
    assert len(set(hash_of([np.nan, negative_nan, 1.0]))) == 2
    np.testing.assert_array_equal(hash_of(pd.array([1, None], dtype="Int64")), hash_of([1.0, np.nan]))
    np.testing.assert_array_equal(hash_of(["a", None]), hash_of(["a", np.nan]))


def test_a_missing_text_is_no_text():
    assert len(set(hash_of(["a", None, "None", "nan", "", "<NA>"]))) == 6


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string"])
def test_equal_texts_of_any_type_have_equal_hashes(dtype):
    np.testing.assert_array_equal(hash_of(pd.Series(["a", "b"], dtype=dtype)), hash_of(["a", "b"]))


@pytest.mark.parametrize("name", IDENTITY)
@pytest.mark.parametrize("row", range(4))
def test_a_hash_changes_with_any_value_of_the_identity(name, row):
    changed = FRAME.copy()
    changed.loc[row, name] = "moor" if name == "place" else 99
    differs = row_hashes(changed, IDENTITY) != row_hashes(FRAME, IDENTITY)
    assert differs.tolist() == [index == row for index in range(4)]


def test_values_of_two_columns_do_not_stand_in_for_each_other():
    straight, swapped = (row_hashes(pd.DataFrame(d), ["a", "b"]) for d in ({"a": [1], "b": [2]}, {"a": [2], "b": [1]}))
    assert straight != swapped


def test_100_000_different_rows_have_100_000_hashes():
    number = np.arange(100_000)
    frame = pd.DataFrame({"a": number % 100, "b": number // 100 % 100, "c": (number // 10_000).astype("str")})
    assert len(np.unique(row_hashes(frame, ["a", "b", "c"]))) == 100_000


def test_large_whole_numbers_differ():
    """Identifiers of 64 bits (accounts, messages, time stamps in nanoseconds) differ only beyond a float's 53 bits."""
    assert len(set(hash_of(2**60 + np.arange(10)))) == 10


@given(st.lists(st.floats(width=64) | st.integers(-(2**53), 2**53).map(float), min_size=1, max_size=20))
def test_hashes_are_equal_exactly_where_numbers_are(numbers):
    hashes = hash_of(numbers)
    for i, first in enumerate(numbers):
        for j, second in enumerate(numbers):
            same = first == second or (np.isnan(first) and np.isnan(second))
            assert (hashes[i] == hashes[j]) == same


def test_hashes_are_the_same_in_every_process_and_year():
    """Written down once: a change here would send the test rows of every store into training."""
    frame = pd.DataFrame({"x": [1.5, 0.0, np.nan], "place": ["shore", "", None]})
    assert row_hashes(frame, ["x", "place"]).tolist() == [
        3854963165102670420,
        9452529348102197306,
        15283117313641875270,
    ]

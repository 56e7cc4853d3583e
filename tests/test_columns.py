import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.columns import derive, feature_set, identity_columns, matching, names_with_role, row_hashes, source_columns
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
        "street": "categorical",
    }


def test_a_date_is_no_feature_unless_it_is_listed_but_a_part_of_it_can_be_derived():
    declared = problem(derived={"month_sold": "month(sold)"})
    features = feature_set(declared, DATA)
    assert "sold" not in features.roles
    assert features.roles["month_sold"] == "numeric"
    assert "sold" in source_columns(features)
    assert feature_set(problem(columns={"categorical": ["sold"]}), DATA).roles["sold"] == "categorical"


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
        ({"derived": {"size": "length(rooms)"}}, "derived.size: length needs text, but the column 'rooms' holds int64"),
        ({"derived": {"when": "year(income)"}}, "derived.when: year needs dates, but the column 'income' holds double"),
        (
            {"derived": {"ratio": "rooms / place"}},
            "derived.ratio needs numbers, but the column 'place' holds large_str",
        ),
        (
            {"derived": {"a": "rooms + b", "b": "rooms"}},
            "derived.a reads 'b', which is derived after it; declare 'b' f",
        ),
        ({"derived": {"a": "a + 1"}}, "derived.a reads 'a', which is derived after it"),
        ({"derived": {"a": "first(place)", "b": "a + 1"}}, "derived.b needs numbers, but the column 'a' holds texts"),
        ({"derived": {"a": "price / rooms"}}, "derived.a reads the target 'price', which nobody knows when"),
        ({"columns": {"text": ["rooms"]}}, "columns.text needs texts, but the column 'rooms' holds int64"),
        ({"columns": {"text": ["sold"]}}, "columns.text needs texts, but the column 'sold' holds timestamp[ns]"),
        ({"columns": {"text": ["plce"]}}, "columns.text names the column 'plce'"),
        ({"split": {"kind": "time", "by": "sld"}}, "split.by names the column 'sld'"),
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


def test_a_derived_column_reads_those_derived_before_it_and_has_the_role_of_its_kind():
    declared = problem(
        derived={
            "letter": "first(place)",
            "kind_of_place": 'among(letter, "s", "h")',
            "month_sold": "month(sold)",
            "half": "month_sold / 6",
        },
        columns={"drop": ["letter"], "categorical": ["month_sold"], "text": ["street"]},
    )
    features = feature_set(declared, DATA)
    assert features.roles == {
        "rooms": "numeric",
        "income": "numeric",
        "garden": "numeric",
        "place": "categorical",
        "street": "text",
        "kind_of_place": "categorical",
        "month_sold": "categorical",
        "half": "numeric",
    }
    frame = pd.DataFrame(
        {
            "rooms": [1, 2, 3],
            "income": [1.0, 2.0, 3.0],
            "garden": [True, False, True],
            "place": ["shore", "moor", None],
            "street": ["the high street", None, ""],
            "sold": pd.to_datetime(["2020-03-01", None, "2020-12-31"]),
        },
        index=[2, 0, 1],
    )
    given_features = derive(frame[source_columns(features)], features)
    assert list(given_features.columns) == list(features.roles)
    assert given_features["kind_of_place"].tolist()[:2] == ["s", "other"]
    assert given_features["kind_of_place"].isna().tolist() == [False, False, True]
    assert given_features["street"].tolist() == ["the high street", "", ""]
    assert given_features["month_sold"].dropna().tolist() == ["3", "12"]
    np.testing.assert_array_equal(given_features["half"], [0.5, np.nan, 2.0])
    alone = pd.concat([derive(frame.iloc[[row]], features) for row in range(3)])
    pd.testing.assert_frame_equal(given_features, alone)


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


def reference(frame, identity):
    """Give the hashes of rows as the first version did: the sides of all that was ever split rest on them."""

    def of_values(values):
        if not pd.api.types.is_numeric_dtype(values):
            texts = values.astype("object").where(values.notna(), None).astype("str")
            return pd.util.hash_array(texts.to_numpy(dtype="object"))
        numbers = values.to_numpy(dtype="float64", na_value=np.nan) + 0.0
        hashed = pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers))
        large = np.abs(numbers) >= 2.0**53
        if pd.api.types.is_integer_dtype(values) and large.any():
            hashed[large] = pd.util.hash_array(values[large].astype("str").to_numpy(dtype="object"))
        return hashed

    total = np.zeros(len(frame), dtype="uint64")
    for name in sorted(identity):
        salt = pd.util.hash_array(np.array([name], dtype="object"))[0]
        total = pd.util.hash_array(total * np.uint64(31) + of_values(frame[name]) + salt)
    return total


TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["", "nan", "None"]))
TYPES = {
    pa.float64(): st.floats() | st.none(),
    pa.float32(): st.floats(width=32) | st.none(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int16(): st.integers(-(2**15), 2**15 - 1) | st.none(),
    pa.bool_(): st.booleans(),
    pa.string(): TEXTS | st.none(),
    pa.large_string(): TEXTS | st.none(),
    pa.dictionary(pa.int32(), pa.string()): TEXTS | st.none(),
    pa.date32(): st.dates() | st.none(),
    pa.timestamp("us"): st.datetimes() | st.none(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(datetime.UTC)) | st.none(),
    pa.decimal128(12, 2): st.decimals(-1000, 1000, places=2) | st.just(decimal.Decimal("1.10")) | st.none(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 3), max_size=3) | st.none(),
}


@pytest.mark.parametrize("kind", TYPES, ids=str)
@given(data=st.data(), cut=st.integers(0, 30))
def test_hashes_are_those_of_the_first_version_however_the_rows_are_cut(kind, data, cut):
    values = data.draw(st.lists(TYPES[kind], min_size=1, max_size=30))
    table = pa.table({"x": pa.array(values, kind), "n": np.arange(len(values)) % 3})
    expected = reference(table.to_pandas(), ["x", "n"])
    np.testing.assert_array_equal(row_hashes(table, ["x", "n"]), expected)
    np.testing.assert_array_equal(row_hashes(table.to_pandas(), ["x", "n"]), expected)
    batches = [*table.slice(0, cut).to_batches(), *table.slice(cut).to_batches()]
    np.testing.assert_array_equal(np.concatenate([row_hashes(batch, ["x", "n"]) for batch in batches]), expected)


@pytest.mark.parametrize("values", [[True, False, None], [2**60, 2**60 + 1, None]], ids=["truth", "long numbers"])
def test_one_missing_value_does_not_change_the_hashes_of_the_others(values):
    """In the first version it did: pandas reads them as objects or as floats then."""
    gappy, whole = (row_hashes(pa.table({"x": each}), ["x"]) for each in (values, values[:2]))
    assert gappy[:2].tolist() == whole.tolist() == reference(pd.DataFrame({"x": values[:2]}), ["x"]).tolist()
    assert len(set(gappy)) == 3


HISTORY = {"order": "sold", "of": "price", "by": "place", "lags": [1], "rolling": [3]}


def test_history_makes_numeric_features_of_the_target():
    declared = problem(
        identity=["sold"], history=HISTORY, columns={"drop": ["sold"]}, derived={"rise": "price_lag_1 - price_mean_3"}
    )
    features = feature_set(declared, DATA)
    assert names_with_role(features, "numeric")[-3:] == ["price_lag_1", "price_mean_3", "rise"]
    assert "price" not in features.roles
    assert {"price_lag_1", "price_mean_3"} <= {*source_columns(features)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"order": "sod"}, "history.order names the column 'sod', which the data does not have (did you mean 'sold'?)"),
        ({"of": ["rooms", "prise"]}, "history.of names the column 'prise', which the data does not have"),
        ({"by": "plaec"}, "history.by names the column 'plaec', which the data does not have"),
        ({"of": "place"}, "history.of needs numbers, but the column 'place' holds large_string; correct the data"),
    ],
)
def test_a_column_that_history_cannot_read_is_named(changes, expected):
    with pytest.raises(ProblemError) as caught:
        feature_set(problem(identity=["sold"], history=HISTORY | changes), DATA)
    assert str(caught.value).startswith(f"data/houses/problem.toml: {expected}")


def test_history_makes_no_column_that_is_there():
    with pytest.raises(
        ProblemError, match=r"history makes the column 'price_lag_1', but the data has one of that name"
    ):
        feature_set(problem(identity=["sold"], history=HISTORY), [*DATA, Column(name="price_lag_1", dtype="double")])


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"column": "room", "add": 1}, "gate.behaviours.column names the column 'room', .*did you mean 'rooms'"),
        ({"column": "place", "add": 1}, "add and multiply need numbers, but the column 'place' holds large_string"),
        ({"column": "garden", "multiply": 2}, "add and multiply need numbers, but the column 'garden' holds bool"),
        ({"column": "sold", "add": 1}, r"but the column 'sold' holds timestamp\[ns\]; use replace"),
        ({"column": "rooms", "replace": "many"}, "replace = 'many' is nothing .* holds int64, so a number is needed"),
        ({"column": "place", "replace": 3}, "replace = 3 is nothing that the column 'place' .* so a text is needed"),
        ({"column": "garden", "replace": 1}, "holds bool, so true or false is needed"),
        ({"column": "rooms", "replace": True}, "holds int64, so a number is needed"),
    ],
)
def test_a_behaviour_that_a_column_cannot_show_is_refused(behaviour, expected):
    with pytest.raises(ProblemError, match=rf"^data/houses/problem.toml: .*{expected}"):
        feature_set(problem(gate={"behaviours": [{"prediction": "same", **behaviour}]}), DATA)


def test_behaviours_are_about_any_column_of_the_data():
    changes = [
        {"column": "rooms", "add": 1},
        {"column": "income", "replace": 2},
        {"column": "place", "replace": "shore"},
        {"column": "garden", "replace": False},
        {"column": "sold", "replace": "2026-01-01"},
    ]
    declared = {"behaviours": [{"prediction": "same", **change} for change in changes]}
    columns = {"drop": ["rooms"]}
    assert "rooms" not in feature_set(problem(gate=declared, columns=columns), DATA).roles


def test_a_pattern_means_every_name_that_it_matches_and_a_name_itself():
    names = ["pixel_0", "pixel_1", "pixel_*", "place"]
    assert matching(["place", "pixel_?"], names) == ("place", "pixel_0", "pixel_1", "pixel_*")
    assert matching(["pixel_*"], names) == ("pixel_*",)
    assert matching(["pixel_*"], names[:2]) == ("pixel_0", "pixel_1")
    assert matching(["colour_*"], names) == ("colour_*",)

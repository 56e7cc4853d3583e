import contextlib
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ProblemError
from tasks.expressions import FUNCTIONS, ROW_FUNCTIONS, columns_in, evaluate, gives, is_arithmetic, reads

KNOWN = [
    ("a + b", 8.0),
    ("a - b", 4.0),
    ("a * b", 12.0),
    ("a / b", 3.0),
    ("a ** b", 36.0),
    ("-a ** 2", -36.0),
    ("(-a) ** 2", 36.0),
    ("+a", 6.0),
    ("a - b - 1", 3.0),
    ("b ** 3 ** 2", 512.0),
    ("2 * (a + 1) / 7", 2.0),
    ("0.5 * a + 1e1", 13.0),
    ("sqrt(a + 3)", 3.0),
    ("log(a)", math.log(6)),
    ("log1p(a)", math.log(7)),
    ("exp(b)", math.exp(2)),
    ("abs(b - a)", 4.0),
    ("sin(a) ** 2 + cos(a) ** 2", 1.0),
    ("sqrt((a + 1) ** 2 + (b - 2) ** 2)", 7.0),
    ("distance(a, b, 9, -2)", 5.0),
    ("1 + distance(a - 3, b, 3, b)", 1.0),
    ("rotated(a, b, 0)", 6.0),
    ("rotated(a, b, 90)", 2.0),
    ("rotated(a, a, 45) / sqrt(2)", 6.0),
    ("great_circle(a, b, a, b + 90)", math.pi / 2 * 6371.0088),
    ("great_circle(a, 0, a + 180, 0)", math.pi * 6371.0088),
    ("great_circle(a, 0, 5, 0)", math.pi / 180 * 6371.0088),
]


@pytest.mark.parametrize(("expression", "expected"), KNOWN)
def test_known_values(expression, expected):
    rows = {"a": np.array([6.0, 6.0]), "b": np.array([2.0, 2.0])}
    assert evaluate(expression, rows) == pytest.approx([expected, expected], rel=1e-14)


@pytest.mark.parametrize("expression", [expression for expression, _ in KNOWN])
def test_pandas_and_tensorflow_agree_with_numpy(expression):
    from tasks.networks import tensorflow

    tf = tensorflow()
    rows = {"a": np.array([6.0, 0.25, 3.0]), "b": np.array([2.0, 0.5, 1.5])}
    expected = evaluate(expression, rows)
    series = evaluate(expression, {name: pd.Series(values) for name, values in rows.items()})
    tensor = evaluate(expression, {name: tf.constant(values) for name, values in rows.items()}, tf.math)
    np.testing.assert_array_equal(series, expected)
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-14)


def test_columns_are_named_once_in_order():
    assert columns_in("sqrt(total_rooms / households) + total_rooms") == ("total_rooms", "households")
    assert columns_in("1 + 2") == ()


def test_a_function_is_no_column_but_a_column_may_have_its_name():
    assert columns_in("log(log)") == ("log",)
    assert evaluate("log(log)", {"log": np.array([1.0])}) == [0.0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_and_tensorflow_have_every_function(name):
    from tasks.networks import tensorflow

    assert callable(getattr(np, name))
    assert callable(getattr(tensorflow().math, name))


REFUSED = [
    "distance(a, b)",
    "rotated(a, b, 'c')",
    "great_circle(*a)",
    "__import__('os')",
    "open(a)",
    "eval(a)",
    "max(a, b)",
    "sqrt(a, b)",
    "sqrt(x=a)",
    "sqrt(*a)",
    "sqrt()",
    "sqrt(a)(b)",
    "a.real",
    "a.__class__",
    "np.sqrt(a)",
    "sqrt.__globals__",
    "a[0]",
    "a[b]",
    "True",
    "a + False",
    "None",
    "'a'",
    "b'a'",
    "f'{a}'",
    "1j",
    "...",
    "[a, b]",
    "(a, b)",
    "{a}",
    "{'a': b}",
    "[a for a in b]",
    "(a for a in b)",
    "a if b else 1",
    "a < b",
    "a and b",
    "not a",
    "~a",
    "a // b",
    "a % b",
    "a @ b",
    "a << b",
    "lambda: a",
    "(a := 1)",
    "await a",
    "a; b",
    "a = 1",
    "import os",
    "a +",
    "",
    " a\nb",
    "\0",
]


@pytest.mark.parametrize("expression", REFUSED)
def test_everything_else_is_refused(expression):
    for meet in (columns_in, lambda text: evaluate(text, {"a": np.ones(2), "b": np.ones(2)})):
        with pytest.raises(ProblemError, match="derived = "):
            meet(expression)


def test_the_refusal_names_the_part_and_what_is_allowed():
    with pytest.raises(ProblemError) as caught:
        columns_in("a + max(b, 1)")
    assert str(caught.value) == (
        "derived = 'a + max(b, 1)': 'max(b, 1)' is not allowed; allowed are column names, numbers, "
        "+ - * / **, parentheses, sqrt, log, log1p, exp, abs, sin, cos, distance, great_circle, rotated, and for texts "
        "and dates extract, among, lower, first, length, words, is_missing, year, month, day, weekday, day_of_year, "
        "hour."
    )


@pytest.mark.parametrize("expression", ["-" * 2000 + "a", "a" + " + a" * 5000, "(" * 300 + "a" + ")" * 300])
def test_an_expression_nested_too_deep_is_refused(expression):
    with pytest.raises(ProblemError):
        evaluate(expression, {"a": np.ones(2)})


@given(st.text(max_size=40) | st.text(alphabet="ab01. ()+-*/,[]'=:sqrtlogexp", max_size=25))
def test_arbitrary_text_is_an_expression_or_refused(text):
    with contextlib.suppress(ProblemError):
        assert all(name.isidentifier() for name in columns_in(text))


TREES = st.recursive(
    st.sampled_from(["a", "b", "0", "1", "2.5", "1000"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})")
    ),
    max_leaves=6,
)


@given(TREES)
def test_whatever_is_let_through_has_a_value(expression):
    """Also where it divides by a number that is zero: arithmetic gives what is no number, not an exception."""
    rows = {"a": np.array([1.0, 0.0, -2.0]), "b": np.array([3.0, np.nan, 0.5])}
    with np.errstate(all="ignore"):
        value = np.asarray(evaluate(expression, rows))
    assert value.dtype == np.float64
    assert value.shape in {(), (3,)}


@pytest.mark.parametrize("expression", ["a * 2 ** 5000", "a / (1 - 1)", "a * 0 ** -1", "a * (-1) ** 0.5"])
def test_constants_that_have_no_value_give_no_number(expression):
    with np.errstate(all="ignore"):
        value = np.asarray(evaluate(expression, {"a": np.array([1.0, 2.0])}))
    assert value.dtype == np.float64
    assert not np.isfinite(value).any()


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ProblemError):
        evaluate("a * 1" + "0" * 400, {"a": np.ones(2)})


# Texts and dates.

PEOPLE = {
    "Name": pd.Series(
        ["Braund, Mr. Owen", "Heikkinen, Miss. Laina", None, "Rothes, the Countess. of"], index=[4, 2, 3, 1]
    ),
    "Born": pd.Series(["2020-02-29", "2021-12-31T23:05:00+02:00", None, "29.2.2020"], index=[4, 2, 3, 1]),
    "Age": np.array([22.0, np.nan, 3.0, 40.0]),
}
ROWS = [
    (r"""extract(Name, ",\s*([^.]*)\.")""", "text", ["Mr", "Miss", None, "the Countess"]),
    (r"""extract(Name, r",\s*([^.]*)\.")""", "text", ["Mr", "Miss", None, "the Countess"]),
    (r"""among(extract(Name, ", ([^.]*)\."), "Mr", 'Miss')""", "text", ["Mr", "Miss", None, "other"]),
    ("first(lower(Name))", "text", ["b", "h", None, "r"]),
    ("length(Name)", "number", [16, 22, np.nan, 24]),
    ("words(Name) - 1", "number", [2, 2, np.nan, 3]),
    ("is_missing(Name) + is_missing(Age)", "number", [0, 1, 1, 0]),
    ("year(Born)", "number", [2020, 2021, np.nan, np.nan]),
    ("month(Born)", "number", [2, 12, np.nan, np.nan]),
    ("day(Born)", "number", [29, 31, np.nan, np.nan]),
    ("weekday(Born)", "number", [5, 4, np.nan, np.nan]),
    ("day_of_year(Born)", "number", [60, 365, np.nan, np.nan]),
    ("hour(Born)", "number", [0, 23, np.nan, np.nan]),
    ("sin(month(Born) / 12)", "number", [math.sin(2 / 12), math.sin(1), np.nan, np.nan]),
]


@pytest.mark.parametrize(("expression", "kind", "expected"), ROWS)
def test_texts_and_dates(expression, kind, expected):
    assert gives(expression) == kind
    assert not is_arithmetic(expression)
    value = evaluate(expression, PEOPLE)
    if kind == "number":
        np.testing.assert_allclose(value, expected)
    else:
        assert [None if pd.isna(each) else each for each in value] == expected


@pytest.mark.parametrize("expression", [expression for expression, *_ in ROWS])
def test_each_value_depends_on_its_own_row_alone(expression):
    whole = list(evaluate(expression, PEOPLE))
    for row in range(4):
        one = {name: values[row : row + 1] for name, values in PEOPLE.items()}
        alone = list(evaluate(expression, one))
        assert alone == [whole[row]] or (pd.isna(alone[0]) and pd.isna(whole[row]))


def test_what_is_read_is_known_with_its_kind():
    found = [(r.column, r.takes, r.function) for r in reads("length(Name) + Age * is_missing(Born) + hour(Born) + Age")]
    assert found == [
        ("Name", "text", "length"),
        ("Age", "number", ""),
        ("Born", "any value", "is_missing"),
        ("Born", "date", "hour"),
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("lower(Age + 1)", "lower takes a text, but 'Age + 1' is a number"),
        ("lower(Name) + 1", "arithmetic takes a number, but 'lower(Name)' is a text"),
        ("sqrt(first(Name))", "sqrt takes a number, but 'first(Name)' is a text"),
        ("year(length(Name))", "year takes a date, but 'length(Name)' is a number"),
        ("extract(Name)", "extract takes a column and one text in quotes after it"),
        ("extract(Name, '(a)', '(b)')", "extract takes a column and one text in quotes after it"),
        ("among(Name)", "among takes a column and at least one text in quotes after it"),
        ("lower(Name, 'a')", "lower takes a column and no text in quotes after it"),
        ("among(Name, Age)", "among takes one column, then texts in quotes, not 'Age'"),
        ("extract(Name, f'(a)')", "extract takes one column, then texts in quotes, not "),
        ("extract(Name, '(')", "'(' is no regular expression of RE2 with a group: missing ): ("),
        ("extract(Name, '[a-z]')", "with a group: it has no group (...) to extract"),
        (r"extract(Name, '(a)\1')", r"with a group: invalid escape sequence: \1"),
        ("extract(Name, 'a)(b')", "with a group: unexpected )"),
        ("lower('a')", "is not allowed"),
        ("lower(x=Name)", "'lower(x=Name)' is not allowed"),
        ("lower(*Name)", "'*Name' is not allowed"),
        ("Name == 'a'", "is not allowed"),
    ],
)
def test_wrong_use_is_a_sentence(expression, expected):
    with pytest.raises(ProblemError) as caught:
        columns_in(expression)
    assert f"derived = {expression!r}: " in str(caught.value)
    assert expected in str(caught.value)


def test_every_row_function_is_described():
    from tasks import row_functions

    for name in ROW_FUNCTIONS:
        assert callable(getattr(row_functions, name))


@given(st.text(alphabet="ab()*+?{}[]|^$.\\123", max_size=12))
def test_no_regular_expression_breaks_anything(pattern):
    expression = f"extract(Name, {pattern!r})".replace("\\\\", "\\")
    with contextlib.suppress(ProblemError):
        assert len(evaluate(expression, PEOPLE)) == 4

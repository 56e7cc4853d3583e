import json
from pathlib import Path

import pytest

from serving.bodies import JSON, read_body, sent_type, wanted_type
from serving.rows import Rows
from serving.settings import Settings
from serving.tables import ARROW, PARQUET
from serving.values import BadRequest
from tasks.records import Input

PAIRS = Rows([Input(name=name, kind="number", nullable=False, low=0, high=9) for name in ("a", "b")])
SETTINGS = Settings(Path(), "store", most_rows=3)


def read(body, interval=None, media_type=JSON):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_body(PAIRS, body, media_type, interval, SETTINGS)


def refused(*given):
    with pytest.raises(BadRequest) as caught:
        read(*given)
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"instances": [{"a": 1, "b": 2}]}, "rows"),
        ({"instances": [[1, 2]], "signature_name": "serving_default"}, "arrays"),
        ({"inputs": {"a": [1], "b": [2]}, "signature_name": ""}, "columns"),
        ({"inputs": [[1, 2]]}, "columns"),
    ],
)
def test_rows_and_columns_are_told_apart(body, form):
    asked = read(body)
    assert (asked.form, asked.interval) == (form, None)
    assert {name: values.tolist() for name, values in asked.columns.items()} == {"a": [1.0], "b": [2.0]}


def test_an_interval_is_asked_for_in_the_body_or_in_the_address():
    assert read({"instances": [[1, 2]], "interval": 0.9}).interval == 0.9
    assert read({"instances": [[1, 2]]}, "0.8").interval == 0.8


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "The body is not JSON: EOF while parsing"),
        (b"{", "The body is not JSON"),
        (b"\xff\xfe", "The body is not JSON"),
        (b'{"instances": [[NaN, 1]]}', "JSON has no NaN"),
        (b'{"instances": [[Infinity, 1]]}', "JSON has no NaN"),
        (b'{"instances": [[1e999, 1]]}', "instances[0] at 0 (a) is inf"),
        (b'{"instances": [[%s, 1]]}' % (b"9" * 5000), "The body is not JSON: number out of range"),
        (b"[" * 100_000, "The body is not JSON: recursion limit exceeded"),
        (b'{"instances": ' + b"[" * 150 + b"1" + b"]" * 150 + b"}", "instances[0] has 1 values"),
        (b'{"a": "\\ud800"}', "The body is not JSON: unexpected end of hex escape"),
        ([1], "The body must be an object such as"),
        (None, "not null"),
        ({"instance": [[1, 2]]}, "The key 'instance' is not known (did you mean 'instances'?); allowed are:"),
        ({"x" * 9999: 1}, "is not known"),
        ({"signature_name": "predict_images", "instances": []}, '"signature_name" must be "serving_default"'),
        ({"signature_name": ["x"], "instances": []}, '"signature_name" must be "serving_default"'),
        ({}, 'needs either "instances", a list of rows, or "inputs"'),
        ({"instances": [[1, 2]], "inputs": [[1, 2]]}, 'needs either "instances"'),
        ({"instances": [[1, 2]] * 4}, "at most 3 are answered at once"),
        ({"instances": [[1, 2]], "interval": 1}, '"interval" is 1, but must be a level between 0 and 1, such as 0.9.'),
        ({"instances": [[1, 2]], "interval": 0.0}, '"interval" is 0.0, but'),
        ({"instances": [[1, 2]], "interval": None}, '"interval" is null, but'),
        ({"instances": [[1, 2]], "interval": True}, '"interval" is true, but'),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body, expected):
    assert expected in refused(body)


@pytest.mark.parametrize("level", ["x", "", "nan", "1", "-1", "inf"])
def test_a_level_in_the_address_must_be_one(level):
    assert "must be a level between 0 and 1" in refused({"instances": [[1, 2]]}, level)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, JSON),
        ("application/json; charset=utf-8", JSON),
        ("Application/JSON", JSON),
        ("application/problem+json", JSON),
        ("application/x-www-form-urlencoded", JSON),  # curl -d, as TensorFlow Serving's own documentation shows
        (ARROW, ARROW),
        (PARQUET, PARQUET),
    ],
)
def test_the_type_of_a_body_is_json_unless_something_else_is_said(named, expected):
    assert sent_type({} if named is None else {"content-type": named}) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/csv"},
        {"content-type": "application/octet-stream"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
)
def test_other_types_are_refused(headers):
    with pytest.raises(BadRequest) as caught:
        sent_type(headers)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("", ARROW), ("*/*", ARROW), ("application/json", JSON), (f"text/html, {PARQUET};q=0.9, {JSON}", PARQUET)],
)
def test_an_answer_has_the_form_that_the_client_names_or_that_it_sent(accept, expected):
    assert wanted_type(accept, ARROW) == expected

import datetime

import pyarrow as pa
import pytest

from tasks.errors import DataRefused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "b": "x"}\n\n{"b": "y", "a": 2}\n', {"a": [1, 2], "b": ["x", "y"]}),
        ('{"a": 1}\n{"b": "x"}', {"a": [1, None], "b": [None, "x"]}),
        ('{"a": 1}\n{"a": 2.5}\n', {"a": [1.0, 2.5]}),
        ('{"a": 1}\n{"a": "x"}\n{"a": true}\n', {"a": ["1", "x", "true"]}),
        ('{"a": "1"}\n{"a": "01"}\n', {"a": ["1", "01"]}),
        ('{"a": true}\n{"a": null}\n', {"a": [True, None]}),
        ('{"a": "2020-01-01"}\n', {"a": [datetime.date(2020, 1, 1)]}),
        ('{"a": NaN, "b": 1e999}\n', {"a": [None], "b": [float("inf")]}),
        ('{"a": 99999999999999999999}\n', {"a": [1e20]}),
        ("\ufeff" + '{"a": "é"}', {"a": ["é"]}),
        ('{"a": null}\n', {"a": [None]}),
    ],
)
def test_lines_are_rows(read_files, text, expected):
    assert read_files({"x.jsonl": text.encode()}).to_pydict() == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "x.jsonl has no rows"),
        (b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        (b"[1, 2]\n", "line 1 is not an object"),
        (b"null\n", "line 1 is not an object"),
        (b'{"a": {"b": 1}}\n', "line 1 has nested values in 'a'"),
        (b'{"a": [1]}\n', "line 1 has nested values in 'a'"),
        (b'{"a": 1, "a": 2}\n', "line 1 is not JSON: an object has a key twice"),
        (b"[" * 10**5, "line 1 is not JSON"),
        (b'{"a": "\xe9"}\n', "bytes that are not utf-8; declare source.dialect.encoding"),
        (b'{"a": "' + b"x" * 2**25 + b'"}', "line 1 is longer than 16 MB"),
        (b'{"a": ' + b"1" * 10**5 + b"}", "line 1 is not JSON"),
        (b'{"a": "\\ud800"}', "cannot be read as jsonl"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_its_line(read_files, content, sentence):
    with pytest.raises(DataRefused, match=sentence):
        read_files({"x.jsonl": content})


def test_a_later_value_or_key_widens(read_files, monkeypatch):
    monkeypatch.setattr("tasks.reading.json_lines.BATCH_ROWS", 2)
    content = b'{"a": 1, "b": 1}\n' * 5 + b'{"a": 1.5, "b": "x", "c": true}\n'
    table = read_files({"x.jsonl": content})
    assert table.to_pydict() == {"a": [1.0] * 5 + [1.5], "b": ["1"] * 5 + ["x"], "c": [None] * 5 + [True]}


def test_held_and_declared_types(read_files):
    held = pa.schema([("a", pa.int64())])
    with pytest.raises(DataRefused, match="column 'a' held int64 until now; 'x' is not"):
        read_files({"x.jsonl": b'{"a": "x"}'}, held=held)
    assert read_files({"x.jsonl": b'{"a": 1}'}, types={"a": "text"}).to_pydict() == {"a": ["1"]}
    dates = {"dates": {"a": "%d.%m.%Y"}}
    table = read_files({"x.jsonl": b'{"a": "1.2.2020"}'}, dialect=dates)
    assert table.to_pydict() == {"a": [datetime.date(2020, 2, 1)]}

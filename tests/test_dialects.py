"""How a text table is written, found by reading its beginning."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drafting.dialects import detect, detect_encoding
from tasks.sources import Dialect

ROWS = "\n".join(f"{n},{n / 2:.1f},{'red' if n % 2 else 'blue'}" for n in range(40)) + "\n"


def table(header: str, row: str, count: int = 40) -> bytes:
    return "\n".join([header, *(row.replace("#", str(n)) for n in range(10, 10 + count))]).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (("a,b,c\n" + ROWS).encode(), {}),
        (table("a,b", "#,NA"), {}),
        (table("a;b;c", "#;1,5;x"), {"separator": ";", "decimal": ","}),
        (table("a;b", "#;1.234,5"), {"separator": ";", "decimal": ",", "thousands": "."}),
        (table("a;b", "#;1.5"), {"separator": ";"}),
        (table("a\tb", "#\t1,5"), {"separator": "\t", "decimal": ","}),
        (table("a|b", "#|x, y"), {"separator": "|"}),
        (table("a,b", '#,"12,345"'), {"thousands": ","}),
        (table("a,b", "#,1 234 567"), {"thousands": " "}),
        (table("a,b", "#,1'234"), {"thousands": "'"}),
        (table("a,b", "#,?").replace(b"12,?", b"12,5"), {"missing": (*Dialect().missing, "?")}),
        (table("a,b", "#,-").replace(b"12,-", b"12,5"), {"missing": (*Dialect().missing, "-")}),
        (table("a,b", "#,-").replace(b"12,-", b"12,x"), {}),
        (table("a,b,c", "#, x, 5"), {"strip": True}),
        (table("a,b,c", "'#','it, is','x'"), {"quote": "'"}),
        (b"made by a machine\n\n" + table("a,b,c", "#,1.5,x"), {"skip_rows": 1}),
        (ROWS.encode(), {"names": ("column_1", "column_2", "column_3")}),
        (table("x,y", "x,y"), {"names": ("column_1", "column_2")}),
        (table("a", "#"), {}),
        (("\ufeff" + "a,b\n1,2\n").encode(), {}),
        ("größe,b\n1,2\n".encode("cp1252") * 30, {"encoding": "cp1252"}),
        ("größe,b\n1,2\n".encode("utf-16"), {"encoding": "utf-16"}),
        (b"", {}),
    ],
)
def test_only_what_differs_from_the_defaults_is_declared(content: bytes, expected: dict[str, object]) -> None:
    if b"gr" in content and "encoding" in expected:
        assert detect(content)["encoding"] == expected["encoding"]
    else:
        assert detect(content) == expected
    assert Dialect.model_validate(detect(content))


def test_a_sample_that_ends_within_a_character_is_utf_8() -> None:
    assert detect_encoding("straße, größe".encode()[:6]) == "utf-8"


def test_a_separator_within_quotes_divides_nothing() -> None:
    rows = '"one","two","three"\n' + '";",";;","a;"\n' * 5
    assert "separator" not in detect(rows.encode())


@given(st.binary(max_size=300))
def test_whatever_the_bytes_a_dialect_can_be_declared(content: bytes) -> None:
    assert Dialect.model_validate(detect(content))


@given(st.sampled_from(";,\t|"), st.lists(st.tuples(*[st.text("abcxyz,;\t| \"'", min_size=1)] * 3), min_size=5))
def test_a_separator_is_found_whatever_is_quoted(separator: str, rows: list[tuple[str, str, str]]) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("one", "two", "three"), *rows])
    assert detect(file.getvalue().encode()).get("separator", ",") == separator

import pyarrow as pa
import pytest

from tasks.reading.widening import Unconvertible, cleaned, converted, inferred, wider
from tasks.sources import Dialect

KINDS = [pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us"), pa.timestamp("ns")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["1", "1.5", "true", "2020-01-01", "2020-01-01 10:00:00.5", "x", ""])
def test_widening_ends_with_text(kind, value):
    steps = 0
    while kind != pa.string():
        kind, steps = wider(kind, value), steps + 1
    assert steps < 8


def test_text_takes_every_value():
    assert inferred(pa.array(["1", "x", None]), Dialect()) == pa.string()
    assert inferred(pa.array([None, None], pa.string()), Dialect()) == pa.null()
    assert inferred(pa.array(["1", "2.5"]), Dialect()) == pa.float64()


def test_marks_and_blanks():
    texts = pa.array([" x ", "?", " ? ", "", " ", None])
    dialect = Dialect(missing=("?",), strip=True)
    assert cleaned(texts, dialect).to_pylist() == ["x", None, None, None, None, None]
    assert cleaned(texts, Dialect(missing=("?",))).to_pylist() == [" x ", None, " ? ", None, " ", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.234", 1234.0), ("-1.234.567,5", -1234567.5), ("12,5", 12.5), ("12.5", None), ("1.23", None), ("1,2.3", None)],
)
def test_thousands_part_three_digits_each(text, expected):
    dialect = Dialect(decimal=",", thousands=".")
    if expected is None:
        with pytest.raises(Unconvertible) as caught:
            converted(pa.array(["1", text]), pa.float64(), dialect)
        assert caught.value.value == text
    else:
        assert converted(pa.array([text, None]), pa.float64(), dialect).to_pylist() == [expected, None]


@pytest.mark.parametrize("text", ["31.02.2020", "1.2.2020 ", "2020-02-01", "x"])
def test_what_is_no_date_is_named(text):
    with pytest.raises(Unconvertible) as caught:
        converted(pa.array([None, "1.2.2020", text]), pa.date32(), Dialect(), "%d.%m.%Y")
    assert caught.value.value == text

import datetime

import pyarrow as pa
import pytest

from tasks.errors import DataRefused, ProblemError
from tasks.reading.delimited import BLOCK

DAY, MOMENT = datetime.date(2020, 2, 1), datetime.datetime(2020, 2, 1, 13, 5)
GERMAN = {"separator": ";", "decimal": ",", "thousands": "."}
TWO_DATES = {"dates": {"d": "%d/%m/%Y %H:%M", "e": "%m/%d/%Y"}}


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("a,b\n1,x\n", {}, {"a": [1], "b": ["x"]}),
        ("a;b\n1;x,y\n", {"separator": ";"}, {"a": [1], "b": ["x,y"]}),
        ("a|b\n1|x\n", {"separator": "|"}, {"a": [1], "b": ["x"]}),
        ("a,b\n1,'x,y'\n", {"quote": "'"}, {"a": [1], "b": ["x,y"]}),
        ('a,b\n1,"x\ny"\n', {}, {"a": [1], "b": ["x\ny"]}),
        ("a;b\n1,5;2\n", {"separator": ";", "decimal": ","}, {"a": [1.5], "b": [2]}),
        ("a;b\n1.234,5;1.234.567\n", GERMAN, {"a": [1234.5], "b": [1234567]}),
        ("a;b\n1,234.5;x\n12;1,2\n", {"separator": ";", "thousands": ","}, {"a": [1234.5, 12.0], "b": ["x", "1,2"]}),
        ("a\n1.5\n", {"decimal": ",", "thousands": "."}, {"a": ["1.5"]}),
        ("a,b\n1 234,1'000\n", {"thousands": " "}, {"a": [1234], "b": ["1'000"]}),
        ("1,x\n2,y\n", {"names": ["a", "b"]}, {"a": [1, 2], "b": ["x", "y"]}),
        ("made by\n\na,b\n1,x\n", {"skip_rows": 2}, {"a": [1], "b": ["x"]}),
        ("made by\na,b\n1,x\n", {"skip_rows": 2, "names": ["c", "d"]}, {"c": [1], "d": ["x"]}),
        ("a,b\n?,x\n2,?\n", {"missing": ["?"]}, {"a": [None, 2], "b": ["x", None]}),
        ("a,b\nNA,\n2,NA\n", {}, {"a": [None, 2], "b": [None, None]}),
        ('a,b\n1,""\n2,NA\n', {"missing": []}, {"a": [1, 2], "b": [None, "NA"]}),
        (" a, b\n 1, x \n ? , y\n", {"strip": True, "missing": ["?"]}, {"a": [1, None], "b": ["x", "y"]}),
        ("d\n2020-02-01\n", {}, {"d": [DAY]}),
        ("d\n2020-02-01 13:05:00\n", {}, {"d": [MOMENT]}),
        ("d\n2020-02-01T13:05:00\n", {"strip": True}, {"d": [MOMENT]}),
        ("d\n1.2.2020\n\n", {"dates": {"d": "%d.%m.%Y"}}, {"d": [DAY]}),
        ("d,e\n01/02/2020 13:05,02/01/2020\n,\n", TWO_DATES, {"d": [MOMENT, None], "e": [DAY, None]}),
        ("t,f\n12:30:00,true\n", {}, {"t": ["12:30:00"], "f": [True]}),
        ("a,b\n1,inf\n2,-Infinity\n", {}, {"a": [1, 2], "b": [float("inf"), float("-inf")]}),
        ("\ufeffa,b\n1,x\n", {}, {"a": [1], "b": ["x"]}),
        ("a,b\r\n1,x\r\n", {}, {"a": [1], "b": ["x"]}),
    ],
)  # fmt: skip
def test_a_dialect_is_read(read_files, text, dialect, expected):
    assert read_files({"x.csv": text.encode()}, dialect=dialect).to_pydict() == expected


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "utf-8"])
def test_an_encoding_is_read(read_files, encoding):
    content = "straße,größe\nAllee,3\nÄcker,4\n".encode(encoding)
    table = read_files({"x.csv": content}, dialect={"encoding": encoding})
    assert table.to_pydict() == {"straße": ["Allee", "Äcker"], "größe": [3, 4]}


def test_tabs_part_a_tsv(read_files):
    assert read_files({"x.tsv": b"a\tb\n1\tx,y\n"}).to_pydict() == {"a": [1], "b": ["x,y"]}
    assert read_files({"x.txt": b"a\tb\n1\tx\n"}, format="tsv").to_pydict() == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize(
    ("content", "dialect", "sentence"),
    [
        (b"", {}, r"x\.csv cannot be read as csv: it is empty\."),
        (b" \n\n", {}, r"it is empty\."),
        (b"a,b\n", {}, "x.csv has no rows"),
        (b"a,b\n1,2\n1,2,3\n", {}, "Expected 2 columns, got 3"),
        (b"a,b\n1,2\n1\n", {}, "Expected 2 columns, got 1"),
        (b"a;b\n1;2\n", {}, r"has a single column, 'a;b', when .* by ','; declare source.dialect.separator = \";\""),
        (b"a\tb\n1\t2\n", {}, r'declare source.dialect.separator = "\\t"'),
        (b"a|b\n1|2\n", {}, r'declare source.dialect.separator = "\|"'),
        (b"a,b\n1,2\n", {"separator": ";"}, r'by \';\'; declare source.dialect.separator = ","'),
        (b"a;b\n1,5;2\n", {}, r'perhaps source.dialect.separator = ";"'),
        (b"a,a\n1,2\n", {}, "has the column 'a' twice; each column needs a name of its own"),
        ("a,b\né,1\n".encode("latin-1"), {}, r"bytes that are not utf-8; declare source.dialect.encoding, for"),
        ("é,b\n1,1\n".encode("latin-1"), {}, "bytes that are not utf-8"),
        ("a\né\n".encode() + "é\n".encode("latin-1"), {}, "where it mixes several"),
        ("a\né\n".encode(), {"encoding": "ascii"}, "bytes that are not ascii"),
        ("a\n1\n".encode("utf-16"), {}, "declare source.dialect.encoding = 'utf-16'"),
        (b'a,b\n1,"x\n' + b"2,y\n" * BLOCK, {}, "a row is longer than 16 MB, as where a quote is not closed"),
        (b'a,b\n1,"x\n2,y\n', {}, r"the quote before 'x\\n2,y\\n' is not closed"),
        (b'a,b\n1,"x\n2,y', {}, r"the quote before 'x\\n2,y' is not closed"),
        (b"a,b\n1," + b"x" * (2 * BLOCK) + b"\n", {}, "a row is longer than 16 MB"),
        (b"a\n1\n", {"skip_rows": 9}, "cannot be read as csv: "),
        (b"d\n31.02.2020\n", {"dates": {"d": "%d.%m.%Y"}}, r"by .*'%d.%m.%Y'; '31.02.2020' is not"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(read_files, content, dialect, sentence):
    with pytest.raises(DataRefused, match=sentence):
        read_files({"x.csv": content}, dialect=dialect)


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ({"dialect": {"encoding": "rot13"}}, "'rot13' is not an encoding; usual are utf-8"),
        ({"dialect": {"encoding": "nonsense"}}, "'nonsense' is not an encoding"),
        ({"dialect": {"dates": {"a": "%q"}}}, "source.dialect.dates.a = '%q' is not a format of dates"),
        ({"dialect": {"dates": {"c": "%Y"}}}, "source.dialect.dates names the column 'c', which x.csv does not have"),
        ({"types": {"bb": "int"}}, r"source.types names the column 'bb', .* \(did you mean 'b'\?\); its columns: a, b"),
    ],
)
def test_a_declaration_that_does_not_fit_is_a_problem(read_files, declared, sentence):
    with pytest.raises(ProblemError, match=sentence):
        read_files({"x.csv": b"a,b\n1,2\n"}, **declared)


def test_a_field_of_a_million_characters_is_read(read_files):
    table = read_files({"x.csv": b"a,b\n1," + b"x" * 10**6 + b"\n2,y\n"})
    assert [len(value) for value in table["b"].to_pylist()] == [10**6, 1]


def test_a_column_without_values_has_no_type_yet(read_files):
    assert read_files({"x.csv": b"a,b\n1,\n2,NA\n"}).schema.field("b").type == pa.null()


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("1", "2", "int64"),
        ("1", "2.5", "double"),
        ("1", "x", "string"),
        ("1.5", "x", "string"),
        ("", "7", "int64"),
        ("", "7.5", "double"),
        ("", "x", "string"),
        ("", "2020-01-01", "date32[day]"),
        ("true", "yes", "string"),
        ("2020-01-01", "2020-01-01 10:00:00", "timestamp[us]"),
        ("2020-01-01 10:00:00", "2020-01-01 10:00:00.123456789", "timestamp[ns]"),
        ("2020-01-01", "soon", "string"),
        ("1", "99999999999999999999", "double"),
    ],
)
@pytest.mark.parametrize("strip", [False, True])
def test_a_type_is_widened_for_a_value_far_down(read_files, first, last, expected, strip, monkeypatch):
    monkeypatch.setattr("tasks.reading.delimited.BLOCK", 2**10)
    content = "a,b\n" + f"{first},0\n" * 1000 + f"{last},0\n"
    table = read_files({"x.csv": content.encode()}, dialect={"strip": strip})
    assert table.num_rows == 1001
    assert str(table.schema.field("a").type) == expected
    if expected == "string":
        assert table["a"].to_pylist() == [first or None] * 1000 + [last]


def test_all_columns_may_be_widened(read_files, monkeypatch):
    monkeypatch.setattr("tasks.reading.delimited.BLOCK", 2**10)
    content = b"a,b,c\n" + b"1,1,\n" * 1000 + b"x,1.5,\n" + b"1,1,\n" * 1000 + b"1,y,z\n"
    assert read_files({"x.csv": content}).schema.types == [pa.string(), pa.string(), pa.string()]


HELD = pa.schema([("rooms", pa.int64()), ("gone", pa.string()), ("empty", pa.null())])


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("rows", [0, 1000])
def test_a_type_that_is_held_is_not_widened(read_files, strip, rows, monkeypatch):
    monkeypatch.setattr("tasks.reading.delimited.BLOCK", 2**10)
    content = b"rooms,empty\n" + b"3,x\n" * rows + b"3.5,x\n"
    with pytest.raises(DataRefused, match=r"column 'rooms' held int64 until now; '3.5' is not; .* source.types"):
        read_files({"x.csv": content}, held=HELD, dialect={"strip": strip})
    table = read_files({"x.csv": content}, held=HELD, types={"rooms": "float"}, dialect={"strip": strip})
    assert table.schema.types == [pa.float64(), pa.string()]


def test_a_held_text_stays_text(read_files):
    table = read_files({"x.csv": b"zip\n01234\n"}, held=pa.schema([("zip", pa.string())]))
    assert table.to_pydict() == {"zip": ["01234"]}


def test_declared_types_win(read_files):
    types = {"zip": "text", "n": "float", "d": "datetime", "b": "bool", "i": "int", "day": "date"}
    table = read_files({"x.csv": b"zip,n,d,b,i,day\n01234,1,2020-01-01,1,2,2020-01-01\n"}, types=types)
    kinds = ["string", "double", "timestamp[us]", "bool", "int64", "date32[day]"]
    assert [str(kind) for kind in table.schema.types] == kinds
    with pytest.raises(DataRefused, match=r"column 'a' is declared as int64 by source.types; 'x{60}\.\.\.' is not"):
        read_files({"x.csv": b"a\n" + b"x" * 100 + b"\n"}, types={"a": "int"})


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("a,b\n7,1\n007,2\n", {}, {"a": ["7", "007"], "b": [1, 2]}),
        ('a\n"007"\n\n', {}, {"a": ["007"]}),
        ("a\n 12\n0\n", {}, {"a": [12, 0]}),
        ("a\n0.5\n0\n", {}, {"a": [0.5, 0.0]}),
        (" a\n 007\n", {"strip": True}, {"a": ["007"]}),
    ],
)
def test_digits_after_a_zero_are_a_code(read_files, text, dialect, expected):
    assert read_files({"x.csv": text.encode()}, dialect=dialect).to_pydict() == expected


def test_a_code_is_found_wherever_it_stands(read_files):
    late = b"a\n" + b"12345678\n" * (BLOCK // 8) + b"007\n"
    assert read_files({"x.csv": late})["a"].to_pylist()[-1] == "007"
    assert read_files({"x.csv": b"a\n1\n", "y.csv": b"a\n01\n"})["a"].to_pylist() == ["1", "01"]


def test_a_number_that_is_declared_or_held_is_a_number(read_files):
    assert read_files({"x.csv": b"a\n007\n"}, types={"a": "int"}).to_pydict() == {"a": [7]}
    assert read_files({"x.csv": b"a\n007\n"}, held=pa.schema([("a", pa.int64())])).to_pydict() == {"a": [7]}

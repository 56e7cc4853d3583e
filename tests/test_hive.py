import pytest

from tasks.errors import DataRefused
from tasks.reading.hive import folder_columns


def columns(*names):
    return [{name: (value.as_py(), str(value.type)) for name, value in each.items()} for each in folder_columns(names)]


def test_whole_numbers_are_numbers_where_all_are():
    assert columns("year=2024/month=01/a", "year=-1/month=12/b") == [
        {"year": (2024, "int64"), "month": (1, "int64")},
        {"year": (-1, "int64"), "month": (12, "int64")},
    ]
    assert columns("year=2024/a", "year=x/b") == [{"year": ("2024", "string")}, {"year": ("x", "string")}]
    assert columns("n=12345678901234567890/a") == [{"n": ("12345678901234567890", "string")}]


def test_missing_values_and_marks_that_are_written_otherwise():
    names = ("place=__HIVE_DEFAULT_PARTITION__/a", "place=a%2Fb%3D%20c/b", "place=/c")
    assert [each["place"][0] for each in columns(*names)] == [None, "a/b= c", ""]
    assert columns("n=__HIVE_DEFAULT_PARTITION__/a", "n=3/b") == [{"n": (None, "int64")}, {"n": (3, "int64")}]
    assert columns("n=__HIVE_DEFAULT_PARTITION__/a") == [{"n": (None, "string")}]


def test_other_folders_give_nothing():
    assert columns("plain/a", "b", "a=b") == [{}, {}, {}]
    assert columns() == []


def test_columns_that_differ_are_refused():
    for other in ("a", "month=1/a", "year=1/month=1/a"):
        with pytest.raises(DataRefused, match=r"give other columns \(.*\) than those of year=1/a \(year\); all files"):
            columns("year=1/a", other)

"""The first rows of data and the source that reads them again."""

from pathlib import Path

import pandas as pd
import pytest

from tasks.drafting.samples import format_of, take
from tasks.errors import DataRefused, ProblemError
from tasks.sources import FilesSource, UrlSource

FRAME = pd.DataFrame({"a": range(100), "b": [n / 2 for n in range(100)], "c": ["x", "y"] * 50})


def test_a_plain_file_is_declared_by_its_path_alone(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    found = take(str(tmp_path / "t.csv"), tmp_path)
    assert found.source == {"kind": "files", "path": "t.csv"}
    assert found.whole
    assert (found.origin, found.sha256) == ("t.csv", None)
    assert found.frame.to_dict("list") == FRAME.to_dict("list")
    elsewhere = take(str(tmp_path / "t.csv"), tmp_path / "project")
    assert elsewhere.source["path"] == str(tmp_path / "t.csv")


def test_a_dialect_is_found_and_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(FRAME.to_csv(index=False, sep=";", decimal=",").encode())
    found = take(str(tmp_path / "t.csv"), tmp_path)
    assert found.source["dialect"] == {"separator": ";", "decimal": ","}
    assert found.frame["b"].tolist() == FRAME["b"].tolist()
    assert FilesSource.model_validate(found.source)


@pytest.mark.parametrize("name", ["t.data", "t", "t.txt"])
def test_a_format_that_the_name_does_not_tell_is_declared(name: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / name, index=False, header=False)
    found = take(str(tmp_path / name), tmp_path)
    assert found.source["format"] == "csv"
    assert list(found.frame) == ["column_1", "column_2", "column_3"]
    FRAME.to_parquet(tmp_path / name)
    assert take(str(tmp_path / name), tmp_path).source["format"] == "parquet"


def test_of_a_large_file_the_first_rows_are_taken(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv.gz", index=False)
    found = take(str(tmp_path / "t.csv.gz"), tmp_path, rows=30)
    assert (len(found.frame), found.whole) == (30, False)
    assert take(str(tmp_path / "t.csv.gz"), tmp_path, rows=100).whole


def test_an_address_gives_its_digest_but_is_not_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALAMANDER_MIRROR", str(tmp_path))
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    found = take("https://example.org/some/t.csv", tmp_path)
    assert found.source == {"kind": "url", "url": "https://example.org/some/t.csv"}
    assert found.sha256 is not None
    assert len(found.sha256) == 64
    assert UrlSource.model_validate(found.source)


def test_data_sets_of_scikit_learn_are_named(tmp_path: Path) -> None:
    found = take("sklearn:iris", tmp_path)
    assert found.source == {"kind": "bundled", "name": "iris"}
    assert len(found.frame) == 150
    with pytest.raises(ProblemError, match=r"'irsi' is not known \(did you mean 'iris'\?\)"):
        take("sklearn:irsi", tmp_path)


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"There is no file nowhere\.csv"):
        take("nowhere.csv", tmp_path)
    for content in (b"", b"a,b\n", b"PAR1 and no more", b"\x1f\x8b\x08cut"):
        path = tmp_path / ("t.parquet" if content.startswith(b"PAR1") else "t.csv")
        path.write_bytes(content)
        with pytest.raises(DataRefused):
            take(str(path), tmp_path)


def test_a_format_is_told_by_the_name_then_by_the_beginning() -> None:
    assert format_of("x.TSV", b"") == "tsv"
    assert format_of("x", b"PAR1") == "parquet"
    assert format_of("x", b'{"a": 1}') == "jsonl"
    assert format_of("x.dat", b"a,b") == "csv"

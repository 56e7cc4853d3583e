"""What a source may declare, and how a file is read in its place."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tasks.sources import (
    BundledSource,
    Dialect,
    FilesSource,
    Source,
    SqlSource,
    UrlSource,
    dialect_of,
    in_place_of,
    without_types,
)

ADAPTER = TypeAdapter(Source)


def declared(**keys):
    return ADAPTER.validate_python(keys)


def test_only_what_cannot_change_is_pinned():
    assert declared(kind="bundled", name="iris").pinned
    assert declared(kind="url", url="https://example.org/a.csv", sha256="0" * 64).pinned
    assert not declared(kind="url", url="https://example.org/a.csv").pinned
    assert not declared(kind="files", path="a.csv").pinned
    assert not declared(kind="sql", url="sqlite:///a.db", query="select 1").pinned


def test_addresses_are_one_or_many():
    one = declared(kind="url", url="https://example.org/a.csv")
    many = declared(kind="url", urls=["https://example.org/a.csv", "https://example.org/b.csv"])
    assert isinstance(one, UrlSource)
    assert isinstance(many, UrlSource)
    assert one.addresses == ("https://example.org/a.csv",)
    assert many.addresses == ("https://example.org/a.csv", "https://example.org/b.csv")


@pytest.mark.parametrize(
    "address",
    ["postgresql://reader:${DB_PASSWORD}@db/sales", "postgresql://${WHO}@db/sales", "sqlite:///a.db", "s3://a/b.csv"],
)
def test_an_address_may_ask_for_a_password_but_not_hold_one(address):
    assert declared(kind="sql", url=address, query="select 1").url == address


@pytest.mark.parametrize("kind", ["sql", "files", "url"])
def test_a_password_in_an_address_is_refused(kind):
    address = "https://me:secret@example.org/a.csv"
    keys = {"sql": {"url": address, "query": "select 1"}, "files": {"path": address}, "url": {"url": address}}
    with pytest.raises(ValidationError, match="a password does not belong in a problem file"):
        declared(kind=kind, **keys[kind])


def test_a_file_is_read_in_place_of_a_source_in_its_dialect():
    source = declared(
        kind="url",
        url="https://example.org/a.zip",
        member="a.txt",
        format="csv",
        dialect={"separator": ";"},
        types={"zip": "text"},
        mode="append",
    )
    found = in_place_of(source, "/data/b.csv")
    assert isinstance(found, FilesSource)
    assert (found.path, found.mode, found.member, found.format) == ("/data/b.csv", "replace", None, None)
    assert (found.dialect.separator, found.types) == (";", {"zip": "text"})
    assert found.smallest_share == 0


def test_a_file_is_read_in_place_of_a_source_that_reads_no_files():
    for source in (BundledSource(kind="bundled", name="wine"), SqlSource(kind="sql", url="sqlite:///a", query="q")):
        assert in_place_of(source, "b.csv") == FilesSource(kind="files", path="b.csv", smallest_share=0)


def test_an_address_is_read_in_place_of_a_source():
    source = declared(kind="files", path="a.csv", dialect={"separator": ";"}, types={"zip": "text"})
    found = in_place_of(source, "https://example.org/b.csv")
    assert isinstance(found, UrlSource)
    assert (found.addresses, found.dialect.separator) == (("https://example.org/b.csv",), ";")
    assert without_types(found) == found.model_copy(update={"types": {}})
    assert dialect_of(found).separator == ";"


def test_a_source_that_reads_no_files_has_neither_types_nor_a_dialect_of_its_own():
    source = BundledSource(kind="bundled", name="wine")
    assert without_types(source) == source
    assert dialect_of(source) == Dialect()

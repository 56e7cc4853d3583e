import gzip
import hashlib
import io
import os
import sqlite3
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import DataRefused, NetworkError, ProblemError, SalamanderError, StoreError
from tasks.fetch import _try_again, fetch
from tasks.reading.downloads import MIRROR, download, mirrored
from tasks.snapshots import RefusedBatch
from tasks.sources import BundledSource, FilesSource, PythonSource, SqlSource, UrlSource

pytestmark = pytest.mark.usefixtures("without_run_logger")

CSV = b"rooms,place\n3,shore\n5,hill\n"
LONG_CSV = b"rooms,number\n" + b"".join(b"%d,%d\n" % (row, row * 7919 % 1000) for row in range(5000))


def archive(members, mode="w:gz"):
    """Give a tar archive of names and contents; a content that is text is a symbolic link there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, content in members:
            archived.writestr(name, content)
    return buffer.getvalue()


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.split("?")[0]
        if name == "/moved.csv":
            self.send_response(302)
            self.send_header("Location", "/houses.csv")
            self.end_headers()
            return
        status = int(name.removeprefix("/status/")) if name.startswith("/status/") else 200
        content = self.server.files.get(name)
        if content is None and status == 200:
            status = 404
        body = content or b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (1000 if name.startswith("/cut") else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):  # noqa: A002
        """Say nothing."""


@pytest.fixture
def website(serve):
    """Give a real server on this machine: ``files`` by path, ``asked`` for what was requested."""
    running = serve(Answer)
    running.files, running.asked = {"/houses.csv": CSV, "/cut.csv": CSV}, []
    running.address = f"http://127.0.0.1:{running.server_address[1]}"
    return running


@pytest.fixture(autouse=True)
def nothing_outside_the_store(tmp_path, store, monkeypatch):
    """Fail if any file appears below the test's folder but not in the store."""
    work = tmp_path / "work" / "deep" / "below"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    yield
    outside = [p for p in tmp_path.rglob("*") if store.root not in (p, *p.parents) and "mirror" not in p.parts]
    assert [path for path in outside if path.is_file() or path.is_symlink()] == []
    scratch = store.root / ".scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


def source_of(website, name="houses.csv", content=None, **changes):
    if content is not None:
        website.files[f"/{name}"] = content
    return UrlSource.model_validate({"kind": "url", "url": f"{website.address}/{name}"} | changes)


def fetched(source, store):
    snapshot = fetch.fn(source, store)
    return store.table(snapshot.data).to_pydict()


ROWS = {"rooms": [3, 5], "place": ["shore", "hill"]}

# Where data comes from.


def test_a_bundled_data_set_needs_no_network(store):
    snapshot = fetch.fn(BundledSource(kind="bundled", name="iris"), store)
    assert snapshot.data.rows == 150
    assert snapshot.data.names[-1] == "target"
    assert snapshot.origin == "scikit-learn's iris"
    assert fetch.fn(BundledSource(kind="bundled", name="iris"), store) == snapshot


@pytest.mark.parametrize(
    ("name", "shape"),
    [("breast_cancer", (569, 31)), ("diabetes", (442, 11)), ("digits", (1797, 65)), ("wine", (178, 14))],
)
def test_every_bundled_data_set_is_there(store, name, shape):
    data = fetch.fn(BundledSource(kind="bundled", name=name), store).data
    assert (data.rows, len(data.columns)) == shape
    assert "target" in data.names


def test_a_csv_from_its_address(website, store):
    source = source_of(website)
    assert fetched(source, store) == ROWS
    assert fetch.fn(source, store).origin == source.url
    kept = list((store.folder / "downloads").iterdir())
    assert [path.name for path in kept] == [f"{hashlib.sha256(CSV).hexdigest()}-houses.csv"]
    assert kept[0].read_bytes() == CSV


def test_a_parquet_file_from_its_address(website, store):
    buffer = io.BytesIO()
    pq.write_table(pa.table(ROWS), buffer)
    assert fetched(source_of(website, "houses.parquet", buffer.getvalue()), store) == ROWS


def test_a_moved_file_is_followed(website, store):
    assert fetched(source_of(website, "moved.csv"), store) == ROWS


def test_a_pinned_file_is_downloaded_once(website, store):
    source = source_of(website, sha256=hashlib.sha256(CSV).hexdigest())
    first = fetch.fn(source, store)
    assert fetch.fn(source, store) == first
    assert website.asked == ["/houses.csv"]


def test_a_file_without_a_pin_is_fetched_afresh(website, store):
    source = source_of(website)
    fetch.fn(source, store)
    website.files["/houses.csv"] = CSV + b"7,moor\n"
    assert fetch.fn(source, store).data.rows == 3


def test_the_wrong_digest_is_refused(website, store):
    with pytest.raises(DataRefused) as caught:
        fetch.fn(source_of(website, sha256="0" * 64), store)
    assert hashlib.sha256(CSV).hexdigest() in str(caught.value)
    assert "is not the pinned file" in str(caught.value)


def test_a_pinned_file_that_was_damaged_in_the_store_is_named(website, store):
    source = source_of(website, sha256=hashlib.sha256(CSV).hexdigest())
    fetch.fn(source, store)
    path = next((store.folder / "downloads").iterdir())
    path.write_bytes(CSV.replace(b"3", b"4"))
    with pytest.raises(StoreError, match="was changed after it was written"):
        fetch.fn(source, store)


def test_the_mirror_stands_in_for_the_network(tmp_path, store, monkeypatch):
    (tmp_path / "mirror" / "housing").mkdir(parents=True)
    (tmp_path / "mirror" / "housing" / "houses.csv").write_bytes(CSV)
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    source = UrlSource(kind="url", url="https://nowhere.invalid/datasets/housing/houses.csv")
    assert fetched(source, store) == ROWS
    pinned = source.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(DataRefused, match=r"mirror/housing/houses\.csv is not the pinned file"):
        fetch.fn(pinned, store)


def test_the_longest_end_of_the_path_is_looked_up(tmp_path):
    mirror = tmp_path / "mirror"
    for folder in ("a/b", "b", "."):
        (mirror / folder).mkdir(parents=True, exist_ok=True)
        (mirror / folder / "x.csv").touch()
    assert mirrored("https://h/z/a/b/x.csv", mirror) == mirror / "a/b/x.csv"
    assert mirrored("https://h/b/x.csv?raw=true", mirror) == mirror / "b/x.csv"
    assert mirrored("https://h/c/x.csv", mirror) == mirror / "x.csv"
    assert mirrored("https://h/y.csv", mirror) is None
    (mirror / "b" / "only.csv").touch()
    assert mirrored("https://h/c/only.csv", mirror) == mirror / "b/only.csv"
    (mirror / "a" / "only.csv").touch()
    assert mirrored("https://h/c/only.csv", mirror) is None
    assert mirrored("https://h/", mirror) is None


def test_the_only_file_of_its_name_in_the_folders_of_a_mirror_is_found(tmp_path):
    mirror = tmp_path / "mirror"
    for folder in ("temperatures", "rain"):
        (mirror / folder).mkdir(parents=True)
    (mirror / "temperatures" / "x.csv").touch()
    assert mirrored("https://h/master/x.csv", mirror) == mirror / "temperatures" / "x.csv"
    (mirror / "rain" / "x.csv").touch()
    assert mirrored("https://h/master/x.csv", mirror) is None


def test_the_mirror_is_not_left(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "secret.csv").touch()
    assert mirrored("https://h/../store/secret.csv", tmp_path / "mirror") is None


# What an address can answer.


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_an_answer_that_may_pass_is_a_network_error(website, store, status):
    with pytest.raises(NetworkError, match=f"answered {status}"):
        fetch.fn(source_of(website, f"status/{status}"), store)


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_an_answer_that_will_not_pass_is_refused(website, store, status):
    with pytest.raises(DataRefused, match=f"answered {status} .*check source.url"):
        fetch.fn(source_of(website, f"status/{status}"), store)


def test_a_connection_cut_short_is_a_network_error(website, store):
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch.fn(source_of(website, "cut.csv"), store)
    assert not (store.folder / "downloads").exists()


def test_a_closed_port_is_a_network_error_that_names_the_mirror(website, store):
    website.shutdown()
    website.server_close()
    with pytest.raises(NetworkError, match=f"could not be fetched: .*{MIRROR}"):
        fetch.fn(source_of(website), store)


def test_a_name_that_does_not_resolve_is_a_network_error(store, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch.fn(UrlSource(kind="url", url="http://nowhere.invalid/houses.csv"), store)


@pytest.mark.parametrize("url", ["http://\x7f/houses.csv", "http://../houses.csv", "http://xn--/houses.csv"])
def test_an_address_that_is_none_is_a_sentence(store, monkeypatch, url):
    monkeypatch.delenv(MIRROR, raising=False)
    with pytest.raises(SalamanderError):
        fetch.fn(UrlSource(kind="url", url=url), store)


def test_more_than_allowed_is_refused(website, store):
    with pytest.raises(DataRefused, match=r"is larger than source\.largest_bytes = 1,000"):
        fetch.fn(source_of(website, "long.csv", LONG_CSV, largest_bytes=1000), store)
    assert fetch.fn(source_of(website, "long.csv", largest_bytes=len(LONG_CSV)), store).data.rows == 5000


def test_a_download_is_what_was_served(website, store):
    store.root.mkdir()
    download(f"{website.address}/houses.csv", store.root / "download", 100)
    assert (store.root / "download").read_bytes() == CSV


def test_only_the_network_is_tried_again():
    from prefect.states import Failed

    assert _try_again(None, None, Failed(data=NetworkError("x")))
    assert not _try_again(None, None, Failed(data=DataRefused("x")))
    assert not _try_again(None, None, Failed(data=ValueError("x")))


# Archives.


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2", "w:xz"])
def test_a_file_inside_a_tar(website, store, mode):
    content = archive([("./houses.csv", CSV)], mode)
    assert fetched(source_of(website, "houses.tgz", content), store) == ROWS
    assert fetched(source_of(website, "houses.tgz", member="houses.csv"), store) == ROWS


def test_a_file_inside_a_zip(website, store):
    content = zipped([("data/", b""), ("data/houses.csv", CSV)])
    assert fetched(source_of(website, "houses.zip", content), store) == ROWS
    assert fetched(source_of(website, "houses.zip", member="data/houses.csv"), store) == ROWS


@pytest.mark.parametrize("pack", [archive, zipped])
def test_of_several_files_one_must_be_named(website, store, pack):
    content = pack([("b.csv", CSV), ("a.csv", b"x\n1\n")])
    with pytest.raises(DataRefused, match=r"has 2 files; name one in source\.member; it holds: a\.csv, b\.csv"):
        fetch.fn(source_of(website, "houses.archive", content), store)
    assert fetched(source_of(website, "houses.archive", member="a.csv"), store) == {"x": [1]}
    with pytest.raises(DataRefused, match=r"has no file 'c\.csv'; it holds: a\.csv, b\.csv"):
        fetch.fn(source_of(website, "houses.archive", member="c.csv"), store)


@pytest.mark.parametrize("pack", [archive, zipped])
@pytest.mark.parametrize("name", ["../evil.csv", "../../evil.csv", "/tmp/evil.csv"])  # noqa: S108
def test_a_path_that_leaves_the_folder_is_only_a_name(website, store, pack, name):
    """Nothing is ever written under that name (the fixture looks), and beside others it does no harm."""
    with pytest.raises(DataRefused, match="leads out of the archive, which is not followed"):
        fetch.fn(source_of(website, "houses.archive", pack([(name, CSV)])), store)
    beside = pack([(name, CSV), ("houses.csv", CSV)])
    assert fetched(source_of(website, "houses.archive", beside, member="houses.csv"), store) == ROWS


def test_a_symbolic_link_is_no_file(website, store):
    (store.root).mkdir()
    (store.root / "secret.csv").write_bytes(b"secret\n1\n")
    content = archive([("houses.csv", str(store.root / "secret.csv"))])
    with pytest.raises(DataRefused, match=r"has 0 files.*; it holds: none"):
        fetch.fn(source_of(website, "houses.tgz", content), store)
    with pytest.raises(DataRefused, match=r"'houses\.csv' is a link, which is not followed"):
        fetch.fn(source_of(website, "houses.tgz", member="houses.csv"), store)
    beside = archive([("link.csv", str(store.root / "secret.csv")), ("houses.csv", CSV)])
    assert fetched(source_of(website, "beside.tgz", beside), store) == ROWS


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_truncated_tar_is_refused(website, store, mode, share):
    content = archive([("houses.csv", LONG_CSV)], mode)
    with pytest.raises(DataRefused, match="is not a whole archive"):
        fetch.fn(source_of(website, "houses.tgz", content[: int(share * len(content))]), store)


def test_a_truncated_zip_is_refused(website, store):
    content = zipped([("houses.csv", LONG_CSV)])
    with pytest.raises(DataRefused, match="is not a whole archive"):
        fetch.fn(source_of(website, "houses.zip", content[: len(content) // 2]), store)


def damaged(content, share):
    changed = bytearray(content)
    for index in range(int(share * len(content)), int(share * len(content)) + 3):
        changed[index] ^= 0xFF
    return bytes(changed)


PACKS = {"tgz": archive, "tar.xz": lambda members: archive(members, "w:xz"), "zip": zipped}


@pytest.mark.parametrize("kind", PACKS)
@pytest.mark.parametrize("share", [0.01, 0.03, 0.3, 0.6])
def test_a_damaged_archive_is_refused(website, store, kind, share):
    """Changed bytes inside compressed data are refused, whatever their place, pinned or not."""
    content = damaged(PACKS[kind]([("houses.csv", LONG_CSV)]), share)
    with pytest.raises(DataRefused):
        fetch.fn(source_of(website, f"houses.{kind}", content), store)


def test_a_changed_checksum_of_a_gzip_is_refused(website, store):
    """The last eight bytes of a gzip file are the checksum and the length of its content: here one of them is wrong."""
    content = bytearray(archive([("houses.csv", LONG_CSV)]))
    content[-8] ^= 0xFF
    with pytest.raises(DataRefused):
        fetch.fn(source_of(website, "houses.tgz", bytes(content)), store)


def test_an_encrypted_zip_is_refused(website, store):
    content = bytearray(zipped([("houses.csv", CSV)]))
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataRefused):
        fetch.fn(source_of(website, "houses.zip", bytes(content)), store)


@pytest.mark.parametrize("pack", [archive, zipped])
def test_a_bomb_does_not_go_off(website, store, pack):
    content = pack([("houses.csv", b"a\n" + b"1\n" * 10**6)])
    assert len(content) < 20_000
    with pytest.raises(DataRefused, match=r"unpacks to more than source\.largest_bytes = 20,000"):
        fetch.fn(source_of(website, "houses.archive", content, largest_bytes=20_000), store)


# Contents.


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "cannot be read as csv"),
        (b"rooms,place\n", "has no rows"),
        (b"a,b\n1,2\n1,2,3\n", "cannot be read as csv"),
        ("a\né\n".encode("latin-1"), "cannot be read as csv"),
        (b"PAR1\x00\x01", None),
    ],
)
def test_a_csv_that_is_none_is_refused(website, store, content, expected):
    if expected is None:
        with pytest.raises(DataRefused, match="cannot be read as parquet"):
            fetch.fn(source_of(website, "bad.parquet", content), store)
    else:
        with pytest.raises(DataRefused, match=expected):
            fetch.fn(source_of(website, "bad.csv", content), store)


@pytest.mark.filterwarnings("ignore")  # in production a warning stops nobody
def test_a_csv_whose_rows_are_longer_than_its_header_is_refused(website, store):
    """pandas would take the first column for an index, and every value would stand under the wrong name."""
    with pytest.raises(DataRefused):
        fetch.fn(source_of(website, "bad.csv", b"rooms,place\n1,2,3\n4,5,6\n"), store)


@pytest.mark.parametrize("name", ["houses.xlsx", "houses", "houses.xlsx.gz"])
def test_another_kind_of_file_is_a_problem(website, store, name):
    with pytest.raises(ProblemError, match=r"is of a kind that is not read; allowed: \.csv, \.tsv, .*\.parquet"):
        fetch.fn(source_of(website, name, gzip.compress(CSV)), store)


def test_missing_values_stay_missing(website, store):
    table = fetched(source_of(website, "gaps.csv", b"rooms,place\n3,\n,hill\n"), store)
    assert table["rooms"][0] == 3
    assert pd.isna(table["rooms"][1])
    assert table["place"] == [None, "hill"]


# Every kind of source, and what was held before.


def test_the_rows_of_several_addresses(website, store):
    website.files["/more.csv.gz"] = gzip.compress(b"place,rooms\nmoor,7.5\n")
    urls = (f"{website.address}/houses.csv", f"{website.address}/more.csv.gz")
    snapshot = fetch.fn(UrlSource(kind="url", urls=urls), store)
    assert store.table(snapshot.data).to_pydict() == {"rooms": [3.0, 5.0, 7.5], "place": ["shore", "hill", "moor"]}
    assert snapshot.origin == ", ".join(urls)


def test_the_types_of_the_last_snapshot_are_held(website, store):
    source = source_of(website)
    base = fetch.fn(source, store)
    website.files["/houses.csv"] = CSV.replace(b"3", b"3.5")
    with pytest.raises(DataRefused, match=r"column 'rooms' held int64 until now; '3\.5' is not"):
        fetch.fn(source, store, base)
    assert fetch.fn(source, store).data.columns[0].dtype == "double"
    website.files["/houses.csv"] = b"rooms,place\n3,7\n"
    assert fetch.fn(source, store, base).data.columns == base.data.columns


def test_files_of_a_folder(tmp_path, store):
    folder = tmp_path / "mirror" / "houses"
    for year, content in (("2020", CSV), ("2021", b"rooms,place\n7.5,moor\n")):
        (folder / f"year={year}").mkdir(parents=True)
        (folder / f"year={year}" / "part.csv").write_bytes(content)
    source = FilesSource(kind="files", path="mirror/houses")
    snapshot = fetch.fn(source, store, project=str(tmp_path))
    table = store.table(snapshot.data).to_pydict()
    assert table == {"rooms": [3.0, 5.0, 7.5], "place": ["shore", "hill", "moor"], "year": [2020, 2020, 2021]}
    assert snapshot.origin == "mirror/houses"
    typed = source.model_copy(update={"types": {"rooms": "text"}})
    assert fetched_from(typed, store, tmp_path)["rooms"] == ["3", "5", "7.5"]


def fetched_from(source, store, project):
    return store.table(fetch.fn(source, store, project=str(project)).data).to_pydict()


def test_a_query(tmp_path, store, monkeypatch):
    (tmp_path / "mirror").mkdir()
    with sqlite3.connect(tmp_path / "mirror" / "houses.db") as connection:
        connection.execute("CREATE TABLE houses (rooms INTEGER, place TEXT)")
        connection.executemany("INSERT INTO houses VALUES (?, ?)", [(3, "shore"), (5, "hill")])
    connection.close()
    monkeypatch.setenv("HOUSES", "houses")
    source = SqlSource(kind="sql", url="sqlite:///mirror/${HOUSES}.db", query="SELECT * FROM houses ORDER BY rooms")
    assert fetched_from(source, store, tmp_path) == ROWS
    assert fetch.fn(source, store, project=str(tmp_path)).origin == "sqlite:///mirror/${HOUSES}.db"


def test_a_function(tmp_path, store):
    (tmp_path / "mirror").mkdir()
    source = PythonSource(kind="python", function="pandas:DataFrame", arguments={})
    with pytest.raises(DataRefused, match="pandas:DataFrame gave no rows; the data was refused"):
        fetch.fn(source, store, project=str(tmp_path))
    source = PythonSource(kind="python", function="pandas:read_csv", arguments={"filepath_or_buffer": "houses.csv"})
    (tmp_path / "mirror" / "houses.csv").write_bytes(CSV)
    source = source.model_copy(update={"arguments": {"filepath_or_buffer": str(tmp_path / "mirror" / "houses.csv")}})
    assert fetched_from(source, store, tmp_path) == ROWS


def said(monkeypatch):
    """Give a list of what is said from now on."""
    shown = []
    say = SimpleNamespace(**dict.fromkeys(("info", "warning"), lambda text, *values: shown.append(text % values)))
    monkeypatch.setattr("tasks.fetch.get_run_logger", lambda: say)
    return shown


def test_a_column_without_values_is_told(website, store, monkeypatch):
    shown = said(monkeypatch)
    fetch.fn(source_of(website, "gaps.csv", b"rooms,place\n3,\n"), store)
    assert shown[2:] == ["No row has a value in the column(s) place."]


@pytest.mark.skipif(MIRROR not in os.environ, reason="no folder with the published files")
def test_the_published_reviews(store):
    url = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/review_polarity.tar.gz"
    source = UrlSource.model_validate({"kind": "url", "url": url, "format": "texts", "member": "txt_sentoken"})
    snapshot = fetch.fn(source, store)
    table = store.table(snapshot.data)
    assert table.column_names == ["text", "target", "file"]
    assert table["target"].value_counts().to_pylist() == [
        {"values": "neg", "counts": 1000},
        {"values": "pos", "counts": 1000},
    ]


@pytest.mark.skipif(MIRROR not in os.environ, reason="no folder with the published files")
def test_the_published_temperatures(store):
    url = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv"
    data = fetch.fn(UrlSource(kind="url", url=url), store).data
    assert [(column.name, column.dtype) for column in data.columns] == [("Date", "date32[day]"), ("Temp", "double")]
    assert data.rows == 3650


# What was accepted before, and what is accepted anew.

UNIT = (("code",), "price")


def taken_from(source, store, project, base=None, **settings):
    return fetch.fn(source, store, base, UNIT, project=str(project), **settings)


def test_codes_stay_codes_when_columns_are_accepted_anew(tmp_path, store, monkeypatch):
    shown = said(monkeypatch)
    path = tmp_path / "mirror" / "houses.csv"
    path.parent.mkdir()
    path.write_text("code,price,rooms,old\n007,1.5,3,a\n7,2.5,4,b\n")
    source = FilesSource(kind="files", path="mirror/houses.csv", mode="append")
    base = taken_from(source, store, tmp_path)
    path.write_text("code,price,rooms\n7,1,3.5\n8,2,4\n")
    shown.clear()
    anew = taken_from(source, store, tmp_path, base, accept_columns=True)
    assert store.table(anew.data).to_pydict() == {
        "code": ["007", "7", "8"],
        "price": [1.5, 1.0, 2.0],
        "rooms": [3.0, 3.5, 4.0],
    }
    assert shown[2:] == [
        "The column 'rooms' held int64 and now holds double.",
        "The column 'old' is dropped, in the rows before too: these rows have none of that name.",
        "1 of these rows replace earlier ones of the same identity, or equal them.",
    ]


def test_a_batch_whose_values_do_not_fit_can_be_found(tmp_path, store):
    path = tmp_path / "mirror" / "houses.csv"
    path.parent.mkdir()
    path.write_text("code,price\na,1\n")
    source = FilesSource(kind="files", path="mirror/houses.csv")
    base = taken_from(source, store, tmp_path)
    path.write_text("code,price\nb,dear\n")
    with pytest.raises(RefusedBatch, match=r"column 'price' held int64 until now; 'dear' is not") as refused:
        taken_from(source, store, tmp_path, base)
    assert store.table(refused.value.snapshot.data).to_pydict() == {"code": ["b"], "price": ["dear"]}
    path.write_text("")
    with pytest.raises(DataRefused, match="it is empty"):
        taken_from(source, store, tmp_path, base)


@pytest.fixture
def sales(tmp_path, store):
    """Give a query with a watermark, and a function that runs statements in its database."""
    (tmp_path / "mirror").mkdir()

    def run(text):
        with sqlite3.connect(tmp_path / "mirror" / "sales.db") as connection:
            connection.executescript(text)
        connection.close()

    run("CREATE TABLE sales (code INTEGER, price REAL); INSERT INTO sales VALUES (1, 1.5), (2, 2.5)")
    return SqlSource(
        kind="sql",
        url="sqlite:///mirror/sales.db",
        query="SELECT * FROM sales",
        mode="append",
        watermark="code",
    ), run


def test_columns_are_accepted_anew_from_where_the_watermark_stands(tmp_path, store, sales):
    source, run = sales
    base = taken_from(source, store, tmp_path)
    run(
        "ALTER TABLE sales ADD COLUMN place TEXT; UPDATE sales SET price = 0; INSERT INTO sales VALUES (3, 3.5, 'hill')"
    )
    found = store.table(taken_from(source, store, tmp_path, base, accept_columns=True).data).to_pydict()
    assert found == {"code": [1, 2, 3], "price": [1.5, 2.5, 3.5], "place": [None, None, "hill"]}


def test_a_watermark_belongs_to_its_query(tmp_path, store, sales):
    source, run = sales
    base = taken_from(source.model_copy(update={"query": "SELECT * FROM sales WHERE code = 2"}), store, tmp_path)
    assert (base.data.rows, base.watermark) == (1, "2")
    both = taken_from(source, store, tmp_path, base)
    assert (both.data.rows, both.watermark) == (2, "2")
    run("UPDATE sales SET price = 0")
    assert taken_from(source, store, tmp_path, both).data == both.data, "no older row is fetched again"

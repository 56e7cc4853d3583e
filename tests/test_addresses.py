import io
import os

import boto3
import fsspec
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tasks.errors import DataRefused, NetworkError, ProblemError, SalamanderError
from tasks.reading.addresses import found, with_columns
from tasks.reading.streams import Stream
from tests.conftest import free_port

CSV = b"rooms,place\n3,shore\n5,hill\n"


def names(path, folder):
    return [file.name for file in found(path, folder)]


def folders(file):
    return {name: value.as_py() for name, value in file.columns.items()}


@pytest.fixture
def write(tmp_path):
    def at(*paths, content=CSV):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)

    return at


# This machine's files.


def test_a_path_is_relative_to_the_project(tmp_path, write, monkeypatch):
    write("data/houses.csv")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for path in ("data/houses.csv", f"{tmp_path}/data/houses.csv", f"file://{tmp_path}/data/houses.csv"):
        (file,) = found(path, tmp_path)
        with file.open() as stream:
            assert (file.name, stream.read()) == ("houses.csv", CSV)


def test_a_glob_and_a_folder_are_sorted(tmp_path, write):
    write("data/b.csv", "data/a.csv", "data/c.txt", "data/deep/d.csv", "data/.hidden.csv", "data/_temporary/e.csv")
    assert names("data/*.csv", tmp_path) == ["a.csv", "b.csv"]
    assert names("data/**/*.csv", tmp_path) == ["a.csv", "b.csv", "deep/d.csv"]
    assert names("data/[bc].*", tmp_path) == ["b.csv", "c.txt"]
    assert names("data", tmp_path) == names("data/", tmp_path) == ["a.csv", "b.csv", "c.txt", "deep/d.csv"]
    assert names("data/.hidden.csv", tmp_path) == [".hidden.csv"]


def test_a_name_with_the_marks_of_a_glob_is_a_name_where_there_is_such_a_file(tmp_path, write):
    write("data/[2024]/houses?.csv", "data/[2024]/housesX.csv")
    assert names("data/[2024]/houses?.csv", tmp_path) == ["houses?.csv"]
    assert names("data/[2024]", tmp_path) == ["houses?.csv", "housesX.csv"]


@pytest.mark.parametrize("path", ["nowhere.csv", "data/*.parquet", "nowhere/*.csv", "empty", "~/nowhere-at-all.csv"])
def test_nothing_is_refused(tmp_path, write, path):
    write("data/houses.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProblemError, match=r"^source\.path = '.*': there is no(thing| such file)"):
        found(path, tmp_path)


def test_a_file_that_goes_away_is_refused(tmp_path, write):
    write("houses.csv")
    (file,) = found("houses.csv", tmp_path)
    (tmp_path / "houses.csv").unlink()
    with pytest.raises(ProblemError, match="there is nothing at this address"):
        file.open()


# Hive folders.


def test_folders_give_columns_of_the_same_types_in_every_file(tmp_path, write):
    write(
        "h/year=2024/place=a%2Fb/1.csv",
        "h/year=2025/place=7/2.csv",
        "h/year=2025/place=__HIVE_DEFAULT_PARTITION__/3.csv",
    )
    write("h/_SUCCESS")
    for path in ("h", "h/*", "h/**/*.csv", "h/year=*"):
        files = found(path, tmp_path)
        assert [folders(file) for file in files] == [
            {"year": 2024, "place": "a/b"},
            {"year": 2025, "place": "7"},
            {"year": 2025, "place": None},
        ]
        assert {(name, str(value.type)) for file in files for name, value in file.columns.items()} == {
            ("year", "int64"),
            ("place", "string"),
        }


def test_folders_that_give_other_columns_are_refused(tmp_path, write):
    write("h/year=2024/1.csv", "h/month=1/2.csv")
    with pytest.raises(DataRefused, match=r"year=2024/1\.csv give other columns \(year\) than those of month=1/2\.csv"):
        found("h", tmp_path)


def test_a_stream_gets_the_columns_of_its_folders(tmp_path, write):
    write("h/year=2024/place=shore/1.csv", "h/year=2025/place=hill/2.csv")
    files = found("h", tmp_path)
    batches = [
        pa.record_batch({"rooms": [3, 5], "place": ["own", "own"]}),
        pa.record_batch({"rooms": [1], "place": ["x"]}),
    ]
    stream = with_columns(Stream(batches[0].schema, iter(batches)), files[1])
    table = pa.Table.from_batches(list(stream.batches), schema=stream.schema)
    assert table.to_pydict() == {"rooms": [3, 5, 1], "place": ["own", "own", "x"], "year": [2025, 2025, 2025]}
    assert table.schema.field("year").type == "int64"


# Addresses of fsspec.


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def test_a_file_system_in_memory(tmp_path, memory):
    memory.pipe({"/h/year=1/a.csv": CSV, "/h/year=2/b.csv": b"x"})
    assert names("memory://h", tmp_path) == names("memory://h/*/*.csv", tmp_path) == ["year=1/a.csv", "year=2/b.csv"]
    with found("memory://h/year=1/a.csv", tmp_path)[0].open() as stream:
        assert stream.read() == CSV


def test_an_address_that_cannot_be_used_is_a_problem(tmp_path):
    with pytest.raises(ProblemError, match=r"needs a package that is not installed: .*gcsfs"):
        found("gs://bucket/houses.csv", tmp_path)
    with pytest.raises(ProblemError, match="is not an address: Protocol not known: foo"):
        found("foo://bucket/houses.csv", tmp_path)


# A real server that speaks S3.


@pytest.fixture(scope="module")
def s3():
    """Give the address of a server with a bucket, and the environment that leads to it."""
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as environment:
        for name in proxies:
            environment.delenv(name)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "owner",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-owner",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            environment.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="houses")
        for key, content in {"csv/b.csv": b"x", "csv/a.csv": CSV, "csv/deep/c.csv": b"", "large.bin": LARGE}.items():
            client.put_object(Bucket="houses", Key=key, Body=content)
        for year in (2024, 2025):
            buffer = io.BytesIO()
            pq.write_table(pa.table({"rooms": [year, 1]}), buffer)
            client.put_object(Bucket="houses", Key=f"hive/year={year}/part.parquet", Body=buffer.getvalue())
        client.close()
        yield address
    server.stop()


LARGE = bytes(range(256)) * 2**16


def test_files_of_a_bucket(s3, tmp_path):
    assert names("s3://houses/csv/*.csv", tmp_path) == ["a.csv", "b.csv"]
    assert names("s3://houses/csv", tmp_path) == ["a.csv", "b.csv", "deep/c.csv"]
    with found("s3://houses/csv/a.csv", tmp_path)[0].open() as stream:
        assert stream.readline() == b"rooms,place\n"


def test_a_bucket_that_grows_is_seen_to(s3, tmp_path):
    before = names("s3://houses/csv", tmp_path)
    client = boto3.client("s3")
    client.put_object(Bucket="houses", Key="csv/new.csv", Body=CSV)
    assert names("s3://houses/csv", tmp_path) == sorted([*before, "new.csv"])
    client.delete_object(Bucket="houses", Key="csv/new.csv")
    client.close()
    assert names("s3://houses/csv", tmp_path) == before


def test_hive_folders_in_a_bucket(s3, tmp_path):
    files = found("s3://houses/hive", tmp_path)
    assert [folders(file) for file in files] == [{"year": 2024}, {"year": 2025}]
    with files[1].open() as stream:
        assert pq.read_table(stream).to_pydict() == {"rooms": [2025, 1]}


def test_a_file_of_a_bucket_can_be_read_from_any_place(s3, tmp_path):
    with found("s3://houses/large.bin", tmp_path)[0].open() as stream:
        stream.seek(-3, io.SEEK_END)
        assert stream.read() == LARGE[-3:]
        assert stream.tell() == len(LARGE)
        stream.seek(1000)
        assert stream.read(5) == LARGE[1000:1005]
        stream.seek(0)
        assert stream.read() == LARGE


@pytest.mark.parametrize(
    "path", ["nowhere/houses.csv", "nowhere", "nowhere/*.csv", "houses/nothing.csv", "houses/no/*.csv"]
)
def test_a_bucket_or_a_file_that_is_not_there_is_refused(s3, tmp_path, path):
    with pytest.raises(ProblemError, match=rf"^source\.path = 's3://{path[:6]}.*there is no") as caught:
        found(f"s3://{path}", tmp_path)
    assert str(caught.value).endswith(".")


@pytest.fixture(scope="module")
def guest(s3):
    """Give a key that has no rights."""
    client = boto3.client("iam")
    client.create_user(UserName="guest")
    key = client.create_access_key(UserName="guest")["AccessKey"]
    client.close()
    return key


@pytest.fixture
def guarded(s3, guest):
    """Let the server check every request's key and rights; give a key that has none."""
    httpx.post(f"{s3}/moto-api/reset-auth", content=b"0", timeout=300).raise_for_status()
    yield guest
    httpx.post(f"{s3}/moto-api/reset-auth", content=b"inf", timeout=300).raise_for_status()


@pytest.mark.parametrize("path", ["houses", "houses/csv", "houses/csv/*.csv", "houses/csv/a.csv"])
def test_a_bucket_without_permission_is_refused(guarded, tmp_path, monkeypatch, path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guarded["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guarded["SecretAccessKey"])
    with pytest.raises(SalamanderError, match=r"may not be read: .*; check the credentials and their rights") as caught:
        found(f"s3://{path}", tmp_path)
    assert guarded["SecretAccessKey"] not in str(caught.value)


def test_a_key_that_is_wrong_is_refused(guarded, tmp_path):
    with pytest.raises(SalamanderError, match=r"may not be read: .*; check the credentials and their rights"):
        found("s3://houses/csv", tmp_path)


def test_no_key_is_refused(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SalamanderError, match="Unable to locate credentials; check the address and the credentials"):
        found("s3://houses/csv", tmp_path)


@pytest.mark.parametrize("path", ["houses/csv", "houses/*.csv", "houses/csv/a.csv"])
def test_a_server_that_is_down_is_worth_another_try(s3, tmp_path, monkeypatch, path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NetworkError, match="cannot be reached: Could not connect"):
        found(f"s3://{path}", tmp_path)


def test_a_server_that_stops_while_a_file_is_read_is_worth_another_try(s3, tmp_path, monkeypatch):
    other = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    other.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*other.get_host_and_port()))
    (file,) = found("s3://houses/large.bin", tmp_path)
    other.stop()
    with pytest.raises(NetworkError), file.open() as stream:
        stream.read()

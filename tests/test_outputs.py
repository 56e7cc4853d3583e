"""A table is written whole or not at all, here or in a bucket."""

from pathlib import Path

import boto3
import pandas as pd
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from tasks.errors import ProblemError, SalamanderError
from tasks.outputs import check_target, write_to
from tasks.store import Store
from tests.conftest import free_port

TABLE = pa.table({"house": ["a", "b"], "prediction": [1.5, None]})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", ["", "file://"])
def test_a_file_stands_in_the_place_of_the_one_before(store: Store, tmp_path: Path, kind: str, suffix: str) -> None:
    target, other = tmp_path / f"out{suffix}", tmp_path / "other"
    target.write_text("before")
    other.hardlink_to(target)
    check_target(f"{kind}{target}")
    write_to(store, store.keep_table(TABLE, "scored"), f"{kind}{target}")
    found = pd.read_csv(target) if suffix == ".csv" else pd.read_parquet(target)
    assert found["prediction"].tolist()[0] == 1.5
    assert [path.name for path in tmp_path.glob("out*")] == [target.name]
    assert other.read_text() == "before"  # it was not written into, but put in its place


def test_an_object_is_written_to_a_bucket(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(port=free_port())
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        client = boto3.client("s3")
        client.create_bucket(Bucket="results")
        check_target("s3://results/today/out.csv")
        write_to(store, store.keep_table(TABLE, "scored"), "s3://results/today/out.csv")
        body = client.get_object(Bucket="results", Key="today/out.csv")["Body"].read().decode()
        assert body.splitlines()[1] == '"a",1.5'
        with pytest.raises(SalamanderError, match=r"s3://nobody/out\.csv cannot be written: .*; check the address"):
            write_to(store, store.keep_table(TABLE, "scored"), "s3://nobody/out.csv")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("out.xlsx", r"out\.xlsx is of a kind that is not written; allowed: \.csv, \.parquet"),
        ("s3://bucket/out.json", r"is of a kind that is not written"),
        ("nowhere/out.csv", r"the folder nowhere does not exist"),
        ("file:///nowhere/out.csv", r"the folder /nowhere does not exist"),
        ("memory://out.csv", r"memory://out\.csv is nothing that is written to; allowed are a path, file://, s3://"),
        ("gs://bucket/out.csv", r"gs://bucket/out\.csv needs a package that is not installed: .*gcsfs"),
    ],
)
def test_what_cannot_be_written_to_is_refused_before_any_work(target: str, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        check_target(target)

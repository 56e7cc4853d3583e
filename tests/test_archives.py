import gzip
import io
import os
import tarfile
import zipfile

import pytest

from tasks.errors import DataRefused
from tasks.reading.archives import HARMLESS_BYTES, LocalFile, contents, unpacked
from tasks.sources import UrlSource

CSV = b"rooms,place\n3,shore\n5,hill\n"
BOMB = b"a\n" + b"1\n" * (HARMLESS_BYTES // 2)


def tarred(members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def unpack(tmp_path):
    def unpack_content(name, content, **declared):
        (tmp_path / "out").mkdir(exist_ok=True)
        path = tmp_path / "delivered"
        path.write_bytes(content)
        source = UrlSource.model_validate({"kind": "url", "url": "https://example.org/x", **declared})
        found = unpacked(LocalFile(name, path), source, tmp_path / "out")
        with found.open() as stream:
            return found.name, stream.read()

    return unpack_content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("houses.csv", CSV),
        ("houses.csv.gz", gzip.compress(CSV, mtime=0)),
        ("HOUSES.CSV.GZ", gzip.compress(CSV, mtime=0)),
        ("x.tgz", tarred({"houses.csv": CSV})),
        ("x.tar", tarred({"houses.csv.gz": gzip.compress(CSV, mtime=0)}, "w")),
        ("x.zip", zipped({"houses.csv.gz": gzip.compress(CSV, mtime=0)})),
        ("x", zipped({"data/": b"", "houses.csv": CSV})),
    ],
)
def test_what_is_inside(unpack, name, content):
    found, read = unpack(name, content)
    assert (found.lower(), read) == ("houses.csv", CSV)


def test_a_plain_file_is_not_copied(tmp_path):
    file = LocalFile("houses.csv", tmp_path / "houses.csv")
    file.path.write_bytes(CSV)
    assert unpacked(file, UrlSource(kind="url", url="https://example.org/x"), tmp_path / "none") is file


PACKS = {"x.csv.gz": gzip.compress, "x.tgz": lambda c: tarred({"x.csv": c}), "x.zip": lambda c: zipped({"x.csv": c})}


@pytest.mark.parametrize("name", PACKS)
def test_a_bomb_of_size_or_ratio_does_not_go_off(unpack, tmp_path, name):
    content = PACKS[name](BOMB * 2)
    assert len(content) < 60_000
    with pytest.raises(DataRefused, match=r"unpacks to more than source\.largest_ratio = 200 times its size"):
        unpack(name, content)
    with pytest.raises(DataRefused, match=r"unpacks to more than source\.largest_bytes = 3,000,000"):
        unpack(name, content, largest_bytes=3_000_000)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written < HARMLESS_BYTES + 2**21
    assert unpack(name, content, largest_ratio=2000)[1] == BOMB * 2


def test_a_plain_file_has_the_same_limit(unpack):
    with pytest.raises(DataRefused, match=r"x\.csv is larger than source\.largest_bytes = 20\."):
        unpack("x.csv", CSV, largest_bytes=20)


def test_a_small_file_may_pack_well(unpack):
    content = b"a\n" + b"1\n" * 1_000_000
    assert unpack("x.csv.gz", gzip.compress(content))[1] == content


def test_a_bomb_beside_the_wanted_member_does_not_go_off(unpack):
    content = tarred({"bomb.csv": BOMB * 2, "x.csv": CSV})
    with pytest.raises(DataRefused, match=r"largest_ratio"):
        unpack("x.tgz", content, member="x.csv")


def test_a_header_that_claims_much_is_refused(unpack):
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**32
    content = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(10**6))
    with pytest.raises(DataRefused, match="a header claims 4,294,96"):
        unpack("x.tgz", content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_gz_is_refused(unpack, share):
    content = gzip.compress(os.urandom(10_000).hex().encode())
    with pytest.raises(DataRefused, match=r"x\.csv\.gz is not a whole archive"):
        unpack("x.csv.gz", content[: int(share * len(content))])


def test_a_gz_that_is_none_is_refused(unpack):
    with pytest.raises(DataRefused, match=r"x\.csv\.gz is not a whole archive"):
        unpack("x.csv.gz", CSV)


def test_a_link_in_a_zip_is_refused(unpack):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("x.csv")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataRefused, match=r"'x\.csv' is a link, which is not followed"):
        unpack("x.zip", buffer.getvalue(), member="x.csv")


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_contents_gives_every_file(tmp_path, pack):
    file = LocalFile("x", tmp_path / "x")
    file.path.write_bytes(pack({"neg/1.txt": b"bad", "pos/1.txt": b"good"}))
    source = UrlSource(kind="url", url="https://example.org/x")
    assert list(contents(file, source)) == [("neg/1.txt", b"bad"), ("pos/1.txt", b"good")]
    file.path.write_bytes(b"plain")
    assert list(contents(file, source)) == [("x", b"plain")]

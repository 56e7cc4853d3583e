import hashlib
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tasks.errors import DataRefused, NetworkError, StoreError
from tasks.reading.downloads import MIRROR, Response, Transfer, downloaded
from tasks.sources import UrlSource

CONTENT = bytes(range(256)) * 4000


class Site(BaseHTTPRequestHandler):
    """Serves ``content``, cut after ``cuts`` bytes each, with or without ranges and validators."""

    def do_GET(self):
        site = self.server
        site.asked.append(dict(self.headers))
        if site.statuses:
            self.answer(site.statuses.pop(0), b"", {})
            return
        validators = {name: value for name, value in (("ETag", site.etag), ("Last-Modified", site.modified)) if value}
        unchanged = site.etag and self.headers.get("If-None-Match") == site.etag
        if unchanged or (not site.etag and site.modified and self.headers.get("If-Modified-Since") == site.modified):
            self.answer(304, b"", validators)
            return
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if start and site.ranges and self.headers.get("If-Range") in {site.etag, site.modified}:
            at = int(start[1])
            place = site.place or f"bytes {at}-{len(site.content) - 1}/{len(site.content)}"
            self.answer(206, site.content[at:], {**validators, "Content-Range": place})
        else:
            self.answer(200, site.content, validators)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cuts and body:
            self.wfile.write(body[: self.server.cuts.pop(0)])
            self.close_connection = True
            if self.server.then:
                self.server.then()
            return
        for start in range(0, len(body), self.server.step):
            self.wfile.write(body[start : start + self.server.step])

    def log_message(self, format, *arguments):  # noqa: A002
        """Say nothing."""


@pytest.fixture
def site(serve):
    running = serve(Site)
    running.content, running.etag, running.modified, running.ranges = CONTENT, '"one"', None, True
    running.cuts, running.statuses, running.asked, running.then, running.place = [], [], [], None, None
    running.step = 2**16
    running.url = f"http://127.0.0.1:{running.server_address[1]}/houses.bin"
    return running


def fetch(site, store, **declared):
    source = UrlSource.model_validate({"kind": "url", "url": site.url, **declared})
    file = downloaded(site.url, site.url, source, store)
    return store.path(file).read_bytes()


def kept(store):
    return sorted(path.name[:64] for path in (store.folder / "downloads").glob("*"))


def asked(site, name):
    return [headers.get(name) for headers in site.asked]


def digest(content):
    return hashlib.sha256(content).hexdigest()


# Asked again only where it may have changed.


DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


@pytest.mark.parametrize(("etag", "modified"), [('"one"', None), ('W/"one"', None), (None, DATE)])
def test_an_unchanged_file_is_not_fetched_again(site, store, etag, modified):
    site.etag, site.modified = etag, modified
    assert fetch(site, store) == CONTENT
    site.cuts = [0]  # whatever it sent now would be cut
    assert fetch(site, store) == CONTENT
    assert len(site.asked) == 2
    assert site.cuts == [0]


def test_a_changed_file_is_fetched_and_remembered(site, store):
    fetch(site, store)
    site.content, site.etag = b"new", '"two"'
    assert fetch(site, store) == b"new"
    assert fetch(site, store) == b"new"
    assert asked(site, "If-None-Match") == [None, '"one"', '"two"']
    assert kept(store) == sorted([digest(CONTENT), digest(b"new")])


def test_without_validators_every_run_fetches(site, store):
    site.etag = None
    assert fetch(site, store) == fetch(site, store) == CONTENT
    assert asked(site, "If-None-Match") == [None, None]
    assert not (store.folder / "answers").exists()


@pytest.mark.parametrize("harm", ["removed", "changed", "record"])
def test_a_remembered_file_that_is_harmed_is_fetched_in_full(site, store, harm):
    fetch(site, store)
    path = next((store.folder / "downloads").iterdir())
    if harm == "removed":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(b"changed")
    else:
        next((store.folder / "answers").rglob("*.json")).write_text("{")
    assert fetch(site, store) == CONTENT
    assert asked(site, "If-None-Match") == [None, None]


def test_what_is_remembered_is_the_address_as_declared(site, store):
    source = UrlSource(kind="url", url="https://example.org/${TOKEN}/houses.bin")
    file = downloaded(str(source.url), site.url, source, store)
    record = next((store.folder / "answers").rglob("*.json"))
    answer = store.record(record.relative_to(store.folder).as_posix(), Response)
    assert (answer.url, answer.file, answer.etag) == (source.url, file, '"one"')


def test_a_pinned_file_is_not_asked_for_again(site, store):
    assert fetch(site, store, sha256=digest(CONTENT)) == fetch(site, store, sha256=digest(CONTENT)) == CONTENT
    assert len(site.asked) == 1
    with pytest.raises(DataRefused, match="is not the pinned file"):
        fetch(site, store, sha256="0" * 64)
    assert kept(store) == [digest(CONTENT)]


# Cut connections.


@pytest.mark.parametrize(("etag", "modified"), [('"one"', None), (None, DATE)])
def test_a_cut_connection_is_taken_up_where_it_ended(site, store, etag, modified):
    site.etag, site.modified = etag, modified
    site.cuts = [500_000, 300_000]
    assert fetch(site, store) == CONTENT
    assert asked(site, "Range") == [None, "bytes=500000-", "bytes=800000-"]
    assert asked(site, "If-Range") == [None, etag or modified, etag or modified]


def test_without_ranges_it_starts_over(site, store):
    site.ranges, site.cuts = False, [500_000]
    assert fetch(site, store) == CONTENT
    assert len(site.asked) == 2


def test_a_file_that_changes_meanwhile_is_not_glued_together(site, store):
    def change():
        site.content, site.etag = b"new" * 300_000, '"two"'

    site.cuts, site.then = [500_000], change
    assert fetch(site, store) == site.content


@pytest.mark.parametrize(("etag", "cuts"), [(None, [500_000]), ('W/"one"', [500_000]), ('"one"', [500_000, 0])])
def test_a_cut_that_cannot_be_taken_up_is_a_network_error(site, store, etag, cuts):
    site.etag, site.cuts = etag, cuts
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch(site, store)
    assert kept(store) == []
    assert list((store.root / ".scratch").iterdir()) == []


def test_a_server_that_always_cuts_is_given_up(site, store):
    site.ranges, site.cuts = False, [500_000] * 50
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch(site, store)
    assert len(site.asked) == 2


def test_a_range_that_is_another_is_not_used(site, store):
    site.cuts, site.place = [500_000], "bytes 0-9/10"
    with pytest.raises(NetworkError, match="did not go on where it was cut off"):
        fetch(site, store)
    assert kept(store) == []


# Answers, limits.


def test_500_is_tried_again_and_then_right(site, store):
    site.statuses = [500]
    with pytest.raises(NetworkError, match="answered 500"):
        fetch(site, store)
    assert fetch(site, store) == CONTENT


def test_a_slow_server_is_waited_for(site, store):
    site.step = 1000
    assert fetch(site, store) == CONTENT


def test_more_than_allowed_is_refused_before_it_is_sent(site, store):
    with pytest.raises(DataRefused, match=r"is larger than source\.largest_bytes = 1,000\."):
        fetch(site, store, largest_bytes=1000)
    assert kept(store) == []


def test_a_mirrored_file_has_the_same_limits(tmp_path, site, store, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "houses.bin").write_bytes(CONTENT)
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    assert fetch(site, store) == CONTENT
    with pytest.raises(DataRefused, match=r"mirror/houses\.bin is larger than source\.largest_bytes"):
        fetch(site, store, largest_bytes=1000)
    assert site.asked == []


def test_credentials_are_not_shown(site, store):
    site.statuses = [403]
    source = UrlSource(kind="url", url="https://example.org/${TOKEN}")
    with pytest.raises(DataRefused, match=r"https://example\.org/\$\{TOKEN\} answered 403") as caught:
        downloaded(str(source.url), f"{site.url}?key=secret", source, store)
    site.shutdown()
    site.server_close()
    with pytest.raises(NetworkError) as lost:
        downloaded(str(source.url), f"{site.url}?key=secret", source, store)
    assert "secret" not in str(caught.value) + str(lost.value)


def test_a_full_disk_is_a_store_error(site):
    with pytest.raises(StoreError, match="could not be written into the store: No space left on device"):
        Transfer(site.url, site.url, Path("/dev/full"), 10**9).run()

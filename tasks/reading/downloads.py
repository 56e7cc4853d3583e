"""Files from their addresses: fetched once, asked for again only where they may have changed, never half a file.

An address is asked whether its file is still the one in the store (``ETag``, ``Last-Modified``); its last answer stands
beside the downloads in the store. A connection that is cut is taken up where it ended, where the server can do that
(a range of the very file that was begun); otherwise the file is fetched from its beginning. A mirror folder
(``SALAMANDER_MIRROR``) stands in where there is no network.

httpx does HTTP, Prefect tries again later; what stands here is what neither does: ranges, lengths and digests.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from tasks.errors import DataRefused, NetworkError, StoreError
from tasks.reading.credentials import hidden
from tasks.records import File, Record
from tasks.sources import UrlSource
from tasks.store import Store, digest_of

if TYPE_CHECKING:
    import httpx

MIRROR = "SALAMANDER_MIRROR"
MOST_RESUMPTIONS = 20
TIMEOUT_SECONDS = 30


class Response(Record):
    """What an address (as declared) answered, by which it can be asked whether its file has changed."""

    url: str
    file: File
    etag: str | None = None
    last_modified: str | None = None


def downloaded(url: str, address: str, source: UrlSource, store: Store) -> File:
    """Give the file of an address in the store: kept under its pinned digest, from the mirror, or from the address.

    Parameters
    ----------
    url : str
        The address as declared, which is what is shown and kept.
    address : str
        The same with its credentials.
    source : sources.UrlSource
        The pinned digest and the limits.
    store : store.Store
        Where downloads are kept.

    Raises
    ------
    NetworkError, DataRefused
        As `download`; and the file is not the pinned one.
    """
    if source.sha256 and (kept := store.find("downloads", source.sha256)):
        return kept
    mirror = os.environ.get(MIRROR)
    with store.scratch() as folder:
        path = folder / "download"
        if mirror and (found := mirrored(url, Path(mirror))):
            shutil.copyfile(found, path)
            return _kept(path, url, str(found), source, store)
        known = None if source.sha256 else _remembered(url, store)
        transfer = Transfer(url, address, path, source.largest_bytes)
        if not transfer.run(known) and known:
            return known.file
        file = _kept(path, url, url, source, store)
        _remember(Response(url=url, file=file, etag=transfer.etag, last_modified=transfer.last_modified), known, store)
        return file


def mirrored(url: str, mirror: Path) -> Path | None:
    """Give the file of a mirror folder that stands for an address, or None.

    It is the longest end of the address's path that exists there, else the only file of its name in any folder.
    """
    parts = [part for part in PurePosixPath(urlsplit(url).path).parts if part not in {"/", "..", "."}]
    candidates = (mirror.joinpath(*parts[start:]) for start in range(len(parts)))
    if found := next((path for path in candidates if path.is_file()), None):
        return found
    same = [path for path in mirror.rglob("*") if parts and path.name == parts[-1] and path.is_file()]
    return same[0] if len(same) == 1 else None


def download(url: str, target: Path, largest_bytes: int) -> None:
    """Write what an address answers into a file.

    Raises
    ------
    NetworkError
        No connection, a connection cut short, or an answer that may pass (408, 425, 429, 5xx).
    DataRefused
        The address does not exist, or answers more than ``largest_bytes``.
    """
    Transfer(url, url, target, largest_bytes).run()


class Transfer:
    """One file on its way from an address, over as many connections as it takes while each brings it further."""

    def __init__(self, url: str, address: str, target: Path, largest_bytes: int) -> None:
        self.etag: str | None = None
        self.last_modified: str | None = None
        self._url, self._address, self._target, self._largest = url, address, target, largest_bytes
        self._received, self._total = 0, -1
        self._encoded = False

    def run(self, known: Response | None = None) -> bool:
        """Write the file; give False, and write nothing, where it is still the known one."""
        try:
            with self._target.open("wb") as file:
                return self._filled(file, _if_changed(known) if known else {})
        except OSError as error:
            raise StoreError(f"{self._url} could not be written into the store: {error.strerror}.") from error

    def _filled(self, file: BinaryIO, headers: dict[str, str]) -> bool:
        """Go on from where a connection ended while that brings the file further."""
        import httpx

        furthest, cut = 0, NetworkError(f"{self._url} was cut off too often.")
        for _ in range(MOST_RESUMPTIONS):
            try:
                if not self._received_from(headers, file):
                    return False
                if self._total in {-1, self._received}:
                    return True
                cut = NetworkError(f"{self._url} ended after {self._received:,} of {self._total:,} bytes.")
            except (httpx.InvalidURL, UnicodeError) as error:
                said = hidden(str(error), self._address, self._url)
                raise DataRefused(f"{self._url} is not an address: {said}; check source.url.") from error
            except httpx.HTTPError as error:
                cut = self._unreachable(error)
            if self._received <= furthest or not self._unique:
                break
            furthest = self._received
            headers = {"Range": f"bytes={self._received}-", "If-Range": self._unique}
        raise cut

    @property
    def _unique(self) -> str | None:
        """What names the very bytes that were begun; a weak ETag does not, nor can an encoded answer be taken up."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return None if self._encoded else strong or (None if self.etag else self.last_modified)

    def _received_from(self, headers: dict[str, str], file: BinaryIO) -> bool:
        """Write what one connection brings; give False where the file has not changed."""
        import httpx

        plain = {"Accept-Encoding": "identity", **headers}
        with httpx.stream(
            "GET", self._address, headers=plain, follow_redirects=True, timeout=TIMEOUT_SECONDS
        ) as response:
            if response.status_code == 304 and "Range" not in headers and headers:
                return False
            self._begun(response, file)
            for chunk in response.iter_bytes():
                self._received += len(chunk)
                if self._received > self._largest:
                    raise self._too_large()
                file.write(chunk)
        return True

    def _begun(self, response: httpx.Response, file: BinaryIO) -> None:
        """Check what is about to come, and go to where it belongs."""
        status, headers = response.status_code, response.headers
        if status == 206 and self._received:
            place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
            if not place or int(place[1]) != self._received or headers.get("ETag", self.etag) != self.etag:
                raise NetworkError(f"{self._url} did not go on where it was cut off; it is fetched anew.")
            return
        if status in {408, 416, 425, 429} or status >= 500:
            raise NetworkError(f"{self._url} answered {status} {response.reason_phrase}.")
        if status != 200:
            raise DataRefused(f"{self._url} answered {status} {response.reason_phrase}; check source.url.")
        if self._received:
            file.seek(0)
            file.truncate()
        self._received = 0
        self.etag, self.last_modified = headers.get("ETag"), headers.get("Last-Modified")
        self._encoded = headers.get("Content-Encoding", "identity") != "identity"
        length = headers.get("Content-Length", "")
        self._total = int(length) if length.isdecimal() and not self._encoded else -1
        if self._total > self._largest:
            raise self._too_large()

    def _too_large(self) -> DataRefused:
        return DataRefused(f"{self._url} is larger than source.largest_bytes = {self._largest:,}.")

    def _unreachable(self, error: Exception) -> NetworkError:
        said = hidden(str(error) or type(error).__name__, self._address, self._url)
        failure = NetworkError(
            f"{self._url} could not be fetched: {said}; without a network, name a folder that has the file in {MIRROR}."
        )
        failure.__cause__ = error
        return failure


def _if_changed(known: Response) -> dict[str, str]:
    given = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in given.items() if value}


def _kept(path: Path, url: str, origin: str, source: UrlSource, store: Store) -> File:
    """Move a whole file into the store, if it is the pinned one."""
    if path.stat().st_size > source.largest_bytes:
        raise DataRefused(f"{origin} is larger than source.largest_bytes = {source.largest_bytes:,}.")
    if source.sha256 and (digest := digest_of(path)) != source.sha256:
        raise DataRefused(
            f"{origin} is not the pinned file: its sha256 is {digest}, source.sha256 is {source.sha256}; "
            "if the new content is right, pin it."
        )
    return store.keep(path, "downloads", f"-{PurePosixPath(urlsplit(url).path).name[-100:]}")


def _answers(url: str) -> str:
    return f"answers/{hashlib.sha256(url.encode()).hexdigest()}"


def _remembered(url: str, store: Store) -> Response | None:
    """Give the last answer of an address if the file that came with it is still whole."""
    numbers = store.numbers(_answers(url))
    if not numbers:
        return None
    try:
        known = store.record(f"{_answers(url)}/{numbers[-1]:06}.json", Response)
        store.path(known.file)
    except StoreError:
        return None
    return known


def _remember(answer: Response, known: Response | None, store: Store) -> None:
    """Keep an answer, if it says how to ask again; where another run was faster, its answer is as good."""
    if (answer.etag or answer.last_modified) and answer != known:
        number = max(store.numbers(_answers(answer.url)), default=0) + 1
        store.create(f"{_answers(answer.url)}/{number:06}.json", answer)

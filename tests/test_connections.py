"""Heads of requests are limited, and connections that are kept open end without losing a request, over real sockets.

The server's tests do the latter under load.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import uvicorn

from serving import connections
from serving.connections import MOST_HEAD_BYTES, Connection
from serving.guards import HEADERS
from tests.waiting import happened

asked: list[str] = []
"""The paths of the requests that reached the application."""


async def app(scope, receive, send) -> None:
    assert scope["type"] == "http"
    asked.append(scope["path"])
    if scope["path"] == "/body":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(head_seconds: float = 60) -> AsyncIterator[tuple[uvicorn.Server, str, int]]:
    """Give a server with its address, and wait until it has ended."""
    asked.clear()
    http = partial(Connection, head_seconds=head_seconds)
    server = uvicorn.Server(uvicorn.Config(app, http=http, lifespan="off", log_config=None))  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        await happened(lambda: server.started, 60)
        try:
            yield server, *listening.getsockname()
        finally:
            server.should_exit = True
            await task


async def said(reader: asyncio.StreamReader) -> bytes:
    """Give what a server says until it closes the connection."""
    return await asyncio.wait_for(reader.read(), 60)


def waiting(server: uvicorn.Server) -> list[bool]:
    """Give for each connection whether it is closed unless a head comes."""
    return [each._late is not None for each in server.server_state.connections]


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost: here\r\nX-Half: a hea"])
def test_who_sends_no_head_or_half_of_one_is_not_waited_for(begun: bytes) -> None:
    async def ended() -> None:
        async with serving(head_seconds=0.05) as (_, *address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(begun)
            assert await said(reader) == b""
            writer.close()

    asyncio.run(ended())
    assert asked == []


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"G"),
        (b"GET / HTTP/1.1\r\n\r\n", b"\r\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n", b"a part of a body that nobody asked for"),
    ],
)
def test_nor_is_who_sends_something_after_an_answer_and_leaves_it(first: bytes, more: bytes) -> None:
    async def ended() -> None:
        async with serving() as (server, *address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(first)
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), 60)).startswith(b"HTTP/1.1 200")
            assert waiting(server) == [False]  # a connection that is kept open is uvicorn's to close
            (connection,) = server.server_state.connections
            connection._head_seconds = 0.05
            writer.write(more)
            assert await said(reader) == b""
            writer.close()

    asyncio.run(ended())


def test_a_body_may_come_later_than_a_head() -> None:
    async def ended() -> None:
        async with serving() as (server, *address):
            reader, writer = await asyncio.open_connection(*address)
            await happened(lambda: waiting(server) == [True], 60)
            writer.write(b"POST /body HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n")
            await happened(lambda: asked, 60)
            assert waiting(server) == [False]
            writer.write(b"xx")
            assert (await said(reader)).endswith(b"ok")
            writer.close()

    asyncio.run(ended())


def head(size: int, lines: int = 1) -> bytes:
    """Give a head of so many bytes, with so many headers that fill it."""
    begun, ended = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n", b"\r\n"
    room, names = size - len(begun) - len(ended), [f"x-{number}: ".encode() for number in range(lines)]
    sizes = [room // lines - len(name) - 2 for name in names]
    sizes[-1] += room - room // lines * lines
    made = begun + b"".join(name + b"x" * each + b"\r\n" for name, each in zip(names, sizes, strict=True)) + ended
    assert len(made) == size
    return made


@pytest.mark.parametrize("lines", [1, 500])
def test_a_head_as_large_as_is_allowed_is_read_and_one_byte_more_is_refused_in_a_sentence(lines: int) -> None:
    async def ended() -> tuple[bytes, bytes]:
        async with serving() as (_, *address):
            answers = []
            for size in (MOST_HEAD_BYTES, MOST_HEAD_BYTES + 1):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(head(size, lines)[:MOST_HEAD_BYTES])  # what is not read would reset the connection
                answers.append(await said(reader))
                writer.close()
            return answers[0], answers[1]

    fine, refused = asyncio.run(ended())
    assert fine.startswith(b"HTTP/1.1 200")
    assert asked == ["/"]
    first, _, body = refused.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    headers = dict(line.split(b": ", 1) for line in first.split(b"\r\n")[1:])
    assert headers.items() >= HEADERS.items() | {(b"connection", b"close"), (b"content-type", b"application/json")}
    assert int(headers[b"content-length"]) == len(body)
    assert json.loads(body)["error"].startswith("The head of the request is too large: at most 65,536 bytes of address")


def test_what_is_no_request_is_refused_once_however_large_it_is() -> None:
    async def ended() -> bytes:
        async with serving() as (_, *address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nX-Zero: ".ljust(MOST_HEAD_BYTES - 1, b"x") + b"\0")
            try:
                return await said(reader)
            finally:
                writer.close()

    answer = asyncio.run(ended())
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nX-Large: ",
        b"\r\n",
        b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
    ],
)
def test_what_never_ends_is_not_taken(begun: bytes) -> None:
    async def ended() -> int:
        async with serving() as (_, *address):
            _, writer = await asyncio.open_connection(*address)
            writer.write(begun)
            more, sent = (b"\r\n" if begun == b"\r\n" else b"xx") * 32_768, 0
            try:
                async with asyncio.timeout(60):
                    while sent < 60_000_000:
                        writer.write(more)
                        await writer.drain()
                        sent += len(more)
            except ConnectionError:
                pass
            writer.transport.abort()
            return sent

    assert asyncio.run(ended()) < 60_000_000


def test_bodies_are_not_limited_here_and_neither_are_the_heads_of_many_requests_together() -> None:
    async def ended() -> None:
        async with serving() as (_, host, port), httpx.AsyncClient(trust_env=False, timeout=60) as client:
            for _ in range(3):
                large = {"x-large": "x" * 40_000}
                answer = await client.post(f"http://{host}:{port}/body", content=b"x" * 300_000, headers=large)
                assert answer.text == "ok"

    asyncio.run(ended())
    assert asked == ["/body"] * 3


def test_a_request_that_comes_while_the_server_ends_is_answered_and_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 60)

    async def ended() -> None:
        async with serving() as (server, host, port), httpx.AsyncClient(trust_env=False, timeout=60) as client:
            address = f"http://{host}:{port}/"
            first = await client.get(address)
            server.should_exit = True
            await happened(lambda: not any(each.is_serving() for each in server.servers), 60)
            last = await client.get(address)
        assert "connection" not in first.headers
        assert (last.text, last.headers["connection"]) == ("ok", "close")

    asyncio.run(ended())


@pytest.mark.parametrize("begun", [b"", b"GET / HTT"])
def test_a_connection_on_which_no_request_comes_is_closed(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.01)

    async def ended() -> None:
        async with serving() as (server, *address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(begun)
            await happened(lambda: server.server_state.connections, 60)
            server.should_exit = True
            assert await said(reader) == b""
            writer.close()

    asyncio.run(ended())

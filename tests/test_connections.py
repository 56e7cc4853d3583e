"""Connections that are kept open end without losing a request; the server's tests do the same under load."""

import asyncio
import socket

import httpx
import pytest
import uvicorn

from serving import connections
from serving.connections import Connection


async def app(scope, receive, send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_request_that_comes_while_the_server_ends_is_answered_and_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 60)

    async def ended() -> None:
        server = uvicorn.Server(uvicorn.Config(app, http=Connection, lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            serving = asyncio.create_task(server.serve([listening]))
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                while not server.started:
                    await asyncio.sleep(0.01)
                first = await client.get(address)
                server.should_exit = True
                while any(each.is_serving() for each in server.servers):
                    await asyncio.sleep(0.01)
                last = await client.get(address)
                await serving
        assert "connection" not in first.headers
        assert (last.text, last.headers["connection"]) == ("ok", "close")

    asyncio.run(ended())


def test_a_connection_on_which_nothing_comes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.01)

    async def ended() -> None:
        server = uvicorn.Server(uvicorn.Config(app, http=Connection, lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.create_task(server.serve([listening]))
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            while not server.server_state.connections:
                await asyncio.sleep(0.01)
            server.should_exit = True
            assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
            await serving

    asyncio.run(ended())

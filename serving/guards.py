"""What stands before every route: who may ask, how often, how much at once and how long, and what a browser may do.

One plain ASGI application does all of it, since each layer of a framework's own costs a single row's answer more than
the checks do. Limits are kept by each process for itself: with several, a client may have a multiple of its rate.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from serving.settings import Settings
from serving.values import BadRequest
from tasks.errors import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("salamander.serving")
OPEN = frozenset({"/healthz", "/readyz"})
"""What a supervisor asks, without a token and as often as it likes."""

HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Sent with every answer that does not say otherwise itself."""

CHALLENGES = ('Bearer realm="salamander"', 'Basic realm="salamander", charset="UTF-8"')
"""Each in a header of its own: a browser that does not know the first one in a header does not look at the next."""


def refused(sentence: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Give the answer to what is not answered: one sentence."""
    return Response(to_json({"error": sentence}), status, headers, "application/json")


class Rate:
    """How often each client may ask this process.

    Parameters
    ----------
    text : str or None
        One rate limit such as ``"100/second"``; None: as often as it likes.

    Raises
    ------
    ProblemError
        It is not written as the library `limits` reads it, or lets nobody ask.
    """

    def __init__(self, text: str | None) -> None:
        self._limit = None if text is None else _limit(text)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def wait(self, client: str) -> int:
        """Count a request of a client; give 0 where it is answered, else after how many seconds to ask again."""
        if self._limit is None or await self._limiter.hit(self._limit, client):
            return 0
        window = await self._limiter.get_window_stats(self._limit, client)
        return max(1, math.ceil(window.reset_time - time.time()))


def _limit(text: str) -> RateLimitItem:
    try:
        (limit,) = parse_many(text)
    except ValueError:
        raise ProblemError(f"{text!r} is no rate limit; write one such as '100/second' or '5000 per hour'.") from None
    if limit.amount < 1:
        raise ProblemError(f"{text!r} lets nobody ask; write a rate limit from 1 on, such as '100/second'.")
    return limit


class Guard:
    """An ASGI application that lets another one answer what may be answered.

    Parameters
    ----------
    app : ASGI application
        It answers `BadRequest` with its status, also where this is raised while it reads a body.
    settings : Settings
        Token, size, rate and time.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._rate = Rate(settings.most_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in HEADERS.items() if each[0] not in own)]
            await send(message)

        headers = dict[bytes, bytes](scope["headers"])
        answer = await self._refusal(scope, headers)
        if answer is None:
            try:
                async with asyncio.timeout(self._settings.timeout_seconds):
                    await self._app(scope, self._counted(receive), with_headers)
            except ClientDisconnect:
                return
            except TimeoutError:
                answer = refused(self._too_slow(), 408, {"Connection": "close"})
            except Exception:
                LOG.exception("%s %s could not be answered", scope["method"], scope["path"])
                answer = refused("This could not be answered; the server's log says why.", 500)
        if answer is not None and not begun:
            await answer(scope, receive, with_headers)

    async def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        """Give why a request is not even looked at, if so."""
        if scope["path"] in OPEN:
            return None
        token = self._settings.token
        if wait := await self._rate.wait((scope.get("client") or ("",))[0]):
            return refused(
                f"Too many requests: at most {self._settings.most_requests} are answered; try again in {wait} s.",
                429,
                {"Retry-After": str(wait)},
            )
        if token is not None and not is_token(headers.get(b"authorization", b""), token):
            sentence = "A token is needed: send the header 'Authorization: Bearer TOKEN'."
            answer = refused(sentence, 401)
            for challenge in CHALLENGES:
                answer.headers.append("WWW-Authenticate", challenge)
            return answer
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:18]) > self._settings.most_bytes:
            return refused(self._too_large(), 413)
        return None

    def _counted(self, receive: Receive) -> Receive:
        """Give what receives a body up to the limit; how long it says to be need not be true, or said."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._settings.most_bytes:
                raise BadRequest(self._too_large(), 413)
            return message

        return counted

    def _too_large(self) -> str:
        return f"The body is too large: at most {self._settings.most_bytes:,} bytes are read; send the rows in parts."

    def _too_slow(self) -> str:
        return f"The request took more than {self._settings.timeout_seconds:g} s and was given up; send fewer rows."


def is_token(authorization: bytes, token: str) -> bool:
    """Tell, in a time that does not depend on where they differ, whether a header holds the token.

    A browser sends it as the password of the user that it asks for (the scheme Basic, of any name).
    """
    scheme, _, given = authorization.strip().partition(b" ")
    given = given.strip()
    if scheme.lower() == b"basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != b"bearer":
        return False
    return hmac.compare_digest(given, token.encode())

"""What an operator sees of a process: whether it is alive and ready, what it counts, and a line for each request."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from serving.access import OPERATING, Access
from serving.request_id import begin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.repository import Repository

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
MODEL = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/(?:versions|labels)/[^/:]+)?(?:[:/](?P<action>[a-z]+))?")
ACTIONS = {None: "status", "predict": "predict", "metadata": "metadata"}
OPERATORS = {"/healthz", "/readyz", "/metrics"}
NO_ANSWER = 499
"""What is counted where a client went away before there was an answer, as in other servers' logs."""


def observing_router(repository: Repository) -> APIRouter:
    """Give the addresses that are for operators: ``/healthz``, ``/readyz`` and ``/metrics``."""
    router = APIRouter(tags=["operating"])

    @router.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Does every problem that has something in production have something that answers?",
        responses={503: {"description": "One has not; the body says which, and why."}},
    )
    async def readyz() -> Response:
        ready = repository.ready()
        return JSONResponse({"ready": ready, "problems": readiness(repository)}, 200 if ready else 503)

    @router.get("/metrics", summary="Figures for Prometheus, of all processes.", response_class=Response)
    def metrics() -> Response:
        return Response(repository.metrics.text(), media_type=PROMETHEUS)

    return router


def readiness(repository: Repository) -> dict[str, dict[str, Any]]:
    """Give for each problem which versions answer, and what is the matter with one that does not."""
    return {
        name: {"trouble": offer.trouble, **{label: served.number for label, served in offer.all().items()}}
        for name, offer in repository.offers.items()
    }


class _Asked(NamedTuple):
    problem: str
    action: str


class Observed:
    """An ASGI application whose requests are named, counted, measured and logged.

    The name of a request is the client's own ``X-Request-Id`` or a new one, and is given back under that header.
    """

    def __init__(self, app: ASGIApp, repository: Repository) -> None:
        self._app, self._repository = app, repository

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, headers = time.perf_counter(), dict(scope["headers"])
        request = begin(headers.get(b"x-request-id", b"").decode("latin-1"))
        answer: dict[str, Any] = {"code": NO_ANSWER}

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["code"] = message["status"]
                answer["version"] = dict(message["headers"]).get(b"x-model-version", b"").decode("latin-1")
                message["headers"] = [*message["headers"], (b"x-request-id", request.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._note(scope, request, answer, time.perf_counter() - begun)

    def _note(self, scope: Scope, request: str, answer: dict[str, Any], seconds: float) -> None:
        asked, client = self._asked(scope["path"]), scope.get("client")
        Access(
            request=request,
            client=client[0] if client else None,
            method=scope["method"],
            path=scope["path"],
            status=answer["code"],
            milliseconds=round(seconds * 1000, 3),
            problem=asked.problem,
            version=answer.get("version", ""),
        ).note(self._repository.metrics, asked.action)

    def _asked(self, path: str) -> _Asked:
        """Give what a request is counted under: a few words, whatever clients make up."""
        found = MODEL.fullmatch(path)
        if found is None:
            return _Asked("", OPERATING if path in OPERATORS else "other")
        name = found["name"] if found["name"] in self._repository.offers else ""
        return _Asked(name, ACTIONS.get(found["action"], "other"))

"""TensorFlow Serving's REST API for every deployed model, after its public description.

Predictions are answered by plain routes, not by FastAPI's typed ones: what a row must have differs between models and
changes when one is promoted, so `serving.rows` checks it, and the generated document is made from the same inputs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.answers import as_json, as_table, outputs, surroundings
from serving.bodies import JSON, Asked, read_body, sent_type, wanted_type
from serving.described import metadata
from serving.guards import Guard, refused
from serving.observing import observing_router
from serving.page import page_router
from serving.reference import reference_router
from serving.repository import NotServed, Repository
from serving.rows import LARGE
from serving.served import Served
from serving.tables import PARQUET, write_table
from serving.values import BadRequest
from tasks.models import Prediction

Result = TypeVar("Result")
PLACES = ("/v1/models/{name}", "/v1/models/{name}/versions/{version}", "/v1/models/{name}/labels/{label}")


def create_app(repository: Repository) -> FastAPI:
    """Give the application; whoever runs it keeps the repository up to date."""
    app = FastAPI(title="Salamander", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, settings=repository.settings)
    for error in (BadRequest, NotServed, HTTPException):
        app.add_exception_handler(error, _refused)
    routes = Routes(repository)
    for place in PLACES:
        app.add_route(f"{place}:predict", routes.predict, ["POST"])
        app.add_route(f"{place}/metadata", routes.metadata, ["GET"])
        app.add_route(place, routes.status, ["GET"])
    for router in (observing_router(repository), page_router(repository), reference_router(app, repository)):
        app.include_router(router)
    return app


class Routes:
    """The routes below ``/v1/models``."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def status(self, request: Request) -> Response:
        """Give which versions of a model answer, newest first."""
        if request.scope["path"].endswith(":predict"):
            raise HTTPException(405, headers={"Allow": "POST"})
        found = [self._find(request)]
        if len(request.path_params) == 1:
            offer = self._repository.offers[request.path_params["name"]]
            found = sorted(offer.all().values(), key=lambda served: -served.number)
        fine = {"error_code": "OK", "error_message": ""}
        states = [{"version": str(each.number), "state": "AVAILABLE", "status": fine} for each in found]
        return Response(to_json({"model_version_status": states}), media_type=JSON)

    async def metadata(self, request: Request) -> Response:
        """Give what a model reads and answers."""
        found = await asyncio.to_thread(metadata, self._find(request))
        return Response(to_json(found), media_type=JSON)

    async def predict(self, request: Request) -> Response:
        """Give the predictions for the rows of a body, in the form that the client wants."""
        served, headers = self._find(request), request.headers
        sent = sent_type(headers)
        wanted = wanted_type(headers.get("accept", ""), sent)
        body, level = await request.body(), request.query_params.get("interval")
        large = len(body) > LARGE or sent == PARQUET
        asked = await _run(partial(read_body, served.rows, body, sent, level, self._repository.settings), large)
        found = await served.answer(asked.columns)
        content = await _run(partial(answer, served, asked, found, wanted), large)
        return Response(content, headers={"X-Model-Version": str(served.number)}, media_type=wanted)

    def _find(self, request: Request) -> Served:
        asked = request.path_params
        version: str | None = asked.get("version")
        if version is None:
            return self._repository.find(asked["name"], label=asked.get("label"))
        if not (version.isascii() and version.isdigit() and len(version) < 10):
            raise NotServed(f"{version[:80]!r} is no version; a whole number is needed.")
        return self._repository.find(asked["name"], int(version))


def answer(served: Served, asked: Asked, found: Prediction, media_type: str) -> bytes:
    """Give the body that answers what was asked.

    Raises
    ------
    BadRequest
        An interval is wanted that the version does not have.
    """
    named, notes = outputs(found), dict[str, Any](model_version=str(served.number))
    if asked.interval is not None:
        named |= surroundings(found, served.version.intervals, asked.interval)
    if flags := served.rows.flags(asked.columns):
        notes["flags"] = flags
    return as_json(named, asked.form, notes) if media_type == JSON else write_table(as_table(named, notes), media_type)


async def _run(work: Callable[[], Result], apart: bool) -> Result:
    """Give what a function gives, that of a large request in a thread."""
    return await asyncio.to_thread(work) if apart else work()


async def _refused(request: Request, error: Exception) -> Response:
    """Give the answer to what cannot be answered: one sentence."""
    match error:
        case BadRequest():
            return refused(str(error), error.status)
        case HTTPException(status_code=405, headers=headers):
            allowed = ", ".join(sorted((headers or {}).get("Allow", "others").split(", ")))  # of a set, in any order
            return refused(f"{request.method} is nothing that is answered here; allowed: {allowed}.", 405, headers)
        case HTTPException(status_code=404):
            return refused("There is nothing at this address; /docs tells what there is.", 404)
        case HTTPException():
            return refused(str(error.detail), error.status_code, error.headers)
        case _:
            return refused(str(error), 404)

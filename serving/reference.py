"""The page for programmers at ``/docs``: the document of the interface as a person reads it, and examples to send.

The pages that FastAPI brings load their scripts from elsewhere, which a server without the internet cannot, and which a
strict policy forbids.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic_core import to_json

from serving.bodies import JSON
from serving.described import answered
from serving.openapi import document, examples
from serving.page import rendered
from serving.repository import Offer, Repository
from serving.values import needed
from tasks.sentences import listed

if TYPE_CHECKING:
    from serving.served import Served

MOST_COLUMNS = 12
"""So many columns are shown at once; of more, such as pixels, the rest is unfolded."""


def reference_router(app: FastAPI, repository: Repository) -> APIRouter:
    """Give the routes of the document and of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi() -> Response:
        found = await asyncio.to_thread(document, app, repository)
        return Response(to_json(found), media_type=JSON)

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        address = f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
        return await asyncio.to_thread(_page, repository, address)

    return router


def _page(repository: Repository, address: str) -> Response:
    offers = sorted(repository.offers.items())
    models = [_model(name, offer, offer.champion) for name, offer in offers if offer.champion]
    return rendered("docs.html", root=".", models=models, address=address, token=repository.settings.token is not None)


def _model(name: str, offer: Offer, served: Served) -> dict[str, Any]:
    """Give what the page shows of a model."""
    outputs = {
        key: [int(each["size"]) for each in one["tensor_shape"]["dim"][1:]] for key, one in answered(served).items()
    }
    columns = [{"name": each.name, "takes": needed(each), "example": _shown(each.example)} for each in served.inputs]
    return {
        "name": name,
        "versions": listed(f"{each.number} ({label})" for label, each in offer.all().items()),
        "columns": columns[:MOST_COLUMNS],
        "more": columns[MOST_COLUMNS:],
        "outputs": outputs,
        "classes": listed(map(json.dumps, served.version.model.classes)),
        "examples": {form: _written(form, body) for form, body in examples(served).items()},
    }


def _shown(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _written(form: str, body: dict[str, Any]) -> str:
    """Give a body as a person reads it: a line for each column, in rows as in lists by column."""
    ((key, value),) = body.items()
    if form == "arrays":
        return json.dumps(body)
    columns = value[0] if form == "rows" else value
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for name, each in columns.items()
    )
    return f'{{"{key}": [{{\n{lines}\n}}]}}' if form == "rows" else f'{{"{key}": {{\n{lines}\n}}}}'

"""The document of the interface, made anew whenever it is asked for: each deployed problem with its real columns.

A document of ``/v1/models/{name}`` alone would be right for every model and tell nothing of any. The examples are rows
that the model answers.
"""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from serving.bodies import JSON
from serving.described import example
from serving.rows import NUMBERS
from serving.schemas import ERROR, LEVEL, answer_of, question_of, row_of
from serving.tables import ARROW, PARQUET

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.repository import Offer, Repository
    from serving.served import Served

Document = dict[str, Any]
ABOUT = (
    "TensorFlow Serving's REST API for every deployed model. Where a number is outside of what a model was trained on, "
    "it is answered all the same, and flagged."
)


def document(app: FastAPI, repository: Repository) -> Document:
    """Give the OpenAPI document of all that is served at this moment."""
    made = get_openapi(
        title="Salamander", version=version_of("salamander"), description=ABOUT, routes=app.routes, tags=[]
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas["error"] = ERROR
    for name, offer in sorted(repository.offers.items()):
        if offer.champion is None:
            continue
        served, most = offer.champion, repository.settings.most_rows
        schemas |= {f"{name}.row": row_of(served), f"{name}.question": question_of(served, most)}
        schemas[f"{name}.answer"] = answer_of(served)
        made["paths"] |= paths(name, offer, served)
    if repository.settings.token is not None:
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"token": []}]
    return made


def examples(served: Served) -> Document:
    """Give bodies that a model answers, by the form that they have."""
    row = example(served.inputs)
    found: Document = {
        "rows": {"instances": [row]},
        "columns": {"inputs": {name: [value] for name, value in row.items()}},
    }
    if all(each.kind in NUMBERS and each.example is not None for each in served.inputs):
        found["arrays"] = {"instances": [list(row.values())]}
    return found


def paths(name: str, offer: Offer, served: Served) -> Document:
    """Give the paths of one problem: its champion, its versions by number and by label."""
    numbers = [str(each.number) for each in offer.all().values()]
    places = {
        "": None,
        "/versions/{version}": _parameter("version", numbers),
        "/labels/{label}": _parameter("label", list(offer.all())),
    }
    made: Document = {}
    for place, parameter in places.items():
        more = {"parameters": [parameter]} if parameter else {}
        where, which = f"/v1/models/{name}{place}", f"{name}{place.replace('/', ' ')}"
        made[where] = {"get": _get(name, f"Which versions answer: {which}", more)}
        made[f"{where}/metadata"] = {"get": _get(name, f"What is read and answered: {which}", more)}
        made[f"{where}:predict"] = {"post": _post(name, f"Predict: {which}", more, served)}
    return made


def _parameter(name: str, allowed: list[str]) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": allowed}}


def _get(name: str, summary: str, more: Document) -> Document:
    responses = {"200": {"description": "Found.", "content": {JSON: {"schema": {"type": "object"}}}}, **_refusals()}
    return {"tags": [name], "summary": summary, "responses": responses, **more}


def _post(name: str, summary: str, more: Document, served: Served) -> Document:
    table = {"schema": {"type": "string", "format": "binary"}}
    shown = {form: {"value": body} for form, body in examples(served).items()}
    asked = {"schema": {"$ref": f"#/components/schemas/{name}.question"}, "examples": shown}
    answered = {"schema": {"$ref": f"#/components/schemas/{name}.answer"}}
    level = {"name": "interval", "in": "query", "required": False, "schema": LEVEL}
    level["description"] = "For tables, which have no place for it; JSON may have it as a key."
    return {
        "tags": [name],
        "summary": summary,
        "parameters": [*more.get("parameters", []), level],
        "requestBody": {"required": True, "content": {JSON: asked, ARROW: table, PARQUET: table}},
        "responses": {
            "200": {
                "description": "The predictions, in the form in which the rows came, or as Accept says.",
                "headers": {"X-Model-Version": {"schema": {"type": "string"}}},
                "content": {JSON: answered, ARROW: table, PARQUET: table},
            },
            **_refusals(),
        },
    }


def _refusals() -> Document:
    said = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/error"}}}}
    return {"4XX": {"description": "Refused: one sentence says why.", **said}}

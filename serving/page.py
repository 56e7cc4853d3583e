"""The page for people: what is deployed, and for each problem a form, a text box or a canvas to ask its model with.

The server writes it, since it knows the columns; its scripts ask the interface that programs ask, so that a person is
told what a program would be told. Nothing of it comes from elsewhere: its policy lets the browser load from here alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from serving.fields import Field, fields_of, spoken
from serving.pictures import Picture, picture_of
from serving.repository import NotServed, Offer, Repository
from serving.served import Served
from tasks.metrics import METRICS, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from tasks.records import Version

FOLDER = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
USUAL_LEVEL = 0.9
LABELS = {"champion": "in production", "previous": "the one before"}


@dataclass(frozen=True)
class Shown:
    """A version as a person is told of it."""

    label: str
    words: str
    number: int
    model: str
    score: str
    rows: str
    since: str
    held: str


@dataclass(frozen=True)
class Sheet:
    """All that the page of a problem shows."""

    name: str
    title: str
    description: str
    target: str
    versions: tuple[Shown, ...]
    fields: tuple[Field, ...]
    picture: Picture | None
    classes: tuple[Any, ...]
    ends: tuple[float, float] | None
    levels: tuple[float, ...]


def page_router(repository: Repository) -> APIRouter:
    """Give the routes of the page, and of what it loads."""
    router = APIRouter(include_in_schema=False)
    assets = StaticFiles(directory=FOLDER / "assets")

    @router.get("/")
    async def index() -> Response:
        sheets = [sheet(name, offer) for name, offer in sorted(repository.offers.items()) if offer.champion]
        return rendered("index.html", root=".", sheets=sheets)

    @router.get("/problems/{name}")
    async def problem(name: str) -> Response:
        try:
            repository.find(name)
        except NotServed as error:
            return rendered("missing.html", 404, root="..", sentence=str(error))
        return rendered("problem.html", root="..", sheet=sheet(name, repository.offers[name]))

    @router.get("/assets/{name}")
    async def asset(name: str, request: Request) -> Response:
        response = await assets.get_response(name, request.scope)
        response.headers.update(HEADERS)
        return response

    return router


def sheet(name: str, offer: Offer) -> Sheet:
    """Give what the page shows of a problem that has a champion."""
    served = offer.all()["champion"]
    model = served.version.model
    return Sheet(
        name=name,
        title=spoken(name),
        description=(served.version.declaration or {}).get("description") or "",
        target="Estimate" if model.columns.target == "target" else spoken(model.columns.target),
        versions=tuple(_shown(label, each) for label, each in offer.all().items()),
        fields=fields_of(served.version, served.inputs),
        picture=picture_of(served.inputs),
        classes=model.classes,
        ends=served.version.scores.target_range,
        levels=_levels([each.version for each in offer.all().values()]),
    )


def _levels(versions: Sequence[Version]) -> tuple[float, ...]:
    """Give the levels of which every version has an interval."""
    found = [{each.level for each in version.intervals.levels} if version.intervals else set() for version in versions]
    return tuple(sorted(set.intersection(*found)))


def _shown(label: str, served: Served) -> Shown:
    version, scores = served.version, served.version.scores
    found, metric = scores.challenger, METRICS[scores.metric].label
    low, high = figure(found.low, found.value), figure(found.high, found.value)
    return Shown(
        label=label,
        words=LABELS[label],
        number=version.number,
        model=version.model.candidate.name,
        score=f"{metric} {figure(found.value)} ({low} to {high})",
        rows=f"{scores.rows:,} test rows",
        since=f"{version.created:%Y-%m-%d}",
        held=_held(version),
    )


def _held(version: Version) -> str:
    """Give how often an interval of the usual level held on test rows, as a clause; nothing where there is none."""
    levels = version.intervals.levels if version.intervals else ()
    found = next((each for each in levels if each.level == USUAL_LEVEL), None)
    if found is None or version.intervals is None:
        return ""
    what = "sets" if version.model.classes else "intervals"
    measured = f"{found.measured.value:.1%} of {version.intervals.test_rows:,} test rows"
    return f"{what} of {found.level:.0%} held for {measured}"


def rendered(template: str, status: int = 200, **values: Any) -> Response:
    """Give a page from its template."""
    return HTMLResponse(_templates().get_template(template).render(values), status, HEADERS)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

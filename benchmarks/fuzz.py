"""Fuzzing: thousands of requests that nobody should send, and not one answer of the kind 5xx.

Claimed: of 10,000 requests none is answered by 5xx, none without a sentence where it is refused, none with a traceback
or a path of this machine; the processes that answer are the same ones at the end.

Measured: `salamander serve` with the models of several problems is sent, a third each, what schemathesis generates from
the server's own document (bodies that fit it, and bodies that do not); the document's examples with values, keys and
types changed by hypothesis; and Arrow, Parquet and JSON bodies with damaged bytes.

Source: schemathesis, https://github.com/schemathesis/schemathesis; hypothesis; ours. Data: data/housing, data/digits.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from measuring import (
    arguments_parser,
    declare,
    declared,
    own_server,
    progress,
    promoted,
    scratch,
    show,
    train,
)
from schemathesis import GenerationMode
from servers import serving

PROBLEMS = ("housing", "digits")
QUICK = {
    "housing": {"name": "boosting", "estimator": "HistGradientBoostingRegressor"},
    "digits": {"name": "logistic", "estimator": "LogisticRegression"},
}
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100)
NASTY = st.sampled_from(
    [None, True, "3", "", 1e308, -1e308, 1e39, 5e-324, 10**400, 2**63, -1, [], {}, [[1]], "\0", "x" * 9999]
)


class Sent:
    """What was sent to a server and how it was answered."""

    def __init__(self, address: str, hidden: list[str]) -> None:
        self.address, self._hidden = address, hidden
        self.statuses: dict[str, Counter[int]] = {}
        self.wrong: list[str] = []
        self._session = requests.Session()

    @property
    def count(self) -> int:
        """How many requests were sent."""
        return sum(sum(each.values()) for each in self.statuses.values())

    def post(self, source: str, path: str, body: bytes, **headers: str) -> None:
        """Send a body."""
        url = f"{self.address}{path}"
        self.note(
            source, self._session.post(url, data=body, headers=headers, timeout=60), f"{path} {headers} {body[:300]!r}"
        )

    def note(self, source: str, answer: Any, request: str) -> None:
        """Note an answer, and what is wrong with it."""
        self.statuses.setdefault(source, Counter())[answer.status_code] += 1
        text = answer.text
        refused = 400 <= answer.status_code < 500
        bad = answer.status_code >= 500 or "Traceback" in text or any(path in text for path in self._hidden)
        if refused and not _is_sentence(text):
            bad = True
        if bad:
            self.wrong.append(f"{answer.status_code} {text[:300]} for {request}")
            progress(self.wrong[-1])


def _is_sentence(text: str) -> bool:
    try:
        said = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(said, str) and said.endswith(".") and "\n" not in said


def many(count: int, strategy: st.SearchStrategy[Any], send: Callable[[Any], None]) -> None:
    """Send what is drawn so often."""
    quiet = list(HealthCheck)

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=quiet)
    @given(strategy)
    def each(drawn: Any) -> None:
        send(drawn)

    each()


def from_the_document(sent: Sent, count: int) -> None:
    """Send what schemathesis generates from the document, half of it such that it does not fit."""
    schema = schemathesis.openapi.from_url(f"{sent.address}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    posts = [each for each in operations if each.method == "post"]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        share = count // 2 // len(posts)

        def send(case: Any, name: str = f"document, {mode.value}") -> None:
            sent.note(name, case.call(session=None), f"{case.method} {case.path} {case.body!r:.300}")

        for operation in posts:
            many(share, operation.as_strategy(mode), send)
        if mode == GenerationMode.POSITIVE:
            for operation in operations:
                if operation.method != "post":
                    many(5, operation.as_strategy(mode), send)


def changed(body: Any) -> st.SearchStrategy[Any]:
    """Give bodies in which one value, wherever it stands, is another one, or a key is."""
    places = list(_places(body))

    @st.composite
    def drawn(draw: Any) -> Any:
        copy = json.loads(json.dumps(body))
        for _ in range(draw(st.integers(1, 3))):
            *way, last = draw(st.sampled_from(places))
            value = deepcopy(draw(NASTY | JSON_VALUES | NUMBERS))  # else a list could come to stand in itself
            try:
                at = copy
                for key in way:
                    at = at[key]
                if isinstance(at, dict) and draw(st.integers(0, 3)) == 0:
                    at[draw(st.text(max_size=9))] = at.pop(last)
                else:
                    at[last] = value
            except (KeyError, TypeError, IndexError):  # what stood there was replaced before
                continue
        return copy

    return drawn()


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*way, key)
        yield from _places(each, (*way, key))


def examples(sent: Sent) -> dict[str, list[Any]]:
    """Give the bodies that the document says are answered, by path."""
    document = requests.get(f"{sent.address}/openapi.json", timeout=60).json()
    return {
        path: [
            each["value"] for each in found["post"]["requestBody"]["content"]["application/json"]["examples"].values()
        ]
        for path, found in document["paths"].items()
        if "post" in found and "{" not in path
    }


def from_examples(sent: Sent, count: int) -> None:
    """Send the document's examples, changed."""
    bodies = [(path, body) for path, found in examples(sent).items() for body in found]
    for path, body in bodies:

        def send(drawn: Any, path: str = path) -> None:
            sent.post("examples, changed", path, json.dumps(drawn).encode("utf-8", "surrogatepass"))

        many(count // len(bodies), changed(body), send)


def from_damaged_bytes(sent: Sent, count: int) -> None:
    """Send tables and JSON in which bytes are damaged or missing."""
    bodies = [
        (path, kind, whole)
        for path, found in examples(sent).items()
        for kind, whole in _written(next(body["inputs"] for body in found if "inputs" in body)).items()
    ]
    for path, kind, whole in bodies:
        flips = st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=6)

        def send(drawn: Any, path: str = path, kind: str = kind, whole: bytes = whole) -> None:
            body = bytearray(whole)
            for place, value in drawn[0]:
                body[place] = value
            end = drawn[1] if drawn[2] else len(whole)
            sent.post(f"damaged {kind.rpartition('.')[2]}", path, bytes(body[:end]), **{"Content-Type": kind})

        cut = st.tuples(flips, st.integers(0, len(whole)), st.sampled_from([False, False, True]))
        many(count // len(bodies), cut, send)


def _written(columns: dict[str, Any]) -> dict[str, bytes]:
    table, stream, file = pa.table(columns), io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, file)
    body = json.dumps({"inputs": columns}).encode()
    return {ARROW: stream.getvalue(), PARQUET: file.getvalue(), "application/json": body}


def main() -> None:
    """Train, serve, fuzz, count."""
    parser = arguments_parser(__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--project", type=Path, help="a project whose models are in production already")
    parser.add_argument("--store", type=Path, help="its store")
    asked = parser.parse_args()
    with scratch() as folder, own_server() as environment:
        project, store = asked.project or folder / "project", asked.store or folder / "store"
        for problem in PROBLEMS if asked.project is None else ():
            one = {"candidates": [QUICK[problem]], "features": [], "ensembles": [], "gate": {}}
            declare(project, problem, declared(problem) | one, suite=problem)
            progress(f"Training {problem}")
            promoted(train(environment, problem, project, store)[0])
        with serving(project, store, folder / "serve.log") as server:
            before = server.workers()
            sent = Sent(server.address, [str(project), str(store), str(Path.home())])
            for number, fuzz in enumerate((from_the_document, from_examples, from_damaged_bytes), 1):
                begun = sent.count
                fuzz(sent, asked.requests * number // 3 - begun)
                progress(f"{sent.count:,} requests")
            while sent.count < asked.requests:
                from_examples(sent, asked.requests - sent.count + len(examples(sent)) * 3)
            same = server.workers() == before
    report(sent, same, asked.json)


def report(sent: Sent, same: bool, as_json: bool) -> None:
    """Print what was answered to what.

    Raises
    ------
    SystemExit
        Something was answered as nothing should be.
    """
    codes = sorted({code for each in sent.statuses.values() for code in each})
    rows = [[source, *(f"{each[code]:,}" for code in codes)] for source, each in sent.statuses.items()]
    total = Counter[int]()
    for each in sent.statuses.values():
        total.update(each)
    rows.append(["all", *(f"{total[code]:,}" for code in codes)])
    show(f"{sent.count:,} requests by what they were answered", ["", *map(str, codes)], rows)
    print(f"wrong: {len(sent.wrong)}; the same processes answer at the end: {same}")
    if as_json:
        print(json.dumps({"requests": sent.count, "wrong": sent.wrong, "statuses": total, "same_processes": same}))
    if sent.wrong or not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

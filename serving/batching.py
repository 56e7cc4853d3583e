"""Concurrent requests answered together: while one batch is predicted, the next one gathers; nobody waits for a clock.

A batch that fails says nothing of its members: each of them is asked alone then, and only what fails alone has failed.
Who asks after the end, since the version was chosen just before it was replaced, is answered all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from tasks.direct import Columns
from tasks.models import Prediction


class _Waiting(NamedTuple):
    columns: Columns
    rows: int
    answer: asyncio.Future[Prediction]


class Batcher:
    """Predicts for whoever asks, many at once, in a thread of its own.

    Parameters
    ----------
    predict : callable
        Gives the prediction for columns.
    most_rows : int
        About so many rows are predicted at once; a request is never cut.
    seen : callable, optional
        Is told the number of rows of each batch.
    """

    def __init__(
        self,
        predict: Callable[[Columns], Prediction],
        most_rows: int = 4096,
        seen: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        self._predict, self._most_rows, self._seen = predict, most_rows, seen
        self._waiting: list[_Waiting] = []
        self._thread: ThreadPoolExecutor | None = None
        self._work: asyncio.Task[None] | None = None
        self._closed = False

    async def answer(self, columns: Columns) -> Prediction:
        """Give the prediction for the rows of one request; an error is that of this request alone."""
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(columns, len(next(iter(columns.values()))), future))
        if self._work is None:
            self._work = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Answer who waits, then end the thread."""
        self._closed = True
        while self._work is not None:
            await asyncio.wait([self._work])
        self._end()

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        thread = self._thread = self._thread or ThreadPoolExecutor(1, "predict")
        try:
            while batch := self._next():
                found = await loop.run_in_executor(thread, self._predicted, [each.columns for each in batch])
                for each, outcome in zip(batch, found, strict=True):
                    _tell(each.answer, outcome)
        finally:
            self._work = None
            if self._closed:
                self._end()

    def _next(self) -> list[_Waiting]:
        """Give the requests that are answered together next; those that were given up meanwhile are left out."""
        self._waiting = [each for each in self._waiting if not each.answer.done()]
        taken, rows = 0, 0
        for each in self._waiting:
            if taken and rows + each.rows > self._most_rows:
                break
            taken, rows = taken + 1, rows + each.rows
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        if batch:
            self._seen(rows)
        return batch

    def _predicted(self, requests: Sequence[Columns]) -> Sequence[Prediction | Exception]:
        """Give what each request is answered: together, or where that fails, each by itself."""
        if len(requests) > 1:
            with contextlib.suppress(Exception):  # whose fault it was is seen below
                return _cut(self._predict(_joined(requests)), requests)
        return [self._alone(columns) for columns in requests]

    def _alone(self, columns: Columns) -> Prediction | Exception:
        try:
            return self._predict(columns)
        except Exception as error:  # it is raised where the request waits
            return error


def _tell(answer: asyncio.Future[Prediction], outcome: Prediction | Exception) -> None:
    if answer.done():  # given up meanwhile
        return
    if isinstance(outcome, Prediction):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def _joined(requests: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([columns[name] for columns in requests]) for name in requests[0]}


def _cut(whole: Prediction, requests: Sequence[Columns]) -> list[Prediction]:
    ends = np.cumsum([len(next(iter(columns.values()))) for columns in requests])
    parts: list[Prediction] = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        shares = whole.probabilities
        part = None if shares is None else shares[start:end]
        parts.append(Prediction(whole.values[start:end], whole.classes, part))
    return parts

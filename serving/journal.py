"""The log of predictions: what was asked, what was answered, by which version, for whoever watches the model later.

An answer never waits for it. What is to be noted is put on a list in memory, whose length is bounded: what finds no
room is counted and left out. A thread writes the list to journals twice a second, so no more than that is lost when
the process is killed. What a problem declares under ``[serving]`` says which share of the requests is noted, and
which columns never are.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import pyarrow as pa

from serving.metrics import Metrics
from serving.request_id import current
from serving.served import Noted, Served
from tasks.direct import Columns
from tasks.errors import ProblemError
from tasks.problem import Serving, load_problem
from tasks.sentences import meant
from tasks.served_rows import OpenJournal, recover
from tasks.store import Store

if TYPE_CHECKING:
    from tasks.models import Prediction
    from tasks.records import Input, Model

LOG = logging.getLogger("salamander.journal")
WRITE_SECONDS = 0.5
MOST_WAITING = 200_000
PART_BYTES, PART_SECONDS = 64_000_000, 3_600.0
KINDS = {"number": pa.float64(), "integer": pa.int64(), "truth": pa.bool_(), "date": pa.timestamp("us")}
"""How inputs are kept; of all other kinds as text."""


class _Note(NamedTuple):
    page: Page
    at: int
    request: str
    columns: Columns
    prediction: Prediction


class Page:
    """Where one version's predictions are noted: its columns, and the journal that is open."""

    def __init__(self, served: Served, inputs: tuple[Input, ...], store: Store) -> None:
        self.store, self.problem, self.number = store, served.problem, served.number
        self.inputs = inputs
        self.answers = _type_of_answers(served.version.model)
        self.journal: OpenJournal | None = None
        self.settled_at = float("-inf")

    def batch(self, notes: list[_Note]) -> pa.RecordBatch:
        """Give notes as rows; see `served_rows` for the columns."""
        rows = [len(note.prediction.values) for note in notes]
        asked = [
            pa.chunked_array([_asked(note.columns[each.name], each) for note in notes]).combine_chunks()
            for each in self.inputs
        ]
        names = [each.name for each in self.inputs]
        shares = [pa.array(_shares(note.prediction), pa.list_(pa.float64())) for note in notes]
        predicted = [pa.array(note.prediction.values.tolist(), self.answers) for note in notes]
        return pa.record_batch(
            {
                "at": _repeated([note.at for note in notes], rows, pa.timestamp("us", "UTC")),
                "request": _repeated([note.request for note in notes], rows, pa.string()),
                "row": pa.array([row for count in rows for row in range(count)], pa.int32()),
                "version": pa.array([self.number] * sum(rows), pa.int32()),
                "asked": pa.StructArray.from_arrays(asked, names) if names else pa.array([{}] * sum(rows)),
                "prediction": pa.concat_arrays(predicted),
                "probabilities": pa.concat_arrays(shares),
            }
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows to the journal, a new one where none is open; what is written outlives this process."""
        if self.journal is None:
            self.journal = OpenJournal(self.store, self.number, batch.schema)
        self.journal.write(batch)

    def is_due(self) -> bool:
        """Tell whether it is time to settle: at first, since other processes may have left journals, and ever again."""
        large = self.journal is not None and self.journal.size >= PART_BYTES
        return large or time.monotonic() - self.settled_at >= PART_SECONDS

    def settle(self) -> None:
        """Turn the journal that is open, and those that others have left, into parts."""
        self.settled_at = time.monotonic()
        if self.journal is not None:
            self.journal.close()
            self.journal = None
        recover(self.store)


class Journal:
    """Notes what is asked and predicted in this process, in a thread of its own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._notes: list[_Note] = []
        self._rows = 0
        self._pages: dict[tuple[str, int, tuple[Input, ...]], Page] = {}
        self._guard, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def page(self, served: Served, store: Store, project: Path) -> Noted | None:
        """Give what notes a version's predictions as its problem declares, or None where nothing is to be noted.

        Raises
        ------
        ProblemError
            The declaration cannot be read, or names a private column that there is not: nobody knows then what is
            private.
        """
        declared = load_problem(served.problem, project).serving
        if not declared.log:
            return None
        columns = served.version.test.names
        if unknown := sorted({*declared.private} - {*columns}):
            raise ProblemError(
                f"serving.private of {served.problem} names {unknown[0]!r}, which is no column of its "
                f"data{meant(unknown[0], columns)}."
            )
        inputs = tuple(each for each in served.inputs if each.name not in declared.private)
        page = self._pages.setdefault((served.problem, served.number, inputs), Page(served, inputs, store))
        return lambda columns, prediction: self._note(page, columns, prediction, declared)

    def close(self) -> None:
        """Write what waits, and turn all journals into parts."""
        self._ended.set()
        self._thread.join()

    def _note(self, page: Page, columns: Columns, prediction: Prediction, declared: Serving) -> None:
        request, rows = current(), len(prediction.values)
        if crc32(request.encode()) >= declared.log * 2**32:
            return
        note = _Note(page, time.time_ns() // 1_000, request, columns, prediction)
        with self._guard:
            if room := self._rows + rows <= MOST_WAITING:
                self._notes.append(note)
                self._rows += rows
        if not room:
            self._metrics.dropped.labels(page.problem).inc(rows)

    def _run(self) -> None:
        while not self._ended.wait(WRITE_SECONDS):
            self._settle(only_due=True)
            self._write()
        self._write()
        self._settle(only_due=False)

    def _write(self) -> None:
        with self._guard:
            notes, self._notes, self._rows = self._notes, [], 0
        by_page: dict[int, list[_Note]] = {}
        for note in notes:
            by_page.setdefault(id(note.page), []).append(note)
        for each in by_page.values():
            page, rows = each[0].page, sum(len(note.prediction.values) for note in each)
            try:
                page.write(page.batch(each))
            except Exception as error:  # no room on the disk, a value of no known type: the next may be noted again
                self._metrics.dropped.labels(page.problem).inc(rows)
                fields = {"problem": page.problem, "error": str(error)}
                LOG.exception("Predictions could not be noted.", extra={"fields": fields})
            else:
                self._metrics.noted.labels(page.problem).inc(rows)

    def _settle(self, *, only_due: bool) -> None:
        for page in [*self._pages.values()]:
            try:
                if not only_due or page.is_due():
                    page.settle()
            except Exception as error:  # no room on the disk: what is left is settled the next time
                fields = {"problem": page.problem, "error": str(error)}
                LOG.exception("A journal could not be settled.", extra={"fields": fields})


def _type_of_answers(model: Model) -> pa.DataType:
    return pa.array(list(model.classes)).type if model.classes else pa.float64()


def _asked(values: Any, column: Input) -> pa.Array:
    kind = KINDS.get(column.kind, pa.string())
    found = pa.array(values, from_pandas=True)
    return found if found.type == kind else found.cast(kind)


def _shares(prediction: Prediction) -> list[Any]:
    return [None] * len(prediction.values) if prediction.probabilities is None else prediction.probabilities.tolist()


def _repeated(values: list[Any], rows: list[int], kind: pa.DataType) -> pa.Array:
    places = [place for place, count in enumerate(rows) for _ in range(count)]
    return pa.array(values, kind).take(pa.array(places, pa.int64()))

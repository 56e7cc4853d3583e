"""What is counted, for Prometheus: of one process or, where `FOLDER` names a folder, of all that write there.

Each process writes its counts to files of its own in that folder; whoever is asked adds them all up. So a process that
was killed has still been counted, and it does not matter which one answers.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384)


class Metrics:
    """Counters, gauges and histograms, each by problem."""

    def __init__(self) -> None:
        self._own = own = CollectorRegistry()
        names, kinds = ("problem", "action", "code"), ("problem", "action")
        self.requests = Counter("salamander_requests", "Requests answered, by status code.", names, registry=own)
        self.seconds = Histogram(
            "salamander_request_seconds", "From a request to its answer.", kinds, buckets=SECONDS, registry=own
        )
        self.batches = Histogram(
            "salamander_batch_rows", "Rows predicted at once.", ("problem",), buckets=ROWS, registry=own
        )
        self.version = Gauge(
            "salamander_version",
            "The number of the version that answers.",
            ("problem", "label"),
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self.swaps = Counter(
            "salamander_swaps", "Times that a process went over to another version.", ("problem",), registry=own
        )
        self.troubles = Counter(
            "salamander_load_failures", "Times that a version could not be taken.", ("problem",), registry=own
        )
        self.noted = Counter("salamander_journal_rows", "Rows written to the journal.", ("problem",), registry=own)
        self.dropped = Counter(
            "salamander_journal_dropped_rows", "Rows that the journal had no room for.", ("problem",), registry=own
        )

    def text(self) -> bytes:
        """Give all figures in Prometheus' text format."""
        folder = os.environ.get(FOLDER)
        if not folder:
            return generate_latest(self._own)
        every = CollectorRegistry()
        MultiProcessCollector(every, path=folder)
        return generate_latest(every)

"""What is counted, of one process and of several."""

import os
import subprocess
import sys

from serving.metrics import FOLDER, Metrics


def test_each_process_counts_for_itself_where_no_folder_is_named(monkeypatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    one, other = Metrics(), Metrics()
    one.swaps.labels("digits").inc()
    assert 'salamander_swaps_total{problem="digits"} 1.0' in one.text().decode()
    assert "digits" not in other.text().decode()


def test_counts_of_several_processes_are_added_up_also_of_those_that_are_gone(tmp_path) -> None:
    program = (
        "from serving.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.requests.labels('digits', 'predict', '200').inc()\n"
        "metrics.seconds.labels('digits', 'predict').observe(0.004)\n"
        "metrics.version.labels('digits', 'champion').set(3)\n"
        "print(metrics.text().decode())\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {FOLDER: str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert 'salamander_requests_total{action="predict",code="200",problem="digits"} 2.0' in done.stdout
    assert 'salamander_request_seconds_bucket{action="predict",le="0.005",problem="digits"} 2.0' in done.stdout
    assert 'salamander_version{label="champion",problem="digits"} 3.0' in done.stdout

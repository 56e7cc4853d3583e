"""How far a step is: told now and then, with the figures that a bar is drawn of."""

import io
import logging
from types import SimpleNamespace

import pytest
from rich.console import Console

import tasks.progress
from flows.terminal import Steps
from tasks.progress import Progress


def test_it_is_told_at_most_once_in_a_while(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.1, 0.6, 0.7])
    clock = SimpleNamespace(monotonic=lambda: next(now))  # in this module alone: threads of Prefect go by the real one
    monkeypatch.setattr(tasks.progress, "time", clock)
    progress = Progress(logging.getLogger("a step"), "Checked", total=4_000)
    with caplog.at_level(logging.INFO):
        for done in (1_000, 2_000, 3_000, 4_000):
            progress(done)
    told = [record for record in caplog.records if record.name == "a step"]  # other threads log too
    assert [record.getMessage() for record in told] == [
        "Checked 1,000 of 4,000 rows.",
        "Checked 3,000 of 4,000 rows.",
    ]
    assert [(record.__dict__["done"], record.__dict__["total"]) for record in told] == [(1_000, 4_000), (3_000, 4_000)]


def test_a_terminal_draws_a_bar_of_it_until_the_step_is_over() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    steps = Steps(console)

    def said(sentence: str, **figures: int) -> None:
        of = {"task_run_id": "1", "task_run_name": "predict", "msg": sentence, "levelno": logging.INFO}
        steps.emit(logging.makeLogRecord({**of, **figures}))

    with steps.shown():
        said("Predicted 500 of 2,000 rows.", done=500, total=2_000)
        steps._progress.refresh()  # type: ignore[union-attr]
        drawn = console.file.getvalue()  # type: ignore[attr-defined]
        said("Finished in state Completed()")
    assert "━━━━━━" in drawn
    assert "Predicted 500 of 2,000 rows." in drawn
    assert "━" not in console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]

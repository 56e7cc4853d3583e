"""What `salamander show` says of intervals: the level, how often it held, and the size."""

import io

from rich.console import Console

from flows.coverages import coverages_table
from tasks.records import Coverage, Interval, Intervals

HELD = Interval(value=0.9036, low=0.894, high=0.912)


def shown(coverage: Coverage) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(coverages_table(Intervals(rows=16_513, test_rows=4_127, levels=(coverage,))))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_an_interval_is_shown_with_its_measured_coverage_and_its_mean_width() -> None:
    text = shown(Coverage(level=0.9, margins=(1.0,), measured=HELD, size=107_336.0))
    assert "Intervals, measured on 4,127 test rows" in text
    assert "90.4% (89.4% to 91.2%)" in text
    assert "107,336" in text


def test_a_set_is_shown_with_its_mean_number_of_labels() -> None:
    text = shown(Coverage(level=0.9, thresholds=(0.4, 0.3), measured=HELD, size=1.063))
    assert "Sets of labels" in text
    assert "labels (mean)" in text
    assert "1.06" in text

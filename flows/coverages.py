"""What a person sees of a version's intervals: how often they hold, and how wide they are."""

from __future__ import annotations

from rich.table import Table

from tasks.metrics import figure
from tasks.records import Intervals


def coverages_table(intervals: Intervals) -> Table:
    """Give for each level the share of the test rows whose truth was inside, with its interval, and the mean size."""
    classes = bool(intervals.levels[0].thresholds)
    title = f"{'Sets of labels' if classes else 'Intervals'}, measured on {intervals.test_rows:,} test rows"
    table = Table(title=title, title_justify="left")
    for column in ("level", "held (95 % interval)", "labels (mean)" if classes else "width (mean)"):
        table.add_column(column, justify="right")
    for each in intervals.levels:
        held = each.measured
        size = f"{each.size:.2f}" if classes else figure(each.size)
        table.add_row(f"{each.level:g}", f"{held.value:.1%} ({held.low:.1%} to {held.high:.1%})", size)
    return table

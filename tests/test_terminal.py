"""What is shown is what the data holds: square brackets in it are no markup."""

import io

import pandas as pd
from rich.console import Console
from rich.table import Table

from flows.terminal import add_plain, findings_table, quarantine_table
from tasks.records import Finding

NASTY = "[/b] [red]x"


def shown(table: Table) -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_findings_are_shown_as_they_are() -> None:
    finding = Finding(expectation=NASTY, severity="critical", reason=NASTY, observed=NASTY, examples=(NASTY,))
    assert shown(findings_table([finding])).count(NASTY) == 4


def test_rows_in_quarantine_are_shown_as_they_are() -> None:
    rows = pd.DataFrame({"salamander_position": [3], "salamander_reasons": [[NASTY]], NASTY: [NASTY]})
    assert shown(quarantine_table(rows)).count(NASTY) == 3


def test_a_plain_row_is_shown_as_it_is() -> None:
    table = Table("origin")
    add_plain(table, NASTY, style="red")
    assert NASTY in shown(table)

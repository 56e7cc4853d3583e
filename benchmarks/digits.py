"""Digits: how good the first model is, how long it takes from nothing, and how long "nothing new" takes.

Claimed: `salamander train digits` promotes a model with a test accuracy of at least 0.985, in under 90 s on 2 cores
with nothing there before (no store, no Prefect server); the same command again says "nothing new" in under 10 s.

Measured: the command itself, twice, from outside, in wall seconds; the first includes the start of the Prefect server,
as for a new user. Accuracy with its 95 % bootstrap interval is what the run reports of the rows that it held out.

Source: the 1,797 digits of scikit-learn (UCI Optical Recognition of Handwritten Digits, Alpaydin and Kaynak, 1998); no
network is needed.
"""

from __future__ import annotations

import json
from typing import Any

from measuring import ROOT, arguments_parser, mark, own_server, promoted, scratch, show, train

LOWEST_ACCURACY = 0.985
FIRST_SECONDS, SECOND_SECONDS = 90, 10


def measure() -> dict[str, Any]:
    """Give accuracy and seconds of a first and a second run in a fresh store on a fresh server."""
    with own_server() as environment, scratch() as store:
        first, first_seconds = train(environment, "digits", ROOT, store)
        second, second_seconds = train(environment, "digits", ROOT, store)
    if second["outcome"] != "nothing new":
        raise SystemExit(f"The second run was to find nothing new but was {second['outcome']}: {second['sentence']}")
    judged = promoted(first)
    return {
        "test_accuracy": judged["test"]["value"],
        "test_accuracy_interval": [judged["test"]["low"], judged["test"]["high"]],
        "first_seconds": round(first_seconds, 2),
        "second_seconds": round(second_seconds, 2),
        "candidate": judged["candidate"],
    }


def print_table(found: dict[str, Any]) -> None:
    """Print the figures beside their targets."""
    accuracy, (low, high) = found["test_accuracy"], found["test_accuracy_interval"]
    first, second = found["first_seconds"], found["second_seconds"]
    rows = [
        (
            f"test accuracy of the promoted model ({found['candidate']})",
            f"{accuracy:.4f} [{low:.4f}, {high:.4f}]",
            f"at least {LOWEST_ACCURACY}",
            mark(accuracy >= LOWEST_ACCURACY),
        ),
        ("first run, from nothing", f"{first:.1f} s", f"under {FIRST_SECONDS} s", mark(first < FIRST_SECONDS)),
        ("second run, nothing new", f"{second:.1f} s", f"under {SECOND_SECONDS} s", mark(second < SECOND_SECONDS)),
    ]
    show("salamander train digits", ("", "measured", "target", ""), rows)


def main() -> None:
    """Measure, then print a table or JSON."""
    wanted = arguments_parser(__doc__).parse_args()
    found = measure()
    print(json.dumps(found)) if wanted.json else print_table(found)


if __name__ == "__main__":
    main()

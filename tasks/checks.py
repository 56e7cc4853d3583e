"""Check: one run of Great Expectations over a frame, what it found, and which rows are to blame.

Great Expectations tells how many rows break an expectation and shows a few; to tell all of them, its ``COMPLETE``
result takes 16 s and 1 GB on a million bad rows. But what it counts is a boolean mask, the metric
``<map metric>.condition``, so a check asks for ``SUMMARY`` results and then for the masks of those critical
expectations of single rows that are not met. A mask covers only the rows that the expectation looked at (missing
values, conditions and ``ignore_row_if`` take rows out before), so rows are told by the frame's index, which holds
their positions in the table. Where the mask does not account for just as many rows as were counted, nobody can say
which they are, and the expectation stays unmet.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.records import Finding
from tasks.suites import is_row_level, words

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

EXAMPLES = 5
SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Breach:
    """A critical expectation of single rows, and the positions of the rows that break it: shape (rows,), rising.

    ``values`` are what stands in these rows, where that is known to no other table.
    """

    finding: Finding
    positions: NDArray[np.int64]
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What a check found: breaches, other findings about single rows, and findings about the table as a whole."""

    breaches: tuple[Breach, ...] = ()
    of_rows: tuple[Finding, ...] = ()
    of_table: tuple[Finding, ...] = ()

    @property
    def others(self) -> tuple[Finding, ...]:
        """The findings that are no breaches."""
        return (*self.of_rows, *self.of_table)

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return worst_first([*(breach.finding for breach in self.breaches), *self.others])

    def and_also(self, other: Checked) -> Checked:
        """Give what this check and another one found."""
        of_rows, of_table = (*self.of_rows, *other.of_rows), (*self.of_table, *other.of_table)
        return Checked((*self.breaches, *other.breaches), of_rows, of_table)


def unmet(findings: Sequence[Finding], expectations: int) -> str | None:
    """Give the sentence that refuses rows which break critical expectations, or None where they break none."""
    critical = [finding for finding in findings if finding.severity == "critical"]
    if not critical:
        return None
    first = critical[0]
    more = f" and {len(critical) - 1} more" if len(critical) > 1 else ""
    return (
        f"{len(critical)} of {expectations} expectations, all critical, are not met: "
        f"{first.expectation} ({first.observed}; expected because: {first.reason}){more}."
    )


def together(breaches: Sequence[Breach], rows: int) -> tuple[Breach, ...]:
    """Give the breaches of several parts of a table of that many rows, those of one expectation as one."""
    found: dict[tuple[str, str], list[Breach]] = {}
    for each in breaches:
        found.setdefault((each.finding.expectation, each.finding.reason), []).append(each)
    return tuple(each[0] if len(each) == 1 else _joined(each, rows) for each in found.values())


def _joined(breaches: Sequence[Breach], rows: int) -> Breach:
    positions = np.sort(np.concatenate([each.positions for each in breaches]))
    update = {
        "observed": f"{len(positions):,} of {rows:,} rows",
        "unexpected_rows": len(positions),
        "examples": tuple(example for each in breaches for example in each.finding.examples)[:EXAMPLES],
    }
    return Breach(breaches[0].finding.model_copy(update=update), positions)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Give findings sorted by their severity."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def check(frame: pd.DataFrame, expectations: Sequence[Any], name: str, docs: Path | None = None) -> Checked:
    """Check a frame, whose index are positions, and write the Data Docs into ``docs``, where that is given.

    An expectation of single rows is met when the share ``mostly`` of them meets it, so what it tolerates is no breach.
    """
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    context.delete_data_docs_site("local_site")
    source = context.data_sources.add_pandas("snapshot")
    rows = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("rows")
    own = [each.copy(update={"id": None}) for each in expectations]  # they may belong to another suite as well
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=own))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=rows, suite=suite))
    actions = []
    if docs:
        context.add_data_docs_site("docs", _site(docs))
        actions.append(gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["docs"]))
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[validation],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
        actions=actions,
    )
    run = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
    unmet = [result for each in run.run_results.values() for result in each.results if not result.success]
    return _sorted_out(unmet, source.get_execution_engine())


def _sorted_out(unmet: list[Any], engine: Any) -> Checked:
    breaches: list[Breach] = []
    of_rows: list[Finding] = []
    of_table: list[Finding] = []
    for result in unmet:
        finding = _finding(result.to_json_dict())
        if not is_row_level(result.expectation_config.to_domain_obj()):
            of_table.append(finding)
        elif finding.severity != "critical" or not finding.unexpected_rows:
            of_rows.append(finding)
        elif (positions := _breaking(result, engine)) is None:
            told = f"{finding.observed}, which ones cannot be told, so none can be set aside"
            of_rows.append(finding.model_copy(update={"observed": told}))
        else:
            breaches.append(Breach(finding, positions))
    return Checked(tuple(breaches), tuple(of_rows), tuple(of_table))


def _breaking(result: Any, engine: Any) -> NDArray[np.int64] | None:
    """Give the positions of the rows that break an expectation, or None where they cannot be told."""
    import pandas as pd
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    expectation = result.expectation_config.to_domain_obj()
    try:
        needed = expectation.get_validation_dependencies(engine, {"result_format": {"result_format": "BASIC"}})
        count = needed.metric_configurations[f"{expectation.map_metric}.unexpected_count"]
        condition = MetricConfiguration(
            f"{expectation.map_metric}.condition", count.metric_domain_kwargs, count.metric_value_kwargs
        )
        mask = MetricsCalculator(engine).get_metric(condition)[0]
    except Exception as error:  # a user's own expectation may do anything
        logging.getLogger(__name__).warning("%s gives no mask: %s", type(expectation).__name__, error)
        return None
    if not isinstance(mask, pd.Series):
        return None
    positions = mask.index.to_numpy()[mask.to_numpy(dtype="bool", na_value=False)]
    return np.sort(positions.astype("int64")) if len(positions) == result.result["unexpected_count"] else None


def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    for name in [name for name in logging.root.manager.loggerDict if name.startswith("great_expectations")]:
        logging.getLogger(name).setLevel(logging.WARNING)  # some have a level of their own
    return gx


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _finding(result: dict[str, Any]) -> Finding:
    configuration, details = result["expectation_config"], result["result"]
    return Finding(
        expectation=words(configuration),
        severity=configuration.get("severity", "critical"),
        reason=str(configuration.get("notes")),
        column=configuration["kwargs"].get("column"),
        observed=_observed(details) if details else _trouble(result["exception_info"]),
        unexpected_rows=details.get("unexpected_count"),
        examples=_examples(details),
    )


def _observed(details: dict[str, Any]) -> str:
    if (count := details.get("unexpected_count")) is not None:
        return f"{count:,} of {details['element_count']:,} rows"
    return f"observed {details.get('observed_value')}"


def _examples(details: dict[str, Any]) -> tuple[str, ...]:
    values = details.get("partial_unexpected_list", [])
    rows = details.get("partial_unexpected_index_list") or []
    if len(rows) != len(values):
        return tuple(repr(value) for value in values)
    return tuple(f"{value!r} in row {row}" for value, row in zip(values, rows, strict=True))


def _trouble(information: dict[str, Any]) -> str:
    messages = [inner.get("exception_message") for inner in information.values() if isinstance(inner, dict)]
    known = [str(message) for message in (*messages, information.get("exception_message")) if message]
    return f"could not be checked: {known[0].splitlines()[0] if known else 'no reason given'}"

"""Validate: a Great Expectations checkpoint over the snapshot, with Data Docs; critical failures refuse the data.

This is the only door to Great Expectations, which takes seconds to import. A suite is a Python file,
`expectations/<problem>.py`, with a list `EXPECTATIONS`; each has a reason in ``notes`` and a severity.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect import get_run_logger, task
from pydantic import Field

from tasks.errors import DataRefused, ProblemError
from tasks.keys import source_digest
from tasks.problem import Declared
from tasks.records import Artifact, Finding, Snapshot, Validated
from tasks.store import Store

if TYPE_CHECKING:
    import pandas as pd

Severity = Literal["critical", "warning", "info"]
EXAMPLES = 5


class Suite(Declared):
    """Where a problem's expectations stand, and the digest of their source."""

    path: Annotated[str, Field(exclude=True)]  # a suite that moves is the same suite
    digest: str


class RefusedByExpectations(DataRefused):
    """The data broke critical expectations; says which, and where the Data Docs are."""

    def __init__(self, findings: Sequence[Finding], expectations: int, docs: Path) -> None:
        critical = [finding for finding in findings if finding.severity == "critical"]
        first = critical[0]
        more = f" and {len(critical) - 1} more" if len(critical) > 1 else ""
        super().__init__(
            f"{len(critical)} of {expectations} expectations, all critical, are not met: "
            f"{first.expectation} ({first.observed}; expected because: {first.reason}){more}."
        )
        self.findings = tuple(findings)
        self.docs = docs


def find_suite(problem: str, project: Path) -> Suite:
    """Give the suite of a problem.

    Raises
    ------
    ProblemError
        The problem has none, or its file is not Python.
    """
    path = project / "expectations" / f"{problem}.py"
    if not path.is_file():
        raise ProblemError(
            f"{path} is missing: a problem needs a suite of expectations; begin with EXPECTATIONS = [...]."
        )
    try:
        return Suite(path=str(path.absolute()), digest=source_digest(path.read_text(encoding="utf-8")))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path} is not Python: {error}.") from error


def load_expectations(suite: Suite) -> list[Any]:
    """Give the expectations of a suite's file, which is run under a name of its own.

    Raises
    ------
    ProblemError
        The file fails, or an expectation has no reason.
    """
    specification = importlib.util.spec_from_file_location(f"salamander_suite_{Path(suite.path).stem}", suite.path)
    if specification is None or specification.loader is None:
        raise ProblemError(f"{suite.path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
        expectations = list(module.EXPECTATIONS)
        without = [each.configuration.to_json_dict() for each in expectations if not each.notes]
    except Exception as error:
        raise ProblemError(f"{suite.path} gives no expectations: {type(error).__name__}: {error}") from error
    if without:
        raise ProblemError(f"{suite.path}: {_words(without[0])} has no reason; write it as notes=...")
    return expectations


def check(frame: pd.DataFrame, expectations: list[Any], name: str, docs: Path) -> list[Finding]:
    """Give what the data does not meet, worst first, and write the Data Docs into ``docs``.

    ``SUMMARY`` results keep counts and a few examples; ``COMPLETE`` ones take 16 s and 1 GB on a million bad rows.
    """
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    context.delete_data_docs_site("local_site")
    context.add_data_docs_site("docs", _site(docs))
    batch = (
        context.data_sources.add_pandas("snapshot")
        .add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe("rows")
    )
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=expectations))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[validation],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["docs"])],
    )
    result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
    results = [result for run in result.run_results.values() for result in run.results if not result.success]
    findings = [_finding(result.to_json_dict()) for result in results]
    return sorted(findings, key=lambda finding: ("critical", "warning", "info").index(finding.severity))


def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
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
    count = details.get("unexpected_count")
    return Finding(
        expectation=_words(configuration),
        severity=configuration.get("severity", "critical"),
        reason=str(configuration.get("notes")),
        column=configuration["kwargs"].get("column"),
        observed=_observed(details) if details else _trouble(result["exception_info"]),
        unexpected_rows=count,
        examples=_examples(details),
    )


def _words(configuration: dict[str, Any]) -> str:
    """Give an expectation as it is called: ``median_income: values to be between (min_value=0, max_value=16)``."""
    settings = {k: v for k, v in configuration["kwargs"].items() if k not in {"batch_id", "column"} and v is not None}
    name = configuration["type"].removeprefix("expect_").removeprefix("column_").replace("_", " ")
    column = configuration["kwargs"].get("column")
    text = ", ".join(f"{key}={value}" for key, value in settings.items())
    return f"{column + ': ' if column else ''}{name}{f' ({text})' if text else ''}"


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


@task(task_run_name="validate")
def validate(snapshot: Snapshot, suite: Suite, store: Store) -> Validated:
    """Check a snapshot against a suite; warnings are recorded, critical failures refuse the data."""
    logger = get_run_logger()
    name = Path(suite.path).stem
    docs = docs_folder(store, snapshot.data)
    logger.info("Checking %s rows against the suite %s.", f"{snapshot.data.rows:,}", name)
    expectations = load_expectations(suite)
    findings = check(store.table(snapshot.data).to_pandas(), expectations, name, docs)
    for finding in findings:
        level = logger.error if finding.severity == "critical" else logger.warning
        level("%s: %s, %s.", finding.severity, finding.expectation, finding.observed)
    if any(finding.severity == "critical" for finding in findings):
        raise RefusedByExpectations(findings, len(expectations), docs / "index.html")
    logger.info("Data Docs: %s", docs / "index.html")
    logger.info("%s of %s expectations met.", len(expectations) - len(findings), len(expectations))
    return Validated(data=snapshot.data, expectations=len(expectations), warnings=tuple(findings))


def docs_folder(store: Store, data: Artifact) -> Path:
    """Give the folder of the Data Docs of a snapshot's data: a view for people, made anew by each check."""
    return store.folder / "docs" / data.file.sha256[:16]

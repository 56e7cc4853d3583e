"""The log: one JSON object a line, whatever stands in it."""

import json
import logging
import logging.config
import sys

from serving.logs import JsonLines, log_config


def line(message: str, **more) -> dict:
    record = logging.makeLogRecord({"name": "salamander.access", "levelname": "INFO", "msg": message, **more})
    text = JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_record_is_one_line_of_json_with_its_fields() -> None:
    found = line("two\nlines", fields={"problem": "digits", "path": {1}})
    assert (found["message"], found["problem"], found["level"], found["path"]) == (
        "two\nlines",
        "digits",
        "info",
        "{1}",
    )
    assert found["time"].endswith("+00:00")


def test_an_error_brings_its_traceback() -> None:
    try:
        int("not so")
    except ValueError:
        found = line("it failed", exc_info=sys.exc_info())
    assert found["traceback"].endswith("'not so'")


def test_the_configuration_is_one_that_logging_takes() -> None:
    logging.config.DictConfigurator(log_config())
    assert log_config()["loggers"]["salamander"]["handlers"] == ["stderr"]

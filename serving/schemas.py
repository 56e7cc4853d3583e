"""JSON schemas of what a deployed model reads and answers, made from its inputs: real columns, types and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.described import answered
from serving.rows import NUMBERS
from serving.values import needed
from tasks.records import Input

if TYPE_CHECKING:
    from serving.served import Served

Schema = dict[str, Any]
TYPES = {"number": "number", "integer": "integer", "truth": "boolean", "category": "string", "text": "string"}
NUMBER: Schema = {"type": ["number", "null"]}
"""Null is what is no number, as a network's output may be for values far from the training."""

LEVEL: Schema = {
    "type": "number",
    "exclusiveMinimum": 0,
    "exclusiveMaximum": 1,
    "description": "The share of rows that an interval, or a set of labels, is to hold the truth of.",
}
FLAG: Schema = {
    "type": "object",
    "required": ["row", "column", "value", "trained_on"],
    "properties": {
        "row": {"type": "integer", "minimum": 0},
        "column": {"type": "string"},
        "value": {"type": "number"},
        "trained_on": {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 2, "maxItems": 2},
    },
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One sentence: what, where, and what is allowed."}},
    "additionalProperties": False,
}


def value_of(column: Input) -> Schema:
    """Give the schema of one value of a column."""
    made: Schema = {"type": TYPES.get(column.kind, "string"), "description": f"Takes {needed(column)}."}
    if column.nullable:
        made["type"] = [made["type"], "null"]
    if column.values:
        made["enum"] = [*column.values, *([None] if column.nullable else [])]
    if column.kind == "integer":
        made |= {"minimum": -(2**63), "maximum": 2**63 - 1}
    if column.kind == "date":
        made["format"] = "date-time"
    if column.low is not None:
        made["x-trained-on"] = [column.low, column.high]
    if column.example is not None:
        made["examples"] = [column.example]
    return made


def row_of(served: Served) -> Schema:
    """Give the schema of a row by name."""
    properties = {each.name: value_of(each) for each in served.inputs}
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def question_of(served: Served, most_rows: int) -> Schema:
    """Give the schema of a request: rows, or columns."""
    name, many = served.problem, {"type": "array", "minItems": 1, "maxItems": most_rows}
    rows: list[Schema] = [{**many, "title": "rows by name", "items": {"$ref": f"#/components/schemas/{name}.row"}}]
    if all(each.kind in NUMBERS for each in served.inputs):
        size = len(served.inputs)
        plain = {"type": "array", "items": {"type": "number"}, "minItems": size, "maxItems": size}
        plain["description"] = "The columns in their order; nested arrays, such as images, are flattened."
        rows.append({**many, "title": "rows as plain arrays", "items": plain})
    columns = {each.name: {**many, "items": value_of(each)} for each in served.inputs}
    by_column = {"type": "object", "required": list(columns), "properties": columns, "additionalProperties": False}
    common = {"signature_name": {"enum": ["serving_default", ""]}, "interval": LEVEL}
    return {
        "oneOf": [
            _closed({"instances": {"anyOf": rows}}, common, "rows"),
            _closed({"inputs": by_column | {"description": "All lists are of one length."}}, common, "columns"),
        ]
    }


def answer_of(served: Served) -> Schema:
    """Give the schema of an answer; with an interval, or of several outputs, a row is an object."""
    one = {name: _output(tensor, served) for name, tensor in answered(served).items()}
    label = {"enum": list(served.version.model.classes)}
    more: Schema = (
        {"set": {"type": "array", "items": label}} if served.version.model.classes else {"low": NUMBER, "high": NUMBER}
    )
    row = {"type": "object", "required": list(one), "properties": {**one, **more}, "additionalProperties": False}
    whole = {name: {"type": "array", "items": each} for name, each in {**one, **more}.items()}
    outputs = {"type": "object", "required": list(one), "properties": whole, "additionalProperties": False}
    common = {"model_version": {"type": "string"}, "flags": {"type": "array", "items": FLAG}}
    plain = [{"type": "array", "items": each} for each in one.values()]
    return {
        "anyOf": [
            _closed({"predictions": {"anyOf": [{"type": "array", "items": row}, *plain]}}, common, "rows"),
            _closed({"outputs": {"anyOf": [outputs, *plain]}}, common, "columns"),
        ]
    }


def _output(tensor: dict[str, Any], served: Served) -> Schema:
    if tensor["name"] == "class:0":
        return {"enum": list(served.version.model.classes)}
    if len(tensor["tensor_shape"]["dim"]) == 1:
        return NUMBER
    size = len(served.version.model.classes)
    return {"type": "array", "items": NUMBER, "minItems": size, "maxItems": size}


def _closed(needed_keys: Schema, common: Schema, title: str) -> Schema:
    return {
        "title": title,
        "type": "object",
        "required": list(needed_keys),
        "properties": {**needed_keys, **common},
        "additionalProperties": False,
    }

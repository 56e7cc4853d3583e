"""What a served model reads and answers, as TensorFlow Serving describes it to programs, and an example that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.answers import outputs
from tasks.records import Input

if TYPE_CHECKING:
    from serving.served import Served

DTYPES = {
    "number": "DT_DOUBLE",
    "integer": "DT_INT64",
    "truth": "DT_BOOL",
    "category": "DT_STRING",
    "text": "DT_STRING",
    "date": "DT_STRING",
}
DTYPE_OF_CLASS = {"i": "DT_INT64", "u": "DT_INT64", "b": "DT_BOOL", "f": "DT_DOUBLE"}
ANY = {"number": 0, "integer": 0, "truth": False, "category": "", "text": "a text", "date": "2026-01-01"}
"""What stands for an example where training has none to show."""


def metadata(served: Served) -> dict[str, Any]:
    """Give what a model reads and answers, as TensorFlow Serving says it, and what it was trained on."""
    read = {each.name: _tensor(each.name, DTYPES[each.kind]) for each in served.inputs}
    signature = {"inputs": read, "outputs": answered(served), "method_name": "tensorflow/serving/predict"}
    version, scores = served.version, served.version.scores
    return {
        "model_spec": {"name": served.problem, "signature_name": "", "version": str(served.number)},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
        "columns": [each.model_dump(mode="json", exclude={"schema_version"}) for each in served.inputs],
        "classes": list(version.model.classes),
        "scores": {
            "metric": scores.metric,
            "rows": scores.rows,
            "confidence": scores.confidence,
            **scores.challenger.model_dump(mode="json", exclude={"schema_version"}),
        },
    }


def answered(served: Served) -> dict[str, Any]:
    """Give the outputs of a model by name, as TensorFlow Serving describes tensors."""
    classes = np.asarray(served.version.model.classes)
    if not len(classes):
        return {"prediction": _tensor("prediction", "DT_DOUBLE")}
    named = {"class": _tensor("class", DTYPE_OF_CLASS.get(classes.dtype.kind, "DT_STRING"))}
    if "probabilities" in outputs(example_answer(served)):
        named["probabilities"] = _tensor("probabilities", "DT_DOUBLE", len(classes))
    return named


def example(inputs: tuple[Input, ...]) -> dict[str, Any]:
    """Give a row that a model answers."""
    return {each.name: ANY[each.kind] if _needs_one(each) else each.example for each in inputs}


def _needs_one(column: Input) -> bool:
    return column.example is None and (column.kind == "text" or not column.nullable)


def example_answer(served: Served) -> Any:
    """Give the prediction for the example."""
    return served.predict(served.rows.instances([example(served.inputs)]))


def _tensor(name: str, dtype: str, *more: int) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in (-1, *more)]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": f"{name}:0"}

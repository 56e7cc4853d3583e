"""Tensors in and out of TensorFlow Serving's messages: values by row for the checks, answers as a client reads them.

A tensor has no null: NaN and, where training had missing texts, the empty text stand for what is missing, as they do in
the exported networks.

An answer is as precise as its question: who asks in 32 bits is answered in 32, so that a client which reads
``float_val`` finds its numbers there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from serving.rows import check_count
from serving.values import BadRequest
from tasks.direct import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.served import Served
    from tasks.records import Input

    TensorProto = Any
    """The messages' types are made at run time."""

MOST_SHOWN = 80
NARROW = (tf.float16, tf.float32)
TAKEN = (*NARROW, tf.float64, tf.bool, tf.string, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32)


def columns_of(tensors: Mapping[str, TensorProto], served: Served, most_rows: int) -> Columns:
    """Give the checked columns of tensors: one a column, of shape (rows,) or (rows, 1), or one of whole rows.

    The latter has any name and at least two axes; all inputs must be numbers then.

    Raises
    ------
    BadRequest
        Something is missing, too much or not what training had: says what, where, and what is allowed.
    """
    inputs = {each.name: each for each in served.inputs}
    if len(tensors) == 1:
        ((name, tensor),) = tensors.items()
        if len(tensor.tensor_shape.dim) >= 2 and (name not in inputs or len(inputs) > 1):
            return served.rows.columns(_read(name, tensor, most_rows, len(inputs)), most_rows)
    served.rows.check_names(tensors, '"inputs"')
    return served.rows.columns({name: _column(inputs[name], tensors[name], most_rows) for name in inputs}, most_rows)


def is_narrow(tensors: Collection[TensorProto]) -> bool:
    """Tell whether the broken numbers of a question have 32 bits or fewer."""
    kinds = {tf.as_dtype(tensor.dtype) for tensor in tensors}
    return tf.float64 not in kinds and not kinds.isdisjoint(NARROW)


def tensor_of(values: Sequence[Any], *, narrow: bool) -> TensorProto:
    """Give what a client reads, from a list of shape (rows,) or (rows, classes)."""
    array = np.asarray(values)
    match array.dtype.kind:
        case "f":
            kind, field = (tf.float32, "float_val") if narrow else (tf.float64, "double_val")
        case "b":
            kind, field = tf.bool, "bool_val"
        case "i" | "u":
            kind, field = tf.int64, "int64_val"
        case _:
            kind, field = tf.string, "string_val"
            array = np.array([str(value).encode() for value in values], dtype="object")
    shape = tf.TensorShape(array.shape).as_proto()
    flat = array.ravel().tolist()
    return type(tf.make_tensor_proto(0))(dtype=kind.as_datatype_enum, tensor_shape=shape, **{field: flat})


def _column(column: Input, tensor: TensorProto, most_rows: int) -> list[Any]:
    sizes = [each.size for each in tensor.tensor_shape.dim]
    if sizes[1:] not in ([], [1]) or not sizes:
        raise BadRequest(
            f"inputs.{column.name} has the shape {sizes}, but one value a row is needed: (rows) or (rows, 1)."
        )
    values = _read(column.name, tensor, most_rows, 1)
    flat = [value[0] for value in values] if len(sizes) == 2 else values
    if column.nullable and column.kind in {"category", "text", "date"} and "" not in column.values:
        return [None if value == "" else value for value in flat]
    return flat


def _read(name: str, tensor: TensorProto, most_rows: int, most_values: int) -> list[Any]:
    """Give the values of a tensor as nested lists; what is no number is None.

    Its sizes are checked before it is unpacked: a few bytes may claim to be a tensor of any size.
    """
    where, sizes = f"inputs.{name[:MOST_SHOWN]}", [each.size for each in tensor.tensor_shape.dim]
    if tensor.dtype not in {kind.as_datatype_enum for kind in TAKEN}:
        raise BadRequest(f"{where} is a tensor of a type that is not taken; allowed are numbers, texts and truths.")
    if min(sizes, default=0) < 0:
        raise BadRequest(f"{where} has the shape {sizes}; every size must be known.")
    check_count(sizes[0], where, most_rows)
    if math.prod(sizes[1:]) > most_values:
        raise BadRequest(f"{where} has {math.prod(sizes[1:]):,} values a row, but the model reads {most_values:,}.")
    try:
        array = tf.make_ndarray(tensor)
        return _plain(array)
    except UnicodeDecodeError:
        raise BadRequest(f"{where} has a text that is not UTF-8.") from None
    except (ValueError, TypeError, IndexError):
        raise BadRequest(f"{where} does not hold as many values as its shape {sizes} says.") from None


def _plain(array: NDArray[Any]) -> list[Any]:
    match array.dtype.kind:
        case "O" | "S":
            texts = [value.decode() if isinstance(value, bytes) else value for value in array.ravel().tolist()]
            return np.array(texts, dtype="object").reshape(array.shape).tolist()
        case "f" if np.isnan(array).any():
            values = array.astype("float64").astype("object")
            values[np.isnan(array)] = None
            return values.tolist()
        case _:
            return array.tolist()

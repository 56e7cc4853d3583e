"""TensorFlow Serving's PredictionService and ModelService, for every deployed model.

The rows are read and checked by what reads them for HTTP, so both refuse the same things in the same words; what is
refused is raised here and told by `serving.grpc_guard`.
"""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer

from serving.answers import outputs, surroundings
from serving.bodies import level_of
from serving.described import metadata
from serving.rows import LARGE
from serving.tensors import columns_of, is_narrow, tensor_of
from serving.values import BadRequest
from tasks.sentences import listed, meant

if TYPE_CHECKING:
    from serving.repository import Repository
    from serving.served import Served


def _messages(name: str) -> Any:
    """Give a module of messages; their types are made when it is imported, so no type checker knows them."""
    return import_module(f"tensorflow_serving.apis.{name}_pb2")


METADATA, MODEL, PREDICT, STATUS = map(_messages, ("get_model_metadata", "model", "predict", "get_model_status"))
SIGNATURE = "serving_default"
MOST_FLAGS = 20
"""So many flags are told: a call's metadata must be short (clients take 8 KB)."""


class PredictionService(PredictionServiceServicer):
    """Answers with predictions, and with what a model reads and answers."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """Give the predictions for the rows of a request; the call's metadata may ask for an ``interval``.

        The first numbers outside the range of training stand in the trailing metadata, as JSON, under ``flags``.
        """
        served = find(self._repository, request.model_spec)
        interval = dict(context.invocation_metadata()).get("interval")
        level = level_of(interval) if interval is not None else None
        most = self._repository.settings.most_rows
        if request.ByteSize() > LARGE:
            columns = await asyncio.to_thread(columns_of, request.inputs, served, most)
        else:
            columns = columns_of(request.inputs, served, most)
        found = await served.answer(columns)
        if flags := served.rows.flags(columns):
            context.set_trailing_metadata((("flags", json.dumps(flags[:MOST_FLAGS])),))
        named = outputs(found)
        if level is not None:
            named |= surroundings(found, served.version.intervals, level, named=False)
        chosen = list(request.output_filter) or list(named)
        if unknown := [name for name in chosen if name not in named]:
            raise BadRequest(
                f"The output {unknown[0][:80]!r} is not known{meant(unknown[0][:80], named)}; there are: "
                f"{listed(named)}."
            )
        narrow = is_narrow(request.inputs.values())
        return PREDICT.PredictResponse(
            model_spec=_spec(served), outputs={name: tensor_of(named[name], narrow=narrow) for name in chosen}
        )

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - named by the protocol
        """Give what a model reads and answers."""
        if list(request.metadata_field) != ["signature_def"]:
            raise BadRequest('"metadata_field" must be ["signature_def"].')
        served = find(self._repository, request.model_spec)
        described = await asyncio.to_thread(metadata, served)
        signatures = ParseDict(described["metadata"]["signature_def"], METADATA.SignatureDefMap())
        response = METADATA.GetModelMetadataResponse(model_spec=_spec(served))
        response.metadata["signature_def"].Pack(signatures)
        return response


class ModelService(ModelServiceServicer):
    """Answers with which versions there are."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - named by the protocol
        """Give which versions of a model answer, newest first."""
        spec = request.model_spec
        found = [find(self._repository, spec)]
        if spec.WhichOneof("version_choice") is None:
            found = sorted(self._repository.offers[spec.name].all().values(), key=lambda served: -served.number)
        kind = STATUS.ModelVersionStatus
        states = [kind(version=served.number, state=kind.AVAILABLE, status={}) for served in found]
        return STATUS.GetModelStatusResponse(model_version_status=states)


def find(repository: Repository, spec: Any) -> Served:
    """Give what answers for what a request names: a model, and maybe a version or a label."""
    if spec.signature_name not in {"", SIGNATURE}:
        raise BadRequest(f'"signature_name" must be "{SIGNATURE}", or be left out.')
    match spec.WhichOneof("version_choice"):
        case "version":
            return repository.find(spec.name, spec.version.value)
        case "version_label":
            return repository.find(spec.name, label=spec.version_label)
        case _:
            return repository.find(spec.name)


def _spec(served: Served) -> Any:
    return MODEL.ModelSpec(name=served.problem, version={"value": served.number}, signature_name=SIGNATURE)

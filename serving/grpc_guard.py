"""What stands in front of every call over gRPC: the token, the limits, the log, and errors as sentences.

A client is told what it did wrong, and of what went wrong here only that it did: the log has the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import grpc

from serving.access import Access
from serving.guards import Rate, is_token
from serving.repository import NotServed
from serving.request_id import begin
from serving.values import BadRequest

if TYPE_CHECKING:
    from serving.repository import Repository

LOG = logging.getLogger("salamander.grpc")
ACTIONS = {"Predict": "predict", "GetModelMetadata": "metadata", "GetModelStatus": "status"}
REQUEST_ID = "x-request-id"
TOO_LARGE = 413


class Refused(Exception):  # noqa: N818 - says what is the matter
    """A call that is not even looked at: its status, and why in one sentence."""

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Guard(grpc.aio.ServerInterceptor):
    """Lets calls through that may be made, and gives every answer a status; names, counts and logs them.

    The name of a call is the client's own ``x-request-id`` or a new one, and is given back in the trailing metadata.

    Attributes
    ----------
    begun : int
        How many calls there were.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository, self._settings = repository, repository.settings
        self._rate = Rate(self._settings.most_requests)
        self.begun = 0

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Give what handles a call; nothing where there is no such method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        metadata = dict(handler_call_details.invocation_metadata)
        path: str = handler_call_details.method
        action = ACTIONS.get(path.rpartition("/")[2], "other")

        async def guarded(request: Any, context: Any) -> Any:
            self.begun += 1
            begun, answer, client = time.perf_counter(), None, _address(context.peer())
            name = begin(str(metadata.get(REQUEST_ID, "")))
            code, sentence = grpc.StatusCode.CANCELLED, ""  # unless there is an answer before the client goes away
            try:
                await self._check(metadata, client)
                async with asyncio.timeout(self._settings.timeout_seconds):
                    answer = await _asked(handler.unary_unary, request, context)
            except Exception as error:
                code, sentence = self._said(error)
            else:
                code = grpc.StatusCode.OK
            finally:
                Access(
                    request=name,
                    client=client,
                    method="POST",
                    path=path,
                    status=code.name,
                    milliseconds=round((time.perf_counter() - begun) * 1000, 3),
                    problem=problem if (problem := _model(request)[0]) in self._repository.offers else "",
                    version=_model(answer)[1],
                ).note(self._repository.metrics, action)
            trailing = (*(context.trailing_metadata() or ()), (REQUEST_ID, name))
            if code is not grpc.StatusCode.OK:
                await context.abort(code, sentence, trailing)
            context.set_trailing_metadata(trailing)
            return answer

        return grpc.unary_unary_rpc_method_handler(guarded, handler.request_deserializer, handler.response_serializer)

    async def _check(self, metadata: dict[str, Any], client: str) -> None:
        if wait := await self._rate.wait(client):
            sentence = f"Too many requests: at most {self._settings.most_requests} are answered; try again in {wait} s."
            raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, sentence)
        token = self._settings.token
        if token is not None and not is_token(str(metadata.get("authorization", "")).encode(), token):
            sentence = "A token is needed: send the metadata 'authorization' with the value 'Bearer TOKEN'."
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, sentence)

    def _said(self, error: Exception) -> tuple[grpc.StatusCode, str]:
        match error:
            case BadRequest():
                large = error.status == TOO_LARGE
                return (grpc.StatusCode.RESOURCE_EXHAUSTED if large else grpc.StatusCode.INVALID_ARGUMENT), str(error)
            case NotServed():
                return grpc.StatusCode.NOT_FOUND, str(error)
            case Refused():
                return error.code, str(error)
            case TimeoutError():
                limit = self._settings.timeout_seconds
                return grpc.StatusCode.DEADLINE_EXCEEDED, f"There was no answer within {limit:g} seconds."
            case NotImplementedError():
                return grpc.StatusCode.UNIMPLEMENTED, f"What is answered here: {', '.join(ACTIONS)}."
            case _:
                LOG.error("A call failed.", exc_info=error)
                return grpc.StatusCode.INTERNAL, "Something went wrong here; the log of the server says what."


async def _asked(method: Callable[[Any, Any], Any], request: Any, context: Any) -> Any:
    """Give the answer of a method; those that nobody wrote raise at once."""
    answer = method(request, context)
    return await answer if asyncio.iscoroutine(answer) else answer


def _address(peer: str) -> str:
    """Give the address in what gRPC calls a peer, such as ``ipv4:127.0.0.1:4000`` or ``ipv6:%5B::1%5D:4000``."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


def _model(message: Any) -> tuple[str, str]:
    """Give the name and the version of the model that a request or an answer is about; empty where it does not say."""
    if message is None or "model_spec" not in message.DESCRIPTOR.fields_by_name:
        return "", ""
    spec = message.model_spec
    return spec.name, str(spec.version.value) if spec.HasField("version") else ""

"""The kinds for background responses: start, resume by a handle, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, OperationUnsupported
from victor_fp.core.long_running.background import Background, BackgroundHandle
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.bodies import read_completion
from victor_fp.core.responses.completions import ResponseContext, with_context
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange, Split
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.http_backend import compile_chat


def _compile_start(
    codec: Codec, endpoint: Endpoint, spec: CallSpec, model: str, options: Mapping[str, Any]
) -> Result[PreparedExchange[BackgroundHandle] | KnownResult[BackgroundHandle] | Split[BackgroundHandle], Fault]:
    """Compile the creation of a response; the result is its handle."""
    background = codec.background
    if background is None:
        return Failure(_refuse(endpoint, model))
    if spec.repairs:
        message = "repair: not supported for background responses"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=model, message=message))
    match outcome(compile_chat(codec, endpoint, spec, model, {**options, "background": True})):
        case Failure(fault):
            return Failure(fault)
        case Success(exchange):
            for adjustment in exchange.request.adjustments:
                if adjustment.parameter == "background":
                    return Failure(InvalidRequest(provider=endpoint.spec.name, model=model, message=adjustment.reason))
            read = partial(_read_handle, background, exchange.codec, exchange.context)
            request = replace(exchange.request, is_polled=False)
            return Success(PreparedExchange(request=request, codec=exchange.codec, context=exchange.context, read=read))


def _read_handle(
    background: Background, codec: Codec, context: ResponseContext, body: bytes
) -> Result[BackgroundHandle, Fault]:
    seen = background.read_status(body)
    if seen.id:
        handle = BackgroundHandle(provider=context.endpoint.spec.name, model=context.model or "", id=seen.id)
        if context.tool_names:
            handle["tool_names"] = dict(context.tool_names)
        return Success(handle)
    match outcome(read_completion(context, codec, body)):
        case Failure(fault):
            return Failure(fault)
        case Success():
            return Failure(with_context(context, InvalidResponse(message="the response has no id")))


def _compile_resume(
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,
    model: str,
    options: Mapping[str, Any],  # noqa: ARG001  every kind is compiled from the same arguments
) -> Result[PreparedExchange[CompletionResponse] | KnownResult[CompletionResponse] | Split[CompletionResponse], Fault]:
    """Compile the polling of a response until it is no longer running."""
    if codec.background is None:
        return Failure(_refuse(endpoint, model))
    retrieval = codec.background.retrieve(spec.background_id)
    request = replace(retrieval, is_polled=True)
    context = ResponseContext(
        endpoint=endpoint, model=model or None, url=request.url, tool_names=spec.background_tool_names
    )
    read = partial(read_completion, context, codec)
    return Success(PreparedExchange(request=request, codec=codec, context=context, read=read))


def _compile_cancel(
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,
    model: str,
    options: Mapping[str, Any],  # noqa: ARG001
) -> Result[PreparedExchange[None] | KnownResult[None] | Split[None], Fault]:
    if codec.background is None:
        return Failure(_refuse(endpoint, model))
    request = codec.background.cancel(spec.background_id)
    context = ResponseContext(endpoint=endpoint, model=model or None, url=request.url)
    return Success(PreparedExchange(request=request, codec=codec, context=context, read=lambda _: Success(None)))


def _refuse(endpoint: Endpoint, model: str) -> Fault:
    spec = endpoint.spec
    message = f"{spec.title} does not support background responses"
    return OperationUnsupported(provider=spec.name, model=model or None, operation="background", message=message)


START: Kind[BackgroundHandle] = Kind(name="background_start", compile=_compile_start)
RESUME: Kind[CompletionResponse] = Kind(name="background_resume", compile=_compile_resume)
CANCEL: Kind[None] = Kind(
    name="background_cancel", compile=_compile_cancel, operation="cancel_response", uses_breaker=False
)

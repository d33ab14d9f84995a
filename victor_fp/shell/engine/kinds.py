"""The kinds of results: how each request is compiled by a codec, and how its response is read.

A new kind requires one function here and one public method of the providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols import Codec, ModelInfo
from victor_fp.core.request_building.chat import build_typed_request
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, find_missing_setting
from victor_fp.core.responses import ResponseContext, read_completion
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange
from victor_fp.shell.engine.call_spec import CallSpec


def build_response_context(endpoint: Endpoint, request: HttpRequest, model: str | None = None) -> ResponseContext:
    """Build the context for reading the response; an in-process engine has no URL."""
    url = None if endpoint.spec.transport == "embedded" else request.url
    return ResponseContext(
        endpoint=endpoint,
        model=model,
        url=url,
        adjustments=request.adjustments,
        tool_names=request.tool_names,
        required_call=request.required_call,
    )


def compile_chat(
    codec: Codec, endpoint: Endpoint, spec: CallSpec, model: str, options: Mapping[str, Any]
) -> Result[PreparedExchange[Any], Fault]:
    """Compile a chat. Streams and complete responses are read by the same codec."""
    request = build_typed_request(
        endpoint.spec.name,
        spec.messages,
        model=model,
        temperature=spec.temperature,
        max_tokens=spec.max_tokens,
        tools=spec.tools or (),
        stream=spec.stream,
        options=options,
    )
    match outcome(request):
        case Success(chat):
            pass
        case Failure(fault):
            return Failure(fault)
    match outcome(codec.request(chat)):
        case Success(built):
            if chat.text_tools:
                from victor_fp.core.text_tools.hook import read_response

                codec = read_response(codec, chat, built.tool_names)
            context = build_response_context(endpoint, built, model)
            read = None if spec.stream else partial(read_completion, context, codec)
            return Success(PreparedExchange(request=built, codec=codec, context=context, read=read))
        case Failure(fault):
            return Failure(fault)


def _compile_model(
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,  # noqa: ARG001  every kind is compiled from the same arguments
    model: str,
    options: Mapping[str, Any],  # noqa: ARG001
) -> Result[PreparedExchange[ModelInfo] | KnownResult[ModelInfo], Fault]:
    if (missing := find_missing_setting(endpoint, model)) is not None:
        return Failure(missing)
    discovery = codec.discovery
    unknown = InvalidResponse(
        provider=endpoint.spec.name, model=model, message=f"{endpoint.spec.title} does not describe {model!r}"
    )
    if discovery is None:
        return Failure(unknown)
    if discovery.model_request is None or discovery.read_model is None:
        return Failure(unknown)
    request, read_model = discovery.model_request(model), discovery.read_model

    def read(body: bytes) -> Result[ModelInfo, Fault]:
        found = read_model(model, body)
        return Failure(unknown) if found is None else Success(found)

    context = build_response_context(endpoint, request, model)
    return Success(PreparedExchange(request=request, codec=codec, context=context, read=read))


def _compile_count(
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,
    model: str,
    options: Mapping[str, Any],  # noqa: ARG001
) -> Result[PreparedExchange[int | None] | KnownResult[int | None], Fault]:
    counting = codec.counting
    if counting is None:
        return Success(KnownResult(None))
    match outcome(counting.request(ChatRequest(messages=spec.messages, model=model))):
        case Failure(fault):
            return Failure(fault)
        case Success(request):
            context = build_response_context(endpoint, request, model)
            read = counting.read
            return Success(
                PreparedExchange(request=request, codec=codec, context=context, read=lambda body: Success(read(body)))
            )


COMPLETION: Kind[CompletionResponse] = Kind(name="completion", compile=compile_chat)
STREAM: Kind[StreamChunk] = Kind(name="stream", compile=compile_chat)
MODEL: Kind[ModelInfo] = Kind(name="model", compile=_compile_model, uses_breaker=False)
TOKEN_COUNT: Kind[int | None] = Kind(name="token_count", compile=_compile_count, uses_breaker=False)

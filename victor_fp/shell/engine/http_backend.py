"""The backend of catalogue providers: calls are compiled by the codec, by their kind, and sent over the connection.

A new kind of result requires one function that compiles it and one public method of the providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Generic, TypeVar, cast

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols import Codec
from victor_fp.core.request_building.inputs import build_typed_request
from victor_fp.core.request_building.values import describe_failure
from victor_fp.core.requests import ChatRequest, Endpoint, find_missing_setting
from victor_fp.core.responses.bodies import read_completion
from victor_fp.core.responses.completions import ResponseContext, with_context
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.shell.engine.attempt import BodyAttempt, StreamAttempt
from victor_fp.shell.engine.backend import (
    BackendAttempt,
    BoundRequest,
    Kind,
    KnownResult,
    PreparedExchange,
    Split,
    TimeLimits,
)
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.connection import Connection
from victor_fp.shell.engine.lines_attempt import LinesAttempt
from victor_fp.shell.transport.protocol import prepare_model

T = TypeVar("T")


class HttpBackend:
    """A catalogue provider as a backend."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = connection.endpoint.spec.name
        self._scope: str | None = None

    @property
    def address(self) -> str | None:
        """The base URL."""
        return self.connection.endpoint.base_url

    async def compute_scope(self) -> Result[str, Fault]:
        """Look up the key and return a digest of base URL and key."""
        if self._scope is None:
            match outcome(await self.connection.prepare()):
                case Failure(fault):
                    return Failure(fault)
                case Success():
                    self._scope = digest_scope(self.name, self.address, self.connection.secret)
        return Success(self._scope or "")

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T] | Split[T], Fault]:
        """Compile the request with the codec."""
        connection = self.connection
        codec = connection.codec
        if codec is None:
            match outcome(await connection.prepare()):
                case Failure(fault):
                    return Failure(fault)
                case Success(codec):
                    pass
        try:
            compiled = kind.compile(
                codec if codec.route is None else codec.for_model(model), connection.endpoint, spec, model, options
            )
        except Exception as error:  # values that cannot be encoded, in options that are passed through
            return Failure(describe_failure(error, provider=self.name, model=model))
        match outcome(compiled):
            case Success(exchange):
                if not isinstance(exchange, PreparedExchange):
                    return Success(exchange)
            case Failure(fault):
                return Failure(fault)
        if connection.needs_preparation and (unready := await prepare_model(connection.transport, model)) is not None:
            return Failure(with_context(exchange.context, unready))
        return Success(HttpBoundRequest(connection, exchange))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.connection.transport.aclose()


class HttpBoundRequest(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A compiled request with its connection."""

    _connection: Connection
    _exchange: PreparedExchange[T]

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """Start an attempt."""
        exchange = self._exchange
        if exchange.read is not None:
            return BodyAttempt(self._connection, exchange, limits)
        if exchange.read_lines is not None:
            return LinesAttempt(self._connection, exchange, limits)
        # Only the stream kind has none of them, and its items are chunks.
        stream = StreamAttempt(self._connection, cast("PreparedExchange[StreamChunk]", exchange), limits)
        return cast("BackendAttempt[T]", stream)


def digest_scope(name: str, address: str | None, secret: SecretStr | None) -> str:
    """Return a digest of base URL and key; a key has too much entropy to be recovered from it."""
    digest = sha256(f"{address}\0{'' if secret is None else secret.get_secret_value()}".encode()).hexdigest()
    return f"{name}:{digest[:16]}"


class _CompletionReader(msgspec.Struct, frozen=True, gc=False):
    """`read_completion` of one exchange. A partial would be two objects for the garbage collector in every call."""

    _context: ResponseContext
    _codec: Codec

    def __call__(self, body: bytes) -> Result[CompletionResponse, Fault]:
        return read_completion(self._context, self._codec, body)


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
            context = ResponseContext(
                endpoint=endpoint,
                model=model,
                url=built.url,
                adjustments=built.adjustments,
                tool_names=built.tool_names,
                required_call=built.required_call,
            )
            read = None if spec.stream else _CompletionReader(context, codec)
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
        provider=endpoint.spec.name,
        model=model,
        message=f"{endpoint.spec.title} does not report the capabilities of {model!r}",
    )
    if discovery is None or discovery.model_request is None or discovery.read_model is None:
        return Failure(unknown)
    request, read_model = discovery.model_request(model), discovery.read_model

    def read(body: bytes) -> Result[ModelInfo, Fault]:
        found = read_model(model, body)
        return Failure(unknown) if found is None else Success(found)

    context = ResponseContext(endpoint=endpoint, model=model, url=request.url)
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
            context = ResponseContext(endpoint=endpoint, model=model, url=request.url)
            read = counting.read
            return Success(
                PreparedExchange(request=request, codec=codec, context=context, read=lambda body: Success(read(body)))
            )


COMPLETION: Kind[CompletionResponse] = Kind(name="completion", compile=compile_chat)
STREAM: Kind[StreamChunk] = Kind(name="stream", compile=compile_chat)
MODEL: Kind[ModelInfo] = Kind(name="model", compile=_compile_model, operation="get_model", uses_breaker=False)
TOKEN_COUNT: Kind[int | None] = Kind(
    name="token_count", compile=_compile_count, operation="count_tokens", uses_breaker=False
)

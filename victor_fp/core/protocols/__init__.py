"""Protocols: pure functions that convert between requests or deltas and the generated models of each wire format.

A protocol is a package with a `ProtocolRecord` named PROTOCOL, and a `Registration` in `PROTOCOLS`. `codec_for` binds its
functions to an endpoint; callers are independent of the protocol. Its wire models are imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.deltas import Delta, DeltaFilter
from victor_fp.core.dialects import Dialect
from victor_fp.core.faults import Fault, InvalidRequest, OperationUnsupported
from victor_fp.core.framing import Frame, Framer
from victor_fp.core.json import BYTE_ORDER_MARK
from victor_fp.core.options import NO_OPTIONS
from victor_fp.core.request_building.stored_state import STATE_OPTIONS, build_stateless
from victor_fp.core.request_building.values import find_not_finite, find_unwritable
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, find_missing_setting
from victor_fp.core.result import outcome
from victor_fp.core.streaming import think_tags

if TYPE_CHECKING:
    from victor_fp.core.long_running.background import Background
    from victor_fp.core.long_running.polling import StartPolling
    from victor_fp.core.request_building.adaptation import AdaptedRequest

Headers: TypeAlias = Mapping[str, str]
"""Header names are lowercase."""
D = TypeVar("D", bound=Dialect)


class Registration(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a protocol is, and what must be known of it before its package is imported."""

    package: str
    """The wire models and the test writer have the same name."""
    route: str
    """Pattern of the path suffixes of its operations. A custom base URL of a provider with another protocol may not end in
    one."""


PROTOCOLS: Mapping[str, Registration] = {
    "openai-chat": Registration(package="openai_chat", route=r"/chat/completions"),
    "openai-responses": Registration(package="openai_responses", route=r"/responses"),
    "anthropic-messages": Registration(package="anthropic_messages", route=r"/messages(/count_tokens)?"),
    "gemini": Registration(
        package="gemini",
        route=r"/models/[^/]+:(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)",
    ),
    "gemini-interactions": Registration(package="gemini_interactions", route=r"/interactions"),
    "ollama-chat": Registration(package="ollama_chat", route=r"/api/(chat|generate|embed|tags|show)"),
    "cohere-v2": Registration(package="cohere_v2", route=r"/v2/(chat|embed|rerank)"),
    "mistral": Registration(package="mistral", route=r"/chat/completions"),
    "bedrock-converse": Registration(
        package="bedrock_converse", route=r"/model/[^/]+/(converse|converse-stream|invoke|invoke-with-response-stream)"
    ),
    "replicate": Registration(package="replicate", route=r"/predictions"),
}
"""Registrations by name of the protocol, which is that of its document: the only list of protocols."""


class EventReader(Protocol):
    """Immutable reader that turns the frames of one stream into deltas, a batch at a time."""

    def read(self, frames: Sequence[Frame]) -> tuple[EventReader, list[Delta]]:
        """Return the reader for the next frames and the deltas of these.

        Never raises; an undecodable frame is `ErrorReported`.
        """
        ...

    def finish(self) -> list[Delta]:
        """Return the remaining deltas at the end of the stream, such as buffered calls."""
        ...


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and response readers for model discovery. Readers return None or nothing for an undecodable body."""

    list_request: Callable[[], HttpRequest]
    read_list: Callable[[bytes], tuple[ModelInfo, ...]]
    model_request: Callable[[str], HttpRequest] | None = None
    """Request for one model; if None, the list is searched."""
    read_model: Callable[[str, bytes], ModelInfo | None] | None = None
    next_page: Callable[[bytes], HttpRequest | None] | None = None
    """Request for the next page; returns None after the last page."""
    list_has_limits: bool = False
    """Whether the list may have a context window that is missing from the response for one model (llama.cpp's router)."""


class TokenCounting(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's token counting endpoint."""

    request: Callable[[ChatRequest], Result[HttpRequest, Fault]]
    read: Callable[[bytes], int | None]


class Codec(msgspec.Struct, frozen=True, kw_only=True):
    """The functions of one protocol, bound to one endpoint."""

    protocol: str
    request: Callable[[ChatRequest], Result[HttpRequest, Fault]]
    response: Callable[[bytes], Sequence[Delta]]
    """Decodes a 200 body to deltas. An error in the body, or an undecodable body, is `ErrorReported`."""
    framer: Callable[[], Framer]
    events: Callable[[], EventReader]
    error: Callable[[int, Headers, bytes], Fault]
    """Decodes the body of a response with status >= 400."""
    array_framer: Callable[[], Framer] | None = None
    """Framer for a stream that is a single JSON array."""
    json_frames: bool = False
    """Whether frames are bare JSON, as in NDJSON, so that a first byte `{` or `[` does not indicate a non-streaming body."""
    filters: tuple[DeltaFilter, ...] = ()
    """Filters applied to the deltas of a response, in order: thinking tags, then tool calls in text."""
    discovery: Discovery | None = None
    counting: TokenCounting | None = None
    start_polling: StartPolling | None = None
    """For responses that take more than one exchange (`HttpRequest.is_polled`)."""
    background: Background | None = None
    """For background responses, which are retrieved by a handle."""
    route: Callable[[str], Codec | None] | None = None
    """For vendors that serve some models by another protocol: returns the codec of such a model."""

    def for_model(self, model: str | None) -> Codec:
        """Return the codec that serves the model: this one, unless the vendor serves it by another protocol."""
        other = None if self.route is None or model is None else self.route(model)
        return self if other is None else other


class ProtocolRecord(msgspec.Struct, Generic[D], frozen=True, kw_only=True):
    """Description of a protocol, defined by its package as PROTOCOL."""

    title: str
    """Name as spelled by the vendor."""
    dialect: type[D]
    """Dialect type; its `protocol` is the protocol's name."""
    bind: Callable[[Endpoint, D], Codec]
    """Builds the codec of an endpoint and its dialect."""
    state_options: frozenset[str] = frozenset()
    """Those of `store`, `previous_response_id` and `background` that its builder accepts; the others are rejected by name."""

    def codec_for(self, endpoint: Endpoint) -> Codec:
        """Return the codec of an endpoint whose dialect is this protocol's."""
        dialect = endpoint.spec.dialect
        if not isinstance(dialect, self.dialect):
            raise TypeError(
                f"dialect of {endpoint.spec.name} has protocol {dialect.protocol!r} but is not a {self.dialect.__name__}"
            )
        return self.bind(endpoint, dialect)


def load_protocol(name: str) -> ProtocolRecord[Any]:
    """Return the record of a protocol, importing its package on first use."""
    record: ProtocolRecord[Any] = import_module(f"{__name__}.{PROTOCOLS[name].package}").PROTOCOL
    return record


def codec_for(endpoint: Endpoint) -> Codec:
    """Return the codec of the endpoint's protocol."""
    record = load_protocol(endpoint.spec.dialect.protocol)
    bound = record.codec_for(endpoint)
    if not endpoint.spec.supports.chat:
        return msgspec.structs.replace(bound, request=partial(_refuse_chat, endpoint))
    build = bound.request
    if record.state_options != STATE_OPTIONS:
        build = partial(build_stateless, build, endpoint, record.state_options)
    return msgspec.structs.replace(
        bound,
        request=partial(_build_request, bound.request, build, endpoint),
        error=partial(_read_error, bound.error),
        filters=(think_tags.START,) if endpoint.spec.dialect.think_tags else (),
        route=partial(_route_model, endpoint) if endpoint.spec.model_routes else None,
    )


def _build_request(
    build_plain: Callable[[ChatRequest], Result[HttpRequest, Fault]],
    build: Callable[[ChatRequest], Result[HttpRequest, Fault]],
    endpoint: Endpoint,
    request: ChatRequest,
) -> Result[HttpRequest, Fault]:
    """Build the request. Without options, tools, calls and states of earlier turns, there is nothing to adapt.

    A value that JSON cannot represent, such as a lone surrogate, is InvalidRequest, as is a URL with a missing setting.
    """
    if "{" in endpoint.base_url and (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    is_plain = (
        request.options is NO_OPTIONS
        and not request.tools
        and not any(message.role == "tool" or message.tool_calls or message.metadata for message in request.messages)
    )
    try:
        if is_plain:
            built = build_plain(request)
        elif request.options.response_format is None:
            built = _build_adapted(build, endpoint, request)
        else:
            from victor_fp.core.request_building.schema_prompt import prompt_dropped_schema

            built = prompt_dropped_schema(partial(_build_adapted, build, endpoint), request)
    except RecursionError:
        wrong = InvalidRequest(model=request.model, message="a message, a tool or an option is nested too deeply")
    except Exception as error:  # options, and messages constructed without validation, can hold any object
        wrong = find_unwritable(request, error)
    else:
        match outcome(built):
            case Failure():
                return built
            case Success(http):
                # The encoder writes null for a non-finite number.
                not_finite = find_not_finite(request) if b"null" in http.body else None
                if not_finite is None:
                    return built
                wrong = not_finite
    return Failure(msgspec.structs.replace(wrong, provider=endpoint.spec.name))


def _read_error(read: Callable[[int, Headers, bytes], Fault], status: int, headers: Headers, body: bytes) -> Fault:
    """Read the error; a body that is nested too deeply is treated as empty."""
    try:
        return read(status, headers, body.removeprefix(BYTE_ORDER_MARK))
    except RecursionError:
        return read(status, headers, b"")


def _refuse_chat(endpoint: Endpoint, request: ChatRequest) -> Result[HttpRequest, Fault]:
    spec = endpoint.spec
    has = " and ".join(
        name for name, it in (("embeddings", spec.embeddings), ("reranking", spec.reranking)) if it is not None
    )
    message = f"{spec.title} does not support chat, only {has}"
    return Failure(OperationUnsupported(provider=spec.name, model=request.model, operation="chat", message=message))


def _build_adapted(
    build: Callable[[ChatRequest], Result[HttpRequest, Fault]], endpoint: Endpoint, request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build the request with tool names and schemas adapted to what the vendor accepts."""
    from victor_fp.core.request_building.adaptation import adapt_request  # imports the conversion of schemas

    match outcome(adapt_request(endpoint, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(adapted) if not adapted.adjustments and request.required_call is None:
            return build(adapted.request)
        case Success(adapted):
            return build(adapted.request).map(partial(_with_adapted, adapted, request.required_call))


def _with_adapted(adapted: AdaptedRequest, required_call: str | None, http: HttpRequest) -> HttpRequest:
    """Return the request with the adjustments made before it was built; an adjusted tool choice requires no call."""
    is_adjusted = any(adjustment.parameter == "tool_choice" for adjustment in http.adjustments)
    return msgspec.structs.replace(
        http,
        adjustments=(*adapted.adjustments, *http.adjustments),
        tool_names=adapted.tool_names,
        required_call=None if is_adjusted else required_call,
    )


def _route_model(endpoint: Endpoint, model: str) -> Codec | None:
    route = endpoint.spec.route_for(model)
    if route is None:
        return None
    base_url = endpoint.base_url.removesuffix(route.without)
    return codec_for(msgspec.structs.replace(endpoint, spec=endpoint.spec.for_model(model), base_url=base_url))

"""Protocols: what each wire format means, as pure functions over generated models.

`codec_for` binds a protocol's functions to one place. It is the only door: nothing outside knows which protocol is spoken,
and a protocol's wire models are loaded when it is first spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, assert_never

import msgspec
from returns.result import Failure, Result

from victor_fp.core.background import Background
from victor_fp.core.deltas import Delta
from victor_fp.core.dialects import (
    AnthropicDialect,
    BedrockDialect,
    ChatDialect,
    CohereDialect,
    GeminiDialect,
    InteractionsDialect,
    MistralDialect,
    OllamaDialect,
    ReplicateDialect,
    ResponsesDialect,
)
from victor_fp.core.faults import Fault, InvalidRequest, OperationUnsupported
from victor_fp.core.framing import Frame, Framer
from victor_fp.core.polling import StartPolling
from victor_fp.core.request_building.schema_prompt import prompt_dropped_schema
from victor_fp.core.request_building.stored_state import STATEFUL_PROTOCOLS, build_stateless
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest
from victor_fp.core.types import Message

if TYPE_CHECKING:
    from victor_fp.core.text_tools.text_calls import TextCalls

Headers: TypeAlias = Mapping[str, str]
"""Names in lower case."""


class EventReader(Protocol):
    """Reads the frames of one stream, a batch at a time; an immutable value."""

    def read(self, frames: Sequence[Frame]) -> tuple[EventReader, list[Delta]]:
        """The reader for what follows, and what these frames mean. Never raises; an undecodable frame is `ErrorReported`."""
        ...

    def finish(self) -> list[Delta]:
        """What is still to be said when the stream is over, such as calls that were held back."""
        ...


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor tells of one model. None is what it does not tell."""

    id: str
    context_window: int | None = None
    max_output: int | None = None
    supports_tools: bool | None = None
    supports_streaming: bool | None = None
    supports_images: bool | None = None
    supports_reasoning: bool | None = None
    raw: dict[str, object] = {}


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask for models. Readers return nothing for a body they cannot read."""

    list_request: Callable[[], HttpRequest]
    read_list: Callable[[bytes], tuple[ModelInfo, ...]]
    model_request: Callable[[str], HttpRequest] | None = None
    """Asks for one model; where absent the list is searched."""
    read_model: Callable[[str, bytes], ModelInfo | None] | None = None
    next_page: Callable[[bytes], HttpRequest | None] | None = None
    """The request for the page after this one; None where it is the last."""
    list_has_limits: bool = False
    """Whether the list may have a context window that the answer for one model has not, as with llama.cpp's router."""


class TokenCounting(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's own token counting endpoint."""

    request: Callable[[ChatRequest], Result[HttpRequest, Fault]]
    read: Callable[[bytes], int | None]


class Codec(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol, bound to one place."""

    protocol: str
    request: Callable[[ChatRequest], Result[HttpRequest, Fault]]
    response: Callable[[bytes], Sequence[Delta]]
    """A 200 body as deltas; an error in it, or a body that is none, is `ErrorReported`."""
    framer: Callable[[], Framer]
    events: Callable[[], EventReader]
    error: Callable[[int, Headers, bytes], Fault]
    """A body with status >= 400."""
    array_framer: Callable[[], Framer] | None = None
    """For a stream that turns out to be one JSON array."""
    json_frames: bool = False
    """Frames begin with a brace or bracket themselves, as in NDJSON, so a first byte tells nothing."""
    think_tags: bool = False
    text_calls: TextCalls | None = None
    """How to look for calls in the text of the answer, where that is asked for; see `tool_calling.hearing`."""
    discovery: Discovery | None = None
    counting: TokenCounting | None = None
    start_polling: StartPolling | None = None
    """For answers that take more than one exchange, which their requests say."""
    background: Background | None = None
    """For answers that are made while nobody waits, and found again by a handle."""
    route: Callable[[str], Codec | None] | None = None
    """For a vendor that serves some models by another protocol: the codec of such a model."""

    def for_model(self, model: str | None) -> Codec:
        """Return the codec that serves the model, which is this one with nearly all vendors."""
        other = None if self.route is None or model is None else self.route(model)
        return self if other is None else other


def codec_for(endpoint: Endpoint) -> Codec:
    """The functions of the protocol that `endpoint` speaks, bound to it."""
    spoken = _bind_protocol(endpoint)
    if not endpoint.spec.supports.chat:
        return msgspec.structs.replace(spoken, request=partial(_refuse_chat, endpoint))
    build = spoken.request
    if endpoint.spec.dialect.protocol not in STATEFUL_PROTOCOLS:
        build = partial(build_stateless, build, endpoint)
    return msgspec.structs.replace(
        spoken,
        request=partial(_build_request, build, endpoint.spec.name),
        route=partial(_route_model, endpoint) if endpoint.spec.model_routes else None,
    )


def _build_request(
    build: Callable[[ChatRequest], Result[HttpRequest, Fault]], provider: str, request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build the request; text that no encoding can carry, such as half of a surrogate pair, is InvalidRequest."""
    try:
        return prompt_dropped_schema(build, request)
    except UnicodeEncodeError as error:
        place = next((n for n, message in enumerate(request.messages) if not _is_valid_unicode(message)), None)
        where = "a tool or an option" if place is None else f"messages[{place}]"
        message = f"{where} is not valid Unicode: half of a surrogate pair at position {error.start} of a text"
        return Failure(InvalidRequest(provider=provider, model=request.model, message=message))


def _refuse_chat(endpoint: Endpoint, request: ChatRequest) -> Result[HttpRequest, Fault]:
    spec = endpoint.spec
    has = " and ".join(
        name for name, it in (("embeddings", spec.embeddings), ("reranking", spec.reranking)) if it is not None
    )
    message = f"{spec.title} has no chats here, only {has}"
    return Failure(OperationUnsupported(provider=spec.name, model=request.model, operation="chat", message=message))


def _is_valid_unicode(message: Message) -> bool:
    try:
        msgspec.json.encode(message.to_dict())
    except UnicodeEncodeError:
        return False
    return True


def _route_model(endpoint: Endpoint, model: str) -> Codec | None:
    route = endpoint.spec.route_for(model)
    if route is None:
        return None
    base_url = endpoint.base_url.removesuffix(route.without)
    return codec_for(msgspec.structs.replace(endpoint, spec=endpoint.spec.for_model(model), base_url=base_url))


def _bind_protocol(endpoint: Endpoint) -> Codec:
    dialect = endpoint.spec.dialect
    match dialect:
        case ChatDialect():
            from victor_fp.core.protocols import openai_chat

            return openai_chat.codec_for(endpoint, dialect)
        case AnthropicDialect():
            from victor_fp.core.protocols import anthropic_messages

            return anthropic_messages.codec_for(endpoint, dialect)
        case GeminiDialect():
            from victor_fp.core.protocols import gemini

            return gemini.codec_for(endpoint, dialect)
        case InteractionsDialect():
            from victor_fp.core.protocols import gemini_interactions

            return gemini_interactions.codec_for(endpoint, dialect)
        case OllamaDialect():
            from victor_fp.core.protocols import ollama_chat

            return ollama_chat.codec_for(endpoint, dialect)
        case ResponsesDialect():
            from victor_fp.core.protocols import openai_responses

            return openai_responses.codec_for(endpoint, dialect)
        case CohereDialect():
            from victor_fp.core.protocols import cohere_v2

            return cohere_v2.codec_for(endpoint, dialect)
        case MistralDialect():
            from victor_fp.core.protocols import mistral

            return mistral.codec_for(endpoint, dialect)
        case BedrockDialect():
            from victor_fp.core.protocols import bedrock_converse

            return bedrock_converse.codec_for(endpoint, dialect)
        case ReplicateDialect():
            from victor_fp.core.protocols import replicate

            return replicate.codec_for(endpoint, dialect)
        case _:
            assert_never(dialect)

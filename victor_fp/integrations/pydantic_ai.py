"""A Pydantic AI model over a provider, managed provider or manager (the extra `pydantic-ai`).

from pydantic_ai import Agent
from victor_fp.integrations.pydantic_ai import VictorModel

agent = Agent(VictorModel("openai/gpt-5-mini"), output_type=City)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from victor_fp.core import faults
from victor_fp.core.faults import Fault
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, StreamChunk
from victor_fp.integrations.tool_call_pieces import ToolCallPieces
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.sync_chat import AsyncChat, SyncChat
from victor_fp.providers.sync_provider import SyncProvider

try:
    from pydantic_ai import exceptions
    from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, check_allow_model_requests
    from pydantic_ai.profiles import ModelProfile, ModelProfileSpec
    from pydantic_ai.settings import ModelSettings, ToolOrOutput
    from pydantic_ai.tools import RunContext, ToolDefinition
except ImportError as error:
    raise ImportError(
        "victor_fp.integrations.pydantic_ai requires the package pydantic-ai-slim: pip install 'victor_fp[pydantic-ai]'",
        name=error.name,
    ) from error

from victor_fp.integrations import pydantic_ai_messages as messages_

_SETTINGS = {
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop_sequences": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "parallel_tool_calls": "parallel_tool_calls",
    "logit_bias": "logit_bias",
    "service_tier": "service_tier",
    "extra_headers": "extra_headers",
    "extra_body": "extra_body",
}
"""Options of this package by the names of Pydantic AI's settings."""


class VictorModel(Model[None]):
    """A model that calls a provider of this package, with its retries, breaker, limits and fallbacks.

    Errors are raised as Pydantic AI's exceptions, so that its fallbacks and retries work; the cause is the
    `ProviderError`. State that the vendor requires on the next turn is kept in the responses' `provider_details`.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        provider: Any = None,
        options: Mapping[str, Any] | None = None,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **provider_options: Any,
    ) -> None:
        """Create the model. Raises ProviderError.

        `model` is a name such as `openai/gpt-5-mini`, for which a provider is created with the remaining keyword arguments;
        or only the model name if `provider` is given. `provider` is a provider, managed provider or manager, asynchronous
        or synchronous; the caller closes it. `options` are sent with every request.
        """
        if provider is None:
            if model is None:
                raise TypeError("VictorModel requires a model name or provider=")
            from victor_fp.providers.registry import ProviderRegistry

            provider = ProviderRegistry.create(model, **provider_options)
            model = provider.default_model
        elif provider_options:
            raise TypeError(f"unexpected keywords next to provider=: {', '.join(provider_options)}")
        self._source = provider
        self._chat = _to_async_chat(provider)
        self._options = dict(options or {})
        own = getattr(provider, "model", None) or getattr(provider, "default_model", None)
        self._model_name = model or (own if isinstance(own, str) else "")
        super().__init__(settings=settings, profile=profile or _build_profile(provider))

    @property
    def model_name(self) -> str:
        """The name of the model."""
        return self._model_name

    @property
    def system(self) -> str:
        """The name of the provider."""
        return str(getattr(self._source, "provider_name", None) or getattr(self._source, "name", ""))

    @property
    def base_url(self) -> str | None:
        """The base URL of the provider."""
        found = getattr(self._source, "base_url", None)
        return found if isinstance(found, str) else None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Make a request. Raises pydantic_ai's ModelAPIError."""
        check_allow_model_requests()
        model_settings, model_request_parameters = self.prepare_request(model_settings, model_request_parameters)
        read = _read_conversation(messages, model_request_parameters)
        arguments = self._build_arguments(model_settings or {}, model_request_parameters)
        try:
            response = await self._chat.chat(read, **arguments)
        except ProviderError as error:
            raise _error_from(error, self.model_name) from error
        return messages_.to_response(response, provider=self.system, address=self.base_url)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002  nothing here depends on the run
    ) -> AsyncGenerator[StreamedResponse, None]:
        """Make a streaming request. Raises pydantic_ai's ModelAPIError."""
        check_allow_model_requests()
        model_settings, model_request_parameters = self.prepare_request(model_settings, model_request_parameters)
        read = _read_conversation(messages, model_request_parameters)
        stream = self._chat.stream(read, **self._build_arguments(model_settings or {}, model_request_parameters))
        try:
            try:
                first = await anext(aiter(stream))
            except ProviderError as error:
                raise _error_from(error, self.model_name) from error
            yield VictorStreamedResponse(
                model_request_parameters=model_request_parameters,
                _model_name=self.model_name,
                _system=self.system,
                _address=self.base_url,
                _first=first,
                _stream=stream,
            )
        finally:
            await _close(stream)

    def _build_arguments(self, settings: ModelSettings, parameters: ModelRequestParameters) -> dict[str, Any]:
        """Build the keyword arguments of `chat` and `stream`."""
        given: Mapping[str, Any] = settings
        arguments: dict[str, Any] = dict(self._options)
        arguments |= {ours: given[theirs] for theirs, ours in _SETTINGS.items() if given.get(theirs) is not None}
        arguments["model"] = self.model_name or None
        arguments["temperature"] = given.get("temperature", DEFAULT_TEMPERATURE)
        arguments["max_tokens"] = given.get("max_tokens", DEFAULT_MAX_TOKENS)
        if isinstance(timeout := given.get("timeout"), int | float):
            arguments["timeout"] = timeout
        match parameters.thinking:
            case None:
                pass
            case bool() as is_on:
                arguments["reasoning_effort"] = "medium" if is_on else "none"
            case effort:
                arguments["reasoning_effort"] = effort
        if parameters.output_mode == "native" and parameters.output_object is not None:
            arguments["response_format"] = _read_form(parameters)
        tools, choice = _choose_tools(given, parameters)
        if tools:
            arguments["tools"] = [_read_tool(one) for one in tools]
            if choice != "auto":
                arguments["tool_choice"] = choice
        return arguments


@dataclass
class VictorStreamedResponse(StreamedResponse):
    """A streaming response."""

    _model_name: str
    _system: str
    _address: str | None
    _first: StreamChunk
    _stream: AsyncIterator[StreamChunk]
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        calls = ToolCallPieces()
        try:
            for event in self._read(self._first, calls):
                yield event
            async for chunk in self._stream:
                for event in self._read(chunk, calls):
                    yield event
        except ProviderError as error:
            raise _error_from(error, self._model_name, in_stream=True) from error

    def _read(self, chunk: StreamChunk, calls: ToolCallPieces) -> list[ModelResponseStreamEvent]:
        manager = self._parts_manager
        events: list[ModelResponseStreamEvent] = []
        metadata = chunk.metadata or {}
        if not chunk.is_final and (reasoning := metadata.get("reasoning_content")):
            events += manager.handle_thinking_delta(vendor_part_id="thinking", content=str(reasoning))
        text = chunk.content or ("" if chunk.is_final else str(metadata.get("refusal") or ""))
        if text:
            events += manager.handle_text_delta(vendor_part_id="text", content=text)
        for piece in calls.read(chunk):
            events += manager.handle_tool_call_delta_events(
                vendor_part_id=f"call-{piece.index}",
                tool_name=piece.name,
                args=piece.arguments or None,
                tool_call_id=piece.id,
            )
        if chunk.is_final:
            self._usage = messages_.to_usage(chunk.usage)
            self._model_name = chunk.model or self._model_name
            self.finish_reason = messages_.to_finish_reason(chunk.stop_reason)
            self.provider_response_id = messages_.to_response_id(metadata)
            self.provider_details = messages_.to_details(chunk.stop_reason, metadata)
        return events

    async def close_stream(self) -> None:
        """Stop the response and close its connection."""
        await _close(self._stream)

    @property
    def model_name(self) -> str:
        """The name of the responding model."""
        return self._model_name

    @property
    def provider_name(self) -> str:
        """The name of the provider."""
        return self._system

    @property
    def provider_url(self) -> str | None:
        """The base URL of the provider."""
        return self._address

    @property
    def timestamp(self) -> datetime:
        """The time at which the response began."""
        return self._timestamp


def _to_async_chat(provider: Any) -> AsyncChat:
    """Return the asynchronous methods of a provider or of its synchronous wrapper."""
    if isinstance(provider, SyncChat):
        return provider.asynchronous
    if isinstance(provider, BaseProvider):
        return SyncProvider(provider).asynchronous
    chat: AsyncChat = provider
    return chat


async def _close(stream: AsyncIterator[StreamChunk]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _build_profile(provider: Any) -> ModelProfile:
    """Build the profile from the features in the catalogue; unknown features count as supported."""
    supports = getattr(getattr(provider, "SPEC", None), "supports", None)
    profile = ModelProfile(supports_tools=True, supports_thinking=True)
    if supports is not None:
        profile |= ModelProfile(
            supports_tools=supports.tools,
            supports_json_schema_output=supports.json_schema is not False,
            supports_thinking=supports.reasoning is not False,
            supports_image_input=supports.images is not False,
            supports_document_input=supports.files is not False,
            supports_audio_file_input=supports.audio is not False,
        )
    return profile


def _read_conversation(messages: list[ModelMessage], parameters: ModelRequestParameters) -> list[dict[str, Any]]:
    instructions = [part.content for part in parameters.instruction_parts or ()]
    if not instructions:
        texts = [message.instructions for message in messages if message.kind == "request" and message.instructions]
        instructions = texts[-1:]
    if prompted := parameters.prompted_output_instructions:
        instructions = [*instructions, prompted]
    return messages_.read_messages(messages, instructions)


def _read_form(parameters: ModelRequestParameters) -> dict[str, Any]:
    form = parameters.output_object
    if form is None:
        return {}
    described = {} if form.description is None else {"description": form.description}
    strict = {} if form.strict is None else {"strict": form.strict}
    return {
        "type": "json_schema",
        "json_schema": {"name": form.name or "answer", "schema": {**form.json_schema, **described}, **strict},
    }


def _choose_tools(settings: Mapping[str, Any], parameters: ModelRequestParameters) -> tuple[list[ToolDefinition], Any]:
    """Return the tools to offer, and the tool choice."""
    output = {tool.name for tool in parameters.output_tools}
    offered = list(parameters.declared_tool_defs.values())
    usual = "auto" if parameters.allow_text_output else "required"
    match settings.get("tool_choice"):
        case None | "auto":
            return offered, usual
        case "required":
            return offered, "required"
        case "none" | []:
            return [tool for tool in offered if tool.name in output], usual
        case ToolOrOutput(function_tools=names):
            return [tool for tool in offered if tool.name in output or tool.name in names], usual
        case [*names]:
            chosen = [tool for tool in offered if tool.name in names]
            return chosen, {"name": chosen[0].name} if len(chosen) == 1 else "required"
        case other:
            raise exceptions.UserError(f"tool_choice {other!r} is not supported")


def _read_tool(tool: ToolDefinition) -> dict[str, Any]:
    read = {"name": tool.name, "description": tool.description or "", "parameters": tool.parameters_json_schema}
    return read if tool.strict is None else {**read, "strict": tool.strict}


def _error_from(error: ProviderError, model: str, *, in_stream: bool = False) -> exceptions.ModelAPIError:
    """Convert a ProviderError to an exception of Pydantic AI."""
    fault = error.fault
    category = _choose_category(fault)
    details: dict[str, Any] = {
        "retry_after": fault.retry_after,
        "in_stream": in_stream,
        "provider_error_code": fault.code,
    }
    if fault.status is not None and fault.status >= 400:
        is_http = category is None or not issubclass(category, exceptions.ModelConnectionError)
        return exceptions.ModelHTTPError.for_category(
            category if is_http else None,  # type: ignore[arg-type]  # connection errors are excluded above
            status_code=fault.status,
            model_name=model,
            body={"message": fault.message},
            **details,
        )
    return (category or exceptions.ModelAPIError)(model, faults.describe(fault), **details)


def _choose_category(fault: Fault) -> type[exceptions.ModelAPIError] | None:
    match fault:
        case faults.RateLimited() | faults.QueueFull():
            return exceptions.ModelRateLimitError
        case faults.QuotaExhausted() | faults.BudgetExceeded():
            return exceptions.ModelQuotaExceededError
        case faults.Overloaded():
            return exceptions.ModelOverloadedError
        case faults.CircuitOpen() | faults.AllFallbacksFailed():
            return exceptions.ModelUnavailableError
        case faults.ServerFailed() | faults.InvalidResponse():
            return exceptions.ModelServerError
        case faults.TimedOut() | faults.DeadlineExceeded():
            return exceptions.ModelTimeoutError
        case faults.ConnectionFailed() | faults.StreamTruncated() | faults.StreamInterrupted():
            return exceptions.ModelConnectionError
        case faults.ContextLengthExceeded():
            return exceptions.ModelContextWindowExceededError
        case faults.AuthRejected() | faults.PermissionRefused() | faults.CredentialMissing():
            return exceptions.ModelAuthenticationError
        case faults.ModelNotFound():
            return exceptions.ModelNotFoundError
        case (
            faults.InvalidRequest()
            | faults.UnsupportedParameter()
            | faults.OperationUnsupported()
            | faults.ContentRefused()
            | faults.ProviderNotFound()
        ):
            return exceptions.ModelRequestRejectedError
        case faults.Cancelled() | faults.LedgerFailed():
            return None
        case _:
            assert_never(fault)

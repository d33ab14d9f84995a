"""Building of chat requests from the caller's arguments, with validation of options and conversation."""

from __future__ import annotations

from collections.abc import Mapping

from returns.result import Failure, Result, Success

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.model_names import describe_missing_model
from victor_fp.core.options import NO_OPTIONS, read_options
from victor_fp.core.request_building.inputs import (
    Messages,
    ToolsInput,
    find_argument_problem,
    find_conversation_problem,
    read_messages,
    read_tools,
)
from victor_fp.core.requests import ChatRequest, find_header_problem
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition


def build_chat_request(
    provider: str,
    messages: Messages,
    *,
    model: str,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: ToolsInput | None = None,
    stream: bool = False,
    options: Mapping[str, object],
) -> Result[ChatRequest, Fault]:
    """Return a validated request, or a fault that describes the problem."""
    problem = find_argument_problem(model, temperature, max_tokens)
    if problem is not None:
        return Failure(InvalidRequest(provider=provider, message=problem))
    parsed = read_messages(messages)
    definitions = read_tools(tools or ())
    if isinstance(parsed, str) or isinstance(definitions, str):
        reason = parsed if isinstance(parsed, str) else str(definitions)
        return Failure(InvalidRequest(provider=provider, model=model, message=reason))
    return build_typed_request(
        provider, parsed, model=model, temperature=temperature, max_tokens=max_tokens, tools=definitions, stream=stream,
        options=options,
    )  # fmt: skip


def build_typed_request(
    provider: str,
    messages: tuple[Message, ...],
    *,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    tools: tuple[ToolDefinition, ...],
    stream: bool,
    options: Mapping[str, object],
) -> Result[ChatRequest, Fault]:
    """Return a request of arguments whose types were checked; the conversation and the options are validated here."""
    continues = options.get("previous_response_id") is not None
    wrong = find_conversation_problem(messages, continues=continues)
    if wrong is not None:
        return Failure(InvalidRequest(provider=provider, model=model, message=wrong))
    if not model:
        return Failure(InvalidRequest(provider=provider, message=describe_missing_model(provider)))
    match outcome(read_options(options, provider=provider) if options else Success(NO_OPTIONS)):
        case Success(read):
            problem = find_header_problem(read.extra_headers) if read.extra_headers else None
            if problem is not None:
                return Failure(InvalidRequest(provider=provider, model=model, message=f"extra_headers: {problem}"))
            request = ChatRequest(
                messages=messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                stream=stream,
                options=read,
                required_call=_read_required(read.tool_choice) if tools else None,
            )
            if read is NO_OPTIONS:
                return Success(request)
            from victor_fp.core.text_tools.hook import prepare_request

            return prepare_request(provider, request)
        case Failure(fault):
            return Failure(fault)


def _read_required(choice: str | dict[str, str] | None) -> str | None:
    if isinstance(choice, dict):
        return choice["name"]
    return "" if choice == "required" else None

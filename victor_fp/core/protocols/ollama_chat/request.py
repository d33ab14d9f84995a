"""Request bodies of POST /api/chat; sampling options go under `options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success
from victor_fp_wire.ollama_chat import request as wire
from victor_fp_wire.ollama_chat.operations import Chat

from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json
from victor_fp.core.protocols.ollama_chat.messages import build_messages, note_changes
from victor_fp.core.protocols.operations import build_chat, replace_none
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition


def write(endpoint: Endpoint, dialect: OllamaDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a chat or a stream, or return the fault for what Ollama does not accept."""
    match outcome(build_messages(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success((messages, in_messages)):
            return _finish_request(
                endpoint, dialect, request, messages, [*in_messages, *_list_unsupported(dialect, request)]
            )


def _finish_request(
    endpoint: Endpoint,
    dialect: OllamaDialect,
    request: ChatRequest,
    messages: list[wire.ChatMessage],
    unsupported: list[Adjustment],
) -> Result[HttpRequest, Fault]:
    unknown = _place_unknown(dialect, request.options.unknown)
    body = _build_body(dialect, request, messages)
    notes = tuple(note_changes(request.messages))
    return resolve_unsupported(endpoint, request, unsupported).map(
        lambda made: build_chat(endpoint, Chat(), body, request.options, (*made, *notes), unknown=unknown)
    )


class RuntimeOptions(TypedDict):
    """Unknown options of the runtime, at their position in the body."""

    options: Mapping[str, Json]


def _place_unknown(dialect: OllamaDialect, unknown: Mapping[str, Json]) -> Mapping[str, object]:
    """Return the unknown options with those of the runtime under `options`."""
    runtime = {name: value for name, value in unknown.items() if name in dialect.runtime_options}
    top_level = {name: value for name, value in unknown.items() if name not in runtime}
    runtime_options = top_level.get("options")
    if not runtime:
        return top_level
    given = runtime_options if isinstance(runtime_options, Mapping) else {}
    return {**top_level, **RuntimeOptions(options={**given, **runtime})}


def _build_body(dialect: OllamaDialect, request: ChatRequest, messages: list[wire.ChatMessage]) -> wire.ChatRequest:
    requested = request.options
    return wire.ChatRequest(
        model=request.model,
        messages=messages,
        tools=_build_tools(request),
        format=_format(request),
        options=_build_runtime_options(request),
        stream=request.stream,
        think=_choose_thinking(dialect, requested.reasoning_effort),
        logprobs=True if _has_logprobs(request) else UNSET,
        top_logprobs=_count_alternatives(request),
    )


def _build_runtime_options(request: ChatRequest) -> wire.ModelOptions | UnsetType:
    requested = request.options
    options = wire.ModelOptions(
        temperature=replace_none(request.temperature),
        num_predict=replace_none(request.max_tokens),
        top_p=replace_none(requested.top_p),
        top_k=replace_none(requested.top_k),
        seed=replace_none(requested.seed),
        stop=UNSET if requested.stop is None else list(requested.stop),
        presence_penalty=replace_none(requested.presence_penalty),
        frequency_penalty=replace_none(requested.frequency_penalty),
    )
    return UNSET if options == wire.ModelOptions() else options


def _build_tools(request: ChatRequest) -> list[wire.ToolDefinition] | UnsetType:
    # Ollama has no tool_choice; without tools, no call is possible.
    if not request.tools or request.options.tool_choice == "none":
        return UNSET
    return [_build_tool(tool) for tool in request.tools]


def _build_tool(tool: ToolDefinition) -> wire.ToolDefinition:
    return wire.ToolDefinition(
        function=wire.FunctionDefinition(
            name=tool.name, description=tool.description or UNSET, parameters=dict(tool.parameters)
        )
    )


def _format(request: ChatRequest) -> str | dict[str, Json] | UnsetType:
    requested = request.options.response_format
    if requested is None:
        return UNSET
    return "json" if requested.kind == "json" else requested.schema


def _choose_thinking(dialect: OllamaDialect, effort: str | None) -> bool | str | UnsetType:
    if effort is None:
        return UNSET
    return dialect.think_levels.get(dialect.nearest_levels.get(effort, effort), UNSET)


def _has_logprobs(request: ChatRequest) -> bool:
    # 0 requests the chosen tokens without alternatives, False requests none.
    return request.options.logprobs is not None and request.options.logprobs is not False


def _count_alternatives(request: ChatRequest) -> int | UnsetType:
    logprobs = request.options.logprobs
    return UNSET if logprobs is None or isinstance(logprobs, bool) else logprobs


def _list_unsupported(dialect: OllamaDialect, request: ChatRequest) -> list[Adjustment]:
    """List the requested options that /api/chat has no field for."""
    requested = request.options
    unsupported: list[Adjustment] = []
    if requested.tool_choice == "required" or isinstance(requested.tool_choice, Mapping):
        unsupported.append(Adjustment(parameter="tool_choice", reason="Ollama does not support forced tool calls"))
    if requested.tool_choice == "none" and requested.extra_body.get("tools"):
        unsupported.append(Adjustment(parameter="tool_choice", reason="Ollama cannot disable the tools of extra_body"))
    if requested.parallel_tool_calls is False:
        unsupported.append(
            Adjustment(parameter="parallel_tool_calls", reason="Ollama does not support limiting parallel calls")
        )
    if any(tool.strict for tool in request.tools):
        unsupported.append(Adjustment(parameter="tools.strict", reason="Ollama does not enforce tool schemas"))
    if requested.reasoning_budget is not None:
        unsupported.append(
            Adjustment(parameter="reasoning_budget", reason="Ollama accepts a level, not a number of tokens")
        )
    if (effort := requested.reasoning_effort) is not None and effort not in dialect.think_levels:
        nearest = dialect.nearest_levels.get(effort)
        reason = f"Ollama does not have the level {effort}" + (f"; sent as {nearest}" if nearest else "")
        unsupported.append(
            Adjustment(parameter="reasoning_effort", reason=reason, action="changed" if nearest else "dropped")
        )
    if requested.service_tier is not None:
        unsupported.append(Adjustment(parameter="service_tier", reason="Ollama has no service tiers"))
    if requested.user is not None:
        unsupported.append(Adjustment(parameter="user", reason="Ollama does not accept a user"))
    return unsupported

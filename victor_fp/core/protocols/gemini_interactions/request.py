"""Request bodies of POST /interactions, for chats and streams."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from returns.result import Failure, Result, Success
from victor_fp_wire.gemini_interactions.operations import CreateInteraction
from victor_fp_wire.gemini_interactions.request import (
    AllowedTools,
    FunctionTool,
    GenerationConfig,
    TextFormat,
    ToolChoiceConfig,
)
from victor_fp_wire.gemini_interactions.request import CreateInteraction as Body

from victor_fp.core.dialects.interactions import InteractionsDialect, InteractionsThinkingLevel, Tier
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.long_running.background import is_background_request
from victor_fp.core.options import Options, ResponseFormat
from victor_fp.core.protocols.gemini_interactions.steps_sent import build_steps, join_instructions
from victor_fp.core.protocols.operations import build_chat, replace_none
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition

_APPENDED = frozenset({"tools"})
"""Arrays of `extra_body` that extend the built ones: Google's server tools alongside the caller's functions."""


def build_interaction(
    endpoint: Endpoint, dialect: InteractionsDialect, request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build the request for a chat or a stream, or return the fault for what cannot be sent."""
    options = request.options
    previous_id = options.previous_response_id
    conversation = build_steps(endpoint.spec.name, request.messages, previous_id)
    if not conversation.steps:
        message = "the conversation has instructions but no user message"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    level, in_thinking = _choose_level(dialect, options)
    tier, in_tier = _choose_tier(dialect, options)
    choice, in_choice = _choose_tool(request)
    unsupported = [*conversation.unsupported, *in_thinking, *in_tier, *in_choice, *_list_unsupported(options)]
    match outcome(resolve_unsupported(endpoint, request, unsupported)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    config = GenerationConfig(
        temperature=replace_none(request.temperature),
        top_p=replace_none(options.top_p),
        seed=replace_none(options.seed),
        stop_sequences=UNSET if options.stop is None else list(options.stop),
        max_output_tokens=replace_none(request.max_tokens),
        thinking_level=level,
        thinking_summaries=UNSET if level is UNSET else "auto",
        tool_choice=choice,
    )
    body = Body(
        model=request.model.removeprefix("models/"),
        input=conversation.steps,
        system_instruction=join_instructions(request.messages) or UNSET,
        tools=[_build_tool(tool) for tool in request.tools] or UNSET,
        generation_config=UNSET if config == GenerationConfig() else config,
        response_format=_build_format(options.response_format),
        service_tier=tier,
        stream=True if request.stream else UNSET,
        store=_choose_store(dialect, options),
        previous_interaction_id=replace_none(previous_id),
        background=True if _is_background(options) else UNSET,
    )
    built = build_chat(
        endpoint, CreateInteraction(), body, options, (*adjustments, *conversation.notes), appended=_APPENDED
    )
    return Success(replace(built, is_polled=not request.stream and is_background_request(options)))


def _is_background(options: Options) -> bool:
    return bool(options.background) and options.store is not False


def _choose_store(dialect: InteractionsDialect, options: Options) -> bool | UnsetType:
    """Return `store`: true for background interactions, which must be stored; otherwise false unless requested."""
    if _is_background(options):
        return True
    if options.store is not None:
        return options.store
    return False if dialect.stateless else UNSET


def _build_tool(tool: ToolDefinition) -> FunctionTool:
    return FunctionTool(name=tool.name, description=tool.description or UNSET, parameters=tool.parameters)


def _choose_tool(
    request: ChatRequest,
) -> tuple[Literal["auto", "any", "none", "validated"] | ToolChoiceConfig | UnsetType, list[Adjustment]]:
    match request.options.tool_choice:
        case None:
            return UNSET, []
        case "auto" | "none" as choice:
            return choice, []
        case _ if not request.has_tools:
            return UNSET, [Adjustment(parameter="tool_choice", reason="there are no tools to choose from")]
        case "required":
            return "any", []
        case named:
            return ToolChoiceConfig(allowed_tools=AllowedTools(mode="any", tools=[named["name"]])), []


def _choose_level(
    dialect: InteractionsDialect, options: Options
) -> tuple[InteractionsThinkingLevel | UnsetType, list[Adjustment]]:
    """Return the thinking level. Thinking cannot be disabled for these models."""
    refused: list[Adjustment] = []
    if options.reasoning_budget is not None:
        reason = "thinking is set by a level, not by tokens"
        refused.append(Adjustment(parameter="reasoning_budget", reason=reason))
    effort = options.reasoning_effort
    if effort is None:
        return UNSET, refused
    if (level := dialect.levels.get(effort)) is not None:
        return level, refused
    lowest = next(iter(dialect.levels.values()))
    reason = f"thinking cannot be disabled for these models; sent as {lowest}, the lowest level"
    return lowest, [*refused, Adjustment(parameter="reasoning_effort", reason=reason, action="changed")]


def _choose_tier(dialect: InteractionsDialect, options: Options) -> tuple[Tier | UnsetType, list[Adjustment]]:
    if options.service_tier is None:
        return UNSET, []
    if options.service_tier not in dialect.service_tiers:
        reason = f"{options.service_tier!r} is not one of {', '.join(dialect.service_tiers)}"
        return UNSET, [Adjustment(parameter="service_tier", reason=reason)]
    return replace_none(dialect.service_tiers[options.service_tier]), []


def _build_format(form: ResponseFormat | None) -> TextFormat | UnsetType:
    if form is None:
        return UNSET
    schema = UNSET if form.kind == "json" else dict(form.schema)
    return TextFormat(mime_type="application/json", schema=schema)


def _list_unsupported(options: Options) -> list[Adjustment]:
    """List the requested options that the API has no field for."""
    requested = {
        "top_k": options.top_k is not None,
        "presence_penalty": options.presence_penalty is not None,
        "frequency_penalty": options.frequency_penalty is not None,
        "logprobs": options.logprobs is not None and options.logprobs is not False,
        "user": options.user is not None,
    }
    refused = [
        Adjustment(parameter=name, reason="the API has no field for it") for name, is_set in requested.items() if is_set
    ]
    if options.background and options.store is False:
        reason = "background responses are stored, which store=False does not allow"
        refused.append(Adjustment(parameter="background", reason=reason))
    if options.parallel_tool_calls is False:
        reason = "the API does not support limiting parallel calls"
        refused.append(Adjustment(parameter="parallel_tool_calls", reason=reason))
    return refused

"""Request bodies of generateContent. Streaming requests differ only in their URL."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType
from returns.result import Failure, Result
from victor_fp_wire.gemini.operations import GenerateContent, StreamGenerateContent
from victor_fp_wire.gemini.request import (
    FunctionCallingConfig,
    FunctionDeclaration,
    GenerateContentRequest,
    GenerationConfig,
    Schema,
    ThinkingConfig,
    Tool,
    ToolConfig,
)

from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.policies.gemini import GeminiPolicy
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json
from victor_fp.core.options import ResponseFormat
from victor_fp.core.protocols.gemini.contents import GeminiConversation, build_conversation
from victor_fp.core.protocols.gemini.json_schema import to_wire_schema
from victor_fp.core.protocols.gemini.thinking import build_thinking_config
from victor_fp.core.protocols.operations import build_chat, replace_none
from victor_fp.core.requests import (
    Adjustment,
    ChatRequest,
    Endpoint,
    HttpRequest,
    find_missing_setting,
    resolve_unsupported,
)
from victor_fp.core.types import ToolDefinition

_RESOLUTIONS: dict[str | None, Literal["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH"]] = {
    "low": "MEDIA_RESOLUTION_LOW",
    "high": "MEDIA_RESOLUTION_HIGH",
}
_TIERS: dict[str | None, Literal["standard", "flex", "priority"]] = {
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}
_APPENDED = frozenset({"tools"})
"""Arrays of `extra_body` that extend the built ones: Google's server tools alongside the caller's functions."""
_INVALID_SCHEMA_VALUE = "the schema has a keyword value of the wrong type"
_RESOURCES = ("models/", "tunedModels/", "endpoints/", "dynamic/")


def write(endpoint: Endpoint, dialect: GeminiDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request, or return the fault for what cannot be sent."""
    body, unsupported, notes = build_body(dialect, request)
    if not body.contents:
        return Failure(
            InvalidRequest(
                provider=endpoint.spec.name,
                model=request.model,
                message="the conversation has instructions but no user message",
            )
        )
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    resource = make_resource_name(request.model)
    operation = StreamGenerateContent(model=resource, alt="sse") if request.stream else GenerateContent(model=resource)
    return resolve_unsupported(endpoint, request, unsupported).map(
        lambda made: build_chat(endpoint, operation, body, request.options, (*made, *notes), appended=_APPENDED)
    )


def make_resource_name(model: str) -> str:
    """Return the resource name of a model: a bare name is under `models/`."""
    name = model.strip("/")
    return name if name.startswith(_RESOURCES) else f"models/{name}"


def build_body(
    dialect: GeminiDialect, request: ChatRequest
) -> tuple[GenerateContentRequest, list[Adjustment], tuple[Adjustment, ...]]:
    """Return the body, the unsupported options, and the lossless changes."""
    policy = dialect.find_policy(request.model)
    conversation = build_conversation(request.messages, dialect, policy)
    unsupported = list(conversation.unsupported)
    options = request.options
    tier: Literal["standard", "flex", "priority"] | UnsetType = UNSET
    if options.service_tier is not None:
        name = dialect.service_tiers.get(options.service_tier)
        tier = _TIERS.get(name, UNSET)
        if name is None:
            reason = f"{options.service_tier!r} is not one of {', '.join(dialect.service_tiers)}"
            if not dialect.service_tiers:
                reason = "the API has no service tier"
            unsupported.append(Adjustment(parameter="service_tier", reason=reason))
    if options.user is not None:
        unsupported.append(Adjustment(parameter="user", reason="the API has no field for a user"))
    if options.parallel_tool_calls is False:
        reason = "the API does not support limiting parallel calls"
        unsupported.append(Adjustment(parameter="parallel_tool_calls", reason=reason))
    choice = options.tool_choice
    if not request.has_tools and (choice == "required" or isinstance(choice, dict)):
        unsupported.append(Adjustment(parameter="tool_choice", reason="there are no tools to choose from"))
        choice = None
    tools, in_tools = _build_tools(request.tools, policy)
    config, in_config = _build_generation_config(request, policy, conversation)
    body = GenerateContentRequest(
        contents=conversation.contents,
        system_instruction=replace_none(conversation.system),
        tools=tools,
        tool_config=_build_tool_config(request.tools, choice, policy),
        generation_config=config,
        service_tier=tier,
    )
    return body, [*unsupported, *in_tools, *in_config], conversation.notes


def _build_generation_config(
    request: ChatRequest, policy: GeminiPolicy, conversation: GeminiConversation
) -> tuple[GenerationConfig | UnsetType, list[Adjustment]]:
    options = request.options
    thinking, in_thinking = build_thinking_config(options, policy)
    (mime_type, schema, json_schema), in_format = _build_response_format(options.response_format, policy)
    logprobs = options.logprobs
    config = GenerationConfig(
        max_output_tokens=_choose_max_tokens(request, thinking),
        temperature=replace_none(request.temperature),
        top_p=replace_none(options.top_p),
        top_k=replace_none(options.top_k),
        seed=replace_none(options.seed),
        stop_sequences=UNSET if options.stop is None else list(options.stop),
        presence_penalty=replace_none(options.presence_penalty),
        frequency_penalty=replace_none(options.frequency_penalty),
        response_logprobs=UNSET if logprobs is None or logprobs is False else True,
        logprobs=UNSET if logprobs is None or isinstance(logprobs, bool) else logprobs,
        response_mime_type=mime_type,
        response_schema=schema,
        response_json_schema=json_schema,
        thinking_config=thinking,
        media_resolution=_RESOLUTIONS.get(conversation.detail, UNSET),
    )
    return UNSET if config == GenerationConfig() else config, [*in_thinking, *in_format]


def _choose_max_tokens(request: ChatRequest, thinking: ThinkingConfig | UnsetType) -> int | UnsetType:
    """Return max_tokens. The default is extended by the thinking budget, since thoughts count against it."""
    if request.max_tokens is None:
        return UNSET
    if request.asks_max_tokens or thinking is UNSET or thinking.thinking_budget is UNSET:
        return request.max_tokens
    return request.max_tokens + max(thinking.thinking_budget, 0)


_Form: TypeAlias = tuple[str | UnsetType, Schema | UnsetType, dict[str, Json] | UnsetType]
"""The media type of the response, and its schema in one of the two forms."""


def _build_response_format(form: ResponseFormat | None, policy: GeminiPolicy) -> tuple[_Form, list[Adjustment]]:
    if form is None:
        return (UNSET, UNSET, UNSET), []
    if form.kind == "json":
        return ("application/json", UNSET, UNSET), []
    if policy.json_schema:
        return ("application/json", UNSET, form.schema), []
    schema = to_wire_schema(form.schema)
    dropped = [Adjustment(parameter="response_format", reason=_INVALID_SCHEMA_VALUE)] if schema is None else []
    return ("application/json", UNSET if schema is None else schema, UNSET), dropped


def _build_tools(
    tools: tuple[ToolDefinition, ...], policy: GeminiPolicy
) -> tuple[list[Tool] | UnsetType, list[Adjustment]]:
    if not tools:
        return UNSET, []
    declared = [_build_declaration(tool, policy) for tool in tools]
    dropped = [adjustment for _, adjustments in declared for adjustment in adjustments]
    return [Tool(function_declarations=[declaration for declaration, _ in declared])], dropped


def _build_declaration(tool: ToolDefinition, policy: GeminiPolicy) -> tuple[FunctionDeclaration, list[Adjustment]]:
    description = tool.description or UNSET
    if policy.json_schema:
        return FunctionDeclaration(name=tool.name, description=description, parameters_json_schema=tool.parameters), []
    if not tool.parameters.get("properties") and "description" not in tool.parameters:
        # Older models reject an object without properties; omitting the parameters is equivalent.
        return FunctionDeclaration(name=tool.name, description=description), []
    schema = to_wire_schema(tool.parameters)
    if schema is None:
        dropped = Adjustment(parameter="tools", reason=f"{tool.name}: {_INVALID_SCHEMA_VALUE}", action="changed")
        return FunctionDeclaration(name=tool.name, description=description), [dropped]
    return FunctionDeclaration(name=tool.name, description=description, parameters=schema), []


def _build_tool_config(
    tools: tuple[ToolDefinition, ...],
    choice: Literal["auto", "none", "required"] | dict[str, str] | None,
    policy: GeminiPolicy,
) -> ToolConfig | UnsetType:
    match choice:
        case None | "auto":
            if policy.validated and any(tool.strict for tool in tools):
                return ToolConfig(function_calling_config=FunctionCallingConfig(mode="VALIDATED"))
            if choice is None:
                return UNSET
            return ToolConfig(function_calling_config=FunctionCallingConfig(mode="AUTO"))
        case "none":
            return ToolConfig(function_calling_config=FunctionCallingConfig(mode="NONE"))
        case "required":
            return ToolConfig(function_calling_config=FunctionCallingConfig(mode="ANY"))
        case named:
            config = FunctionCallingConfig(mode="ANY", allowed_function_names=[named["name"]])
            return ToolConfig(function_calling_config=config)

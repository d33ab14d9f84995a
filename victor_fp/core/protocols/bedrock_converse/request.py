"""Request bodies of Bedrock Converse. Streaming requests differ only in their URL."""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, UnsetType
from returns.result import Failure, Result
from victor_fp_wire.bedrock_converse.operations import Converse, ConverseStream
from victor_fp_wire.bedrock_converse.request import (
    ConverseRequest,
    InferenceConfiguration,
    JsonSchemaDefinition,
    OutputConfig,
    OutputFormat,
    OutputFormatStructure,
    ServiceTier,
)

from victor_fp.core.dialects.bedrock import BedrockDialect, strip_version
from victor_fp.core.dialects.policies.bedrock import BedrockPolicy
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.options import Options
from victor_fp.core.protocols.anthropic_messages.turns import limit_cache_marks
from victor_fp.core.protocols.bedrock_converse.model_fields import NO_FIELDS, build_inference
from victor_fp.core.protocols.bedrock_converse.tools import build_tools
from victor_fp.core.protocols.bedrock_converse.turns import build_turns
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.requests import (
    Adjustment,
    ChatRequest,
    Endpoint,
    HttpRequest,
    choose_service_tier,
    find_missing_setting,
    list_missing_fields,
    resolve_unsupported,
)

_TIERS: dict[str, ServiceTier] = {
    "auto": ServiceTier(type="default"),
    "standard": ServiceTier(type="default"),
    "default": ServiceTier(type="default"),
    "priority": ServiceTier(type="priority"),
    "flex": ServiceTier(type="flex"),
    "reserved": ServiceTier(type="reserved"),
}
"""The vendor's tiers, and equivalent names from other vendors."""
_INVALID_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")


class ConverseBody(msgspec.Struct, frozen=True, kw_only=True):
    """A body, the options it does not support, and lossless changes."""

    body: ConverseRequest
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


def write(endpoint: Endpoint, dialect: BedrockDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a completion, streaming or not."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    built = build_body(dialect, request)
    if not built.body.messages:
        message = "the conversation has instructions but no user message"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    model = request.model
    operation = ConverseStream(model_id=model) if request.stream else Converse(model_id=model)
    return resolve_unsupported(endpoint, request, built.unsupported).map(
        lambda decided: build_chat(endpoint, operation, built.body, request.options, (*decided, *built.notes))
    )


def build_body(dialect: BedrockDialect, request: ChatRequest) -> ConverseBody:
    """Build the body and list the unsupported options."""
    policy, options = dialect.find_policy(request.model), request.options
    claude = dialect.claude.find_policy(strip_version(request.model)) if policy.claude else None
    request, excess_marks = limit_cache_marks(dialect.claude, request) if policy.cache else (request, ())
    turns = build_turns(dialect, policy, request.messages, system_turns=claude is not None and claude.system_turns)
    inference = build_inference(dialect, policy, claude, request)
    tooling = build_tools(policy, claude, request, budgeted=inference.budgeted, calls=turns.calls)
    output_format, in_format = _format(policy, claude, options)
    tier, in_tier = choose_service_tier(options, _TIERS, "default, priority, flex and reserved")
    output = OutputConfig(text_format=output_format, effort=inference.effort)
    fields = msgspec.structs.replace(inference.fields, tool_choice=tooling.model_choice)
    body = ConverseRequest(
        messages=turns.messages,
        system=turns.system,
        inference_config=UNSET if inference.config == InferenceConfiguration() else inference.config,
        tool_config=tooling.config,
        additional_model_request_fields=UNSET if fields == NO_FIELDS else fields,
        service_tier=tier,
        output_config=UNSET if output == OutputConfig() else output,
    )
    return ConverseBody(
        body=body,
        unsupported=(
            *turns.unsupported,
            *inference.unsupported,
            *tooling.unsupported,
            *in_format,
            *in_tier,
            *excess_marks,
            *_list_unsupported(options),
        ),
        notes=(*turns.notes, *tooling.notes),
    )


def _format(
    policy: BedrockPolicy, claude: ClaudePolicy | None, options: Options
) -> tuple[OutputFormat | UnsetType, tuple[Adjustment, ...]]:
    """Return the response format and the unsupported parts of the requested one."""
    requested = options.response_format
    if requested is None:
        return UNSET, ()
    if requested.kind == "json":
        reason = "there is no JSON mode without a schema; pass a schema"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    if not policy.structured or (claude is not None and not claude.structured):
        reason = "this model does not support structured outputs"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    definition = JsonSchemaDefinition(
        schema=encode_json(requested.schema).decode(), name=_INVALID_IN_NAMES.sub("_", requested.name)[:64] or "answer"
    )
    return OutputFormat(structure=OutputFormatStructure(json_schema=definition)), ()


def _list_unsupported(options: Options) -> tuple[Adjustment, ...]:
    """List the requested options that the protocol has no field for."""
    return list_missing_fields(
        {
            "seed": options.seed is not None,
            "logprobs": options.logprobs is not None and options.logprobs is not False,
            "presence_penalty": bool(options.presence_penalty),
            "frequency_penalty": bool(options.frequency_penalty),
            "user": options.user is not None,
        }
    )

"""A chat as an HTTP request; a streamed one differs in its address alone."""

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
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.models.bedrock import BedrockPolicy
from victor_fp.core.models.claude import ClaudePolicy
from victor_fp.core.options import Options
from victor_fp.core.protocols.anthropic_messages.turns import limit_cache_marks
from victor_fp.core.protocols.bedrock_converse.model_fields import build_inference
from victor_fp.core.protocols.bedrock_converse.tools import build_tools
from victor_fp.core.protocols.bedrock_converse.turns import build_turns
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.requests import (
    Adjustment,
    ChatRequest,
    Endpoint,
    HttpRequest,
    find_missing_setting,
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
"""The vendor's tiers, and the words of others that mean the same."""
_UNNAMABLE = re.compile(r"[^a-zA-Z0-9_-]+")


class WrittenBody(msgspec.Struct, frozen=True, kw_only=True):
    """A body, what had to be left out of it, and what was changed without a loss."""

    body: ConverseRequest
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


def write(endpoint: Endpoint, dialect: BedrockDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """The request for a completion, streamed or whole."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    written = build_body(dialect, request)
    if not written.body.messages:
        message = "there are instructions, but no user's turn"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    model = request.model
    operation = ConverseStream(model_id=model) if request.stream else Converse(model_id=model)
    return resolve_unsupported(endpoint, request, written.unsupported).map(
        lambda decided: build_chat(endpoint, operation, written.body, request.options, (*decided, *written.notes))
    )


def build_body(dialect: BedrockDialect, request: ChatRequest) -> WrittenBody:
    """The body, and everything asked for that it does not say."""
    policy, options = dialect.find_policy(request.model), request.options
    claude = dialect.claude.find_policy(strip_version(request.model)) if policy.claude else None
    request, over_marked = limit_cache_marks(dialect.claude, request) if policy.cache else (request, ())
    said = build_turns(dialect, policy, request.messages, system_turns=claude is not None and claude.system_turns)
    inferred = build_inference(dialect, policy, claude, request)
    tooled = build_tools(policy, claude, request, budgeted=inferred.budgeted, calls=said.calls)
    form, unformed = _format(policy, claude, options)
    tier, untiered = _choose_service_tier(options)
    output = OutputConfig(text_format=form, effort=inferred.effort)
    fields = {**inferred.fields, **tooled.fields}
    body = ConverseRequest(
        messages=said.messages,
        system=said.system,
        inference_config=UNSET if inferred.config == InferenceConfiguration() else inferred.config,
        tool_config=tooled.config,
        additional_model_request_fields=fields or UNSET,
        service_tier=tier,
        output_config=UNSET if output == OutputConfig() else output,
    )
    return WrittenBody(
        body=body,
        unsupported=(
            *said.unsupported,
            *inferred.unsupported,
            *tooled.unsupported,
            *unformed,
            *untiered,
            *over_marked,
            *_list_unsupported(options),
        ),
        notes=(*said.notes, *tooled.notes),
    )


def _format(
    policy: BedrockPolicy, claude: ClaudePolicy | None, options: Options
) -> tuple[OutputFormat | UnsetType, tuple[Adjustment, ...]]:
    """The answer's form, and what cannot be asked of it."""
    wanted = options.response_format
    if wanted is None:
        return UNSET, ()
    if wanted.kind == "json":
        reason = "there is no free JSON mode; give a schema"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    if not policy.structured or (claude is not None and not claude.structured):
        reason = "this model has no structured outputs"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    definition = JsonSchemaDefinition(
        schema=encode_json(wanted.schema).decode(), name=_UNNAMABLE.sub("_", wanted.name)[:64] or "answer"
    )
    return OutputFormat(structure=OutputFormatStructure(json_schema=definition)), ()


def _choose_service_tier(options: Options) -> tuple[ServiceTier | UnsetType, tuple[Adjustment, ...]]:
    if options.service_tier is None:
        return UNSET, ()
    tier = _TIERS.get(options.service_tier.lower())
    if tier is None:
        reason = f"the tiers are default, priority, flex and reserved, not {options.service_tier}"
        return UNSET, (Adjustment(parameter="service_tier", reason=reason),)
    return tier, ()


def _list_unsupported(options: Options) -> tuple[Adjustment, ...]:
    """What was asked for that the protocol has no field for."""
    asked = {
        "seed": options.seed is not None,
        "logprobs": options.logprobs is not None and options.logprobs is not False,
        "presence_penalty": bool(options.presence_penalty),
        "frequency_penalty": bool(options.frequency_penalty),
        "user": options.user is not None,
    }
    return tuple(
        Adjustment(parameter=name, reason="the protocol has no such parameter") for name, is_ in asked.items() if is_
    )

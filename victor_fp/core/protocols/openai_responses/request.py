"""Requests of Responses, for chats and streams. Unsupported options are never dropped silently."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET
from msgspec.structs import replace
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols.openai_family.formats import accept_format
from victor_fp.core.protocols.openai_family.rules import accept_options, accept_thinking
from victor_fp.core.protocols.openai_family.tools import accept_tools
from victor_fp.core.protocols.openai_responses.options import (
    build_chat_format,
    build_include,
    build_reasoning,
    build_text,
    choose_top_logprobs,
    take_summary,
)
from victor_fp.core.protocols.openai_responses.routes import choose_route
from victor_fp.core.protocols.openai_responses.rules import ResponseRules, apply_policy
from victor_fp.core.protocols.openai_responses.stored_state import accept_state
from victor_fp.core.protocols.openai_responses.tools import build_choice, build_tools
from victor_fp.core.protocols.openai_responses.turns import build_input
from victor_fp.core.protocols.openai_responses.vendors import ResponseVendorFields, extend_body
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome

APPENDED = frozenset({"include", "tools"})
"""Arrays of `extra_body` that extend the built ones, which the library requires."""
TOKENS_FIELDS = ("max_output_tokens",)


def write(endpoint: Endpoint, rules: ResponseRules, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build POST /responses. What the vendor does not accept is a Failure, or an adjustment where allowed."""
    route = choose_route(endpoint, rules.dialect, request.model)
    if route is None:
        message = f"{endpoint.spec.title} requires endpoint="
        return Failure(
            InvalidRequest(provider=endpoint.spec.name, model=request.model, code="setting_missing", message=message)
        )
    summary, unknown = take_summary(request.options.unknown)
    extras = {**unknown, **request.options.extra_body}
    rules = apply_policy(rules, request, extras)
    body, unsupported = _build_body(rules, request, extras, model=route.model, summary=summary)
    match outcome(resolve_unsupported(endpoint, request, unsupported)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    built = build_chat(
        endpoint,
        route.operation,
        body,
        request.options,
        adjustments,
        base_url=route.base_url,
        unknown=unknown,
        appended=APPENDED,
    )
    in_background = extras.get("background", body.background) is True
    return Success(replace(built, is_polled=in_background and not request.stream))


def _build_body(
    rules: ResponseRules, request: ChatRequest, extras: Mapping[str, object], *, model: str, summary: str | None
) -> tuple[wire.CreateResponse, tuple[Adjustment, ...]]:
    """Build the body and list the unsupported options."""
    dialect = rules.dialect
    items, in_input = build_input(rules, request)
    options = accept_options(rules, request, TOKENS_FIELDS)
    thinking = accept_thinking(rules, request)
    tool_use = accept_tools(rules, request)
    answer_format, in_format = accept_format(rules, request)
    state = accept_state(rules, request, extras)
    in_text = dialect.format_as == "text"
    body = wire.CreateResponse(
        input=items,
        model=model,
        max_output_tokens=options.max_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        service_tier=options.service_tier,
        user=options.user if dialect.user_field == "user" else UNSET,
        safety_identifier=options.user if dialect.user_field == "safety_identifier" else UNSET,
        reasoning=build_reasoning(rules, thinking, summary),
        tools=build_tools(tool_use),
        tool_choice=build_choice(tool_use),
        parallel_tool_calls=tool_use.parallel,
        text=build_text(answer_format) if answer_format is not None and in_text else UNSET,
        store=state.store,
        previous_response_id=state.previous_response_id,
        background=state.background,
        include=build_include(rules, options),
        top_logprobs=choose_top_logprobs(rules, options),
        stream=True if request.stream else UNSET,
    )
    vendor_fields = ResponseVendorFields(
        top_k=options.top_k,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        seed=options.seed,
        stop=options.stop,
        logprobs=True if options.logprobs is not UNSET and dialect.logprobs_as == "switch" else UNSET,
        response_format=build_chat_format(answer_format) if answer_format is not None and not in_text else UNSET,
    )
    body, in_fields = extend_body(rules, body, vendor_fields)
    unsupported = (
        *in_input,
        *options.adjustments,
        *thinking.adjustments,
        *tool_use.adjustments,
        *in_format,
        *state.adjustments,
        *in_fields,
    )
    return body, unsupported

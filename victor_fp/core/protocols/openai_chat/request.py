"""A chat becomes one HTTP request: chat and stream share the builder, and nothing asked for is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping

from returns.result import Failure, Result, Success
from victor_fp_wire.openai_chat.request import StreamOptions

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols.openai_chat.formats import response_format
from victor_fp.core.protocols.openai_chat.messages import messages_written
from victor_fp.core.protocols.openai_chat.reasoning import reasoning
from victor_fp.core.protocols.openai_chat.routes import choose_route
from victor_fp.core.protocols.openai_chat.rules import Rules, Written, rules_for
from victor_fp.core.protocols.openai_chat.sampling import length, reporting, sampling
from victor_fp.core.protocols.openai_chat.tools import tools_written
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, build_headers, resolve_unsupported
from victor_fp.core.result import outcome


def write(endpoint: Endpoint, dialect: ChatDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """POST /chat/completions. What the vendor cannot take is a Failure, or an adjustment where the caller allows it."""
    route = choose_route(endpoint, dialect, request.model)
    if route is None:
        message = f"{endpoint.spec.title} needs endpoint="
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    rules = rules_for(endpoint, dialect, request)
    extras: Mapping[str, object] = {**request.options.unknown, **request.options.extra_body}
    parts = (
        Written(fields={"model": request.model} if route.names_model else {}),
        messages_written(rules, request),
        length(rules, request, extras),
        sampling(rules, request),
        reasoning(rules, request),
        tools_written(rules, request),
        response_format(rules, request),
        reporting(rules, request),
        Written(fields=_streaming(rules, request)),
    )
    unsupported = tuple(adjustment for part in parts for adjustment in part.adjustments)
    match outcome(resolve_unsupported(endpoint, request, unsupported)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    body: dict[str, object] = {}
    for part in parts:
        body.update(part.fields)
    body.update(extras)
    return Success(
        HttpRequest(
            url=route.url,
            headers=build_headers(endpoint, request.options.extra_headers),
            body=encode_json(body),
            adjustments=adjustments,
            signing=endpoint.spec.auth.kind,
        )
    )


def _streaming(rules: Rules, request: ChatRequest) -> dict[str, object]:
    if not request.stream:
        return {}
    fields: dict[str, object] = {"stream": True}
    if rules.dialect.stream_usage:
        fields["stream_options"] = StreamOptions(include_usage=True)
    return fields | (dict(rules.dialect.stream_tools_body) if request.tools else {})

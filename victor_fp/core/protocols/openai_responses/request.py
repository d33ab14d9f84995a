"""A chat becomes one HTTP request: chat and stream share the builder, and nothing asked for is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping

from returns.result import Failure, Result, Success

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.options import length, reasoning, reporting, sampling, text_format
from victor_fp.core.protocols.openai_responses.routes import choose_route
from victor_fp.core.protocols.openai_responses.rules import rules_for
from victor_fp.core.protocols.openai_responses.tools import tools_written
from victor_fp.core.protocols.openai_responses.turns import input_written
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.request_building.extra_body import merge_extra_body
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, resolve_unsupported

APPENDED = frozenset({"include", "tools"})
"""Arrays that the caller's own fields extend, since ours name what the library itself needs."""


def write(endpoint: Endpoint, dialect: ResponsesDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """POST /responses. What the vendor cannot take is a Failure, or an adjustment where the caller allows it."""
    route = choose_route(endpoint, dialect, request.model)
    if route is None:
        message = f"{endpoint.spec.title} needs endpoint="
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    options = request.options
    unknown = _place_summary(options.unknown)
    extras = {**unknown, **options.extra_body}
    rules = rules_for(endpoint, dialect, request, extras)
    parts = (
        Written(fields={"model": route.model}),
        input_written(rules, request),
        length(rules, request, extras),
        sampling(rules, request),
        reasoning(rules, request),
        tools_written(rules, request, extras),
        text_format(rules, request),
        reporting(rules, request),
        Written(fields={"stream": True} if request.stream else {}),
    )
    unsupported = tuple(adjustment for part in parts for adjustment in part.adjustments)
    adjustments = resolve_unsupported(endpoint, request, unsupported)
    if not isinstance(adjustments, tuple):
        return Failure(adjustments)
    body = {name: value for part in parts for name, value in part.fields.items()}
    data, overrides = merge_extra_body(body, options.extra_body, unknown=unknown, appended=APPENDED)
    return Success(
        build_request(
            endpoint,
            route.operation,
            base_url=route.base_url,
            body=data,
            extra_headers=options.extra_headers,
            adjustments=(*adjustments, *overrides),
        )
    )


def _place_summary(unknown: Mapping[str, object]) -> dict[str, object]:
    """The caller's own options, with a summary of the reasoning, which has an option of its own, in its place."""
    placed = dict(unknown)
    if (summary := placed.pop("reasoning_summary", None)) is not None:
        own = placed.get("reasoning")
        placed["reasoning"] = {"summary": summary, **(own if isinstance(own, Mapping) else {})}
    return placed

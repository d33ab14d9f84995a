"""A chat becomes one HTTP request: chat and stream share the builder, and nothing asked for is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.options import Options
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.options import length, reasoning, reporting, sampling, text_format
from victor_fp.core.protocols.openai_responses.routes import choose_route
from victor_fp.core.protocols.openai_responses.rules import rules_for
from victor_fp.core.protocols.openai_responses.stored_state import write_state
from victor_fp.core.protocols.openai_responses.tools import tools_written
from victor_fp.core.protocols.openai_responses.turns import input_written
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, build_headers, resolve_unsupported

UNITED = ("include", "tools")
"""Lists that the caller's extra fields lengthen, since ours say what the library itself needs."""


def write(endpoint: Endpoint, dialect: ResponsesDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """POST /responses. What the vendor cannot take is a Failure, or an adjustment where the caller allows it."""
    route = choose_route(endpoint, dialect, request.model)
    if route is None:
        message = f"{endpoint.spec.title} needs endpoint="
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    extras = _extras(request.options)
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
        write_state(rules, request, extras),
        Written(fields={"stream": True} if request.stream else {}),
    )
    unsupported = tuple(adjustment for part in parts for adjustment in part.adjustments)
    adjustments = resolve_unsupported(endpoint, request, unsupported)
    if not isinstance(adjustments, tuple):
        return Failure(adjustments)
    body = {name: value for part in parts for name, value in part.fields.items()}
    is_polled = not request.stream and {**body, **extras}.get("background") is True
    return Success(
        HttpRequest(
            url=route.url,
            headers=build_headers(endpoint, request.options.extra_headers),
            body=encode_json(_extended(body, extras)),
            adjustments=adjustments,
            signing=endpoint.spec.auth.kind,
            is_polled=is_polled,
        )
    )


def _extras(options: Options) -> dict[str, object]:
    """The caller's own fields. A summary of the reasoning is asked for by a word of its own, as its effort is."""
    extras: dict[str, object] = {**options.unknown, **options.extra_body}
    summary = options.unknown.get("reasoning_summary")
    if summary is not None and "reasoning_summary" not in options.extra_body:
        del extras["reasoning_summary"]
        asked = extras.get("reasoning")
        extras["reasoning"] = {"summary": summary, **(asked if isinstance(asked, Mapping) else {})}
    return extras


def _extended(body: Mapping[str, object], extras: Mapping[str, object]) -> dict[str, object]:
    """The body with the caller's fields over the top: objects of both are merged, lists of entries united."""
    out = dict(body)
    for name, value in extras.items():
        ours = msgspec.to_builtins(out.get(name))
        if isinstance(ours, dict) and isinstance(value, Mapping):
            out[name] = {**ours, **value}
        elif name in UNITED and isinstance(ours, list) and isinstance(value, list | tuple):
            out[name] = [*ours, *(entry for entry in value if entry not in ours)]
        else:
            out[name] = value
    return out

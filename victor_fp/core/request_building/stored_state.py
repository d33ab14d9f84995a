"""Options for responses stored by vendors, and their rejection by protocols without stored responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

STATE_OPTIONS = frozenset({"store", "previous_response_id", "background"})
"""Options that store a response or refer to a stored one."""
RESPONSE_ID = "response_id"
"""Metadata key, in assistant messages, of the id of the stored response."""

Build = Callable[[ChatRequest], Result[HttpRequest, Fault]]


def build_stateless(
    build: Build, endpoint: Endpoint, accepted: frozenset[str], request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build the request for a protocol that accepts only some of `STATE_OPTIONS`, or none.

    The others are rejected by name, except `store=False`, which is the default.
    """
    options = request.options
    requested = {
        "store": bool(options.store),
        "previous_response_id": options.previous_response_id is not None,
        "background": bool(options.background),
    }
    dropped = {name: None for name in requested if name not in accepted and getattr(options, name) is not None}
    if not dropped:
        return build(request)
    reason = "this API does not store responses"
    refused = [Adjustment(parameter=name, reason=reason) for name in dropped if requested[name]]
    match outcome(resolve_unsupported(endpoint, request, refused)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    built = build(replace(request, options=replace(options, **dropped)))
    return built.map(lambda sent: replace(sent, adjustments=(*adjustments, *sent.adjustments)))


def count_stored(messages: Sequence[Message], previous_id: str | None) -> int:
    """Return the number of messages that are stored: all up to the turn of this response; 0 if there is none."""
    if previous_id is None:
        return 0
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role == "assistant" and (message.metadata or {}).get(RESPONSE_ID) == previous_id:
            return index + 1
    return 0

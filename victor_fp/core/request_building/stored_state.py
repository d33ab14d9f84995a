"""What vendors keep between requests: asked for by options, and refused by name where a protocol keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

STATE_OPTIONS = frozenset({"store", "previous_response_id", "background"})
"""The options that ask a vendor to keep something, or refer to what it keeps."""
RESPONSE_ID = "response_id"
"""In the metadata of an assistant's message: the id of the response that the vendor keeps."""

Build = Callable[[ChatRequest], Result[HttpRequest, Fault]]


def build_stateless(
    build: Build, endpoint: Endpoint, accepted: frozenset[str], request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build the request for a protocol whose builder accepts only some of `STATE_OPTIONS`, or none.

    The others are refused by name. Not to store is what happens anyway.
    """
    options = request.options
    asked = {
        "store": bool(options.store),
        "previous_response_id": options.previous_response_id is not None,
        "background": bool(options.background),
    }
    left_out = {name: None for name in asked if name not in accepted and getattr(options, name) is not None}
    if not left_out:
        return build(request)
    reason = "this API does not store responses"
    refused = [Adjustment(parameter=name, reason=reason) for name in left_out if asked[name]]
    match outcome(resolve_unsupported(endpoint, request, refused)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    built = build(replace(request, options=replace(options, **left_out)))
    return built.map(lambda sent: replace(sent, adjustments=(*adjustments, *sent.adjustments)))


def count_known(messages: Sequence[Message], previous_id: str | None) -> int:
    """How many messages the vendor has already: all up to the turn that came as this response; 0 where none did."""
    if previous_id is None:
        return 0
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.role == "assistant" and (message.metadata or {}).get(RESPONSE_ID) == previous_id:
            return place + 1
    return 0

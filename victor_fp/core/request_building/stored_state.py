"""What vendors keep between requests: asked for by options, and refused by name where a protocol keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from returns.result import Failure, Result

from victor_fp.core.faults import Fault
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.types import Message

STATEFUL_PROTOCOLS = frozenset({"openai-responses", "gemini-interactions"})
"""Their own builders take `store`, `previous_response_id` and `background`, as far as the dialect does."""
_TAKES_STORE = frozenset({"openai-chat"})
"""Protocols with a field `store`, which changes nothing about the next request."""
RESPONSE_ID = "response_id"
"""In the metadata of an assistant's message: the id of the response that the vendor keeps."""

Build = Callable[[ChatRequest], Result[HttpRequest, Fault]]


def build_stateless(build: Build, endpoint: Endpoint, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a protocol that keeps nothing.

    Not to store is what happens anyway. A chat completion may be stored, for the vendor's dashboard alone.
    """
    options = request.options
    if options.store is None and options.previous_response_id is None and options.background is None:
        return build(request)
    takes_store = endpoint.spec.dialect.protocol in _TAKES_STORE
    asked = {
        "store": bool(options.store) and not takes_store,
        "previous_response_id": options.previous_response_id is not None,
        "background": bool(options.background),
    }
    reason = "nothing is kept between requests here"
    refused = [Adjustment(parameter=name, reason=reason) for name, is_asked in asked.items() if is_asked]
    adjustments = resolve_unsupported(endpoint, request, refused)
    if not isinstance(adjustments, tuple):
        return Failure(adjustments)
    unknown = {"store": options.store, **options.unknown} if takes_store and options.store is not None else {}
    left = replace(options, store=None, previous_response_id=None, background=None, unknown=unknown or options.unknown)
    built = build(replace(request, options=left))
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

"""Responses that the vendor keeps: storing, continuing, and those that are made in the background."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp_wire.openai_responses.operations import CancelResponse, GetResponse

from victor_fp.core.background import Background, Sighting
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.openai_chat.routes import version_parameter
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.response import RESPONSES, UNFINISHED
from victor_fp.core.protocols.openai_responses.routes import choose_route
from victor_fp.core.protocols.openai_responses.rules import Rules
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest
from victor_fp.core.wire_decoding import Undecodable


def write_state(rules: Rules, request: ChatRequest, extras: Mapping[str, object]) -> Written:
    """`store`, `previous_response_id` and `background`.

    No copy stays at the vendor unless it is asked for; what is made in the background has to stay there.
    """
    options = request.options
    fields: dict[str, object] = {"store": False} if rules.dialect.stateless else {}
    adjustments: list[Adjustment] = []
    if options.store is not None:
        if not rules.refused("store"):
            fields["store"] = options.store
        elif options.store:
            adjustments.append(rules.against("store"))
    if options.previous_response_id is not None:
        if rules.refused("previous_response_id"):
            adjustments.append(rules.against("previous_response_id"))
        else:
            fields["previous_response_id"] = options.previous_response_id
    if options.background:
        if rules.refused("background"):
            adjustments.append(rules.against("background"))
        elif options.store is False or extras.get("store") is False:
            reason = "what is made in the background is kept, which store=False forbids"
            adjustments.append(Adjustment(parameter="background", reason=reason))
        else:
            fields |= {"background": True, "store": True}
    return Written(fields=fields, adjustments=tuple(adjustments))


def bind_background(endpoint: Endpoint, dialect: ResponsesDialect) -> Background | None:
    """How a response is found again; None where the vendor makes none in the background."""
    route = choose_route(endpoint, dialect, "")
    if "background" in dialect.refuses or route is None:
        return None
    base_url, version = route.base_url, version_parameter(endpoint)

    def retrieve(id_: str) -> HttpRequest:
        return build_request(endpoint, GetResponse(response_id=id_, api_version=version), base_url=base_url)

    def cancel(id_: str) -> HttpRequest:
        return build_request(endpoint, CancelResponse(response_id=id_, api_version=version), base_url=base_url)

    return Background(see=see_response, retrieve=retrieve, cancel=cancel)


def see_response(body: bytes) -> Sighting:
    """Which response a body holds, and whether it still runs."""
    response = RESPONSES.decode(body)
    if isinstance(response, Undecodable) or not response.id:
        return Sighting()
    return Sighting(id=response.id, progress="running" if response.status in UNFINISHED else "ended")

"""Stored responses: storing, continuing, and background responses."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses.operations import CancelResponse, GetResponse

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.json import Undecodable
from victor_fp.core.long_running.background import Background, BackgroundStatus
from victor_fp.core.protocols.openai_family.routes import read_version_parameter
from victor_fp.core.protocols.openai_responses.response import RESPONSES, UNFINISHED
from victor_fp.core.protocols.openai_responses.routes import choose_route
from victor_fp.core.protocols.openai_responses.rules import ResponseRules
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest


class AcceptedState(msgspec.Struct, frozen=True, kw_only=True):
    """Storage fields of a request; UNSET if not requested or not accepted."""

    store: bool | UnsetType = UNSET
    previous_response_id: str | UnsetType = UNSET
    background: bool | UnsetType = UNSET
    adjustments: tuple[Adjustment, ...] = ()


def accept_state(rules: ResponseRules, request: ChatRequest, extras: Mapping[str, object]) -> AcceptedState:
    """Return `store`, `previous_response_id` and `background` as far as the vendor accepts them.

    Responses are not stored unless requested; background responses must be stored.
    """
    options = request.options
    store: bool | UnsetType = False if rules.dialect.stateless else UNSET
    previous: str | UnsetType = UNSET
    background: bool | UnsetType = UNSET
    adjustments: list[Adjustment] = []
    if options.store is not None:
        if not rules.is_refused("store"):
            store = options.store
        elif options.store:
            adjustments.append(rules.build_refusal("store"))
    if options.previous_response_id is not None:
        if rules.is_refused("previous_response_id"):
            adjustments.append(rules.build_refusal("previous_response_id"))
        else:
            previous = options.previous_response_id
    if options.background:
        if rules.is_refused("background"):
            adjustments.append(rules.build_refusal("background"))
        elif options.store is False or extras.get("store") is False:
            reason = "background responses are stored, which store=False does not allow"
            adjustments.append(Adjustment(parameter="background", reason=reason))
        else:
            store = background = True
    return AcceptedState(
        store=store, previous_response_id=previous, background=background, adjustments=tuple(adjustments)
    )


def bind_background(endpoint: Endpoint, dialect: ResponsesDialect) -> Background | None:
    """Return the operations that retrieve and cancel a response; None if background responses are not supported."""
    route = choose_route(endpoint, dialect, "")
    if "background" in dialect.refuses or route is None:
        return None
    base_url, version = route.base_url, read_version_parameter(endpoint)

    def retrieve(id_: str) -> HttpRequest:
        return build_request(endpoint, GetResponse(response_id=id_, api_version=version), base_url=base_url)

    def cancel(id_: str) -> HttpRequest:
        return build_request(endpoint, CancelResponse(response_id=id_, api_version=version), base_url=base_url)

    return Background(read_status=read_background_status, retrieve=retrieve, cancel=cancel)


def read_background_status(body: bytes) -> BackgroundStatus:
    """Return the id of the response in a body, and whether it is still running."""
    response = RESPONSES.decode(body)
    if isinstance(response, Undecodable) or not response.id:
        return BackgroundStatus()
    return BackgroundStatus(id=response.id, progress="running" if response.status in UNFINISHED else "ended")

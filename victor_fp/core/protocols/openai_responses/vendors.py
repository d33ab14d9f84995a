"""Vendor-specific request fields of Responses, in the generated model of each vendor."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.dialects.responses import ResponsesRequestModel
from victor_fp.core.protocols.openai_responses.rules import ResponseRules
from victor_fp.core.requests import Adjustment


class ResponseVendorFields(msgspec.Struct, frozen=True, kw_only=True):
    """Values without a field in OpenAI's request; each vendor's model has fields for some of them."""

    top_k: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    stop: list[str] | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET
    response_format: wire.ChatResponseFormat | UnsetType = UNSET


NO_FIELDS = ResponseVendorFields()


def extend_body(
    rules: ResponseRules, body: wire.CreateResponse, vendor_fields: ResponseVendorFields
) -> tuple[wire.CreateResponse, tuple[Adjustment, ...]]:
    """Return the body as the dialect's model with the vendor's fields, and refusals for values without a field in it."""
    if vendor_fields == NO_FIELDS:
        return body, ()
    extended = _extend(rules.dialect.request_model, body, vendor_fields)
    given = [name for name in vendor_fields.__struct_fields__ if getattr(vendor_fields, name) is not UNSET]
    missing = [name for name in given if name not in extended.__struct_fields__]
    return extended, tuple(map(rules.build_refusal, missing))


def _extend(
    model: ResponsesRequestModel, body: wire.CreateResponse, vendor_fields: ResponseVendorFields
) -> wire.CreateResponse:
    if model == "openai":
        return body
    common = msgspec.structs.asdict(body)
    match model:
        case "llamacpp":
            return wire.LlamacppCreateResponse(
                **common,
                top_k=vendor_fields.top_k,
                presence_penalty=vendor_fields.presence_penalty,
                frequency_penalty=vendor_fields.frequency_penalty,
                seed=vendor_fields.seed,
                stop=vendor_fields.stop,
                response_format=vendor_fields.response_format,
            )
        case "openrouter":
            return wire.OpenrouterCreateResponse(
                **common,
                top_k=vendor_fields.top_k,
                presence_penalty=vendor_fields.presence_penalty,
                frequency_penalty=vendor_fields.frequency_penalty,
            )
        case "xai":
            return wire.XaiCreateResponse(**common, logprobs=vendor_fields.logprobs)
        case _:
            assert_never(model)

"""Fields of a request that single vendors add to OpenAI's, written into the generated model of each vendor."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.dialects.responses import ResponsesRequestModel
from victor_fp.core.protocols.openai_responses.rules import ResponseRules
from victor_fp.core.requests import Adjustment


class ResponseVendorFields(msgspec.Struct, frozen=True, kw_only=True):
    """Values for which OpenAI's own request has no field; each vendor's model has fields for some of them."""

    top_k: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    stop: list[str] | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET
    response_format: wire.ChatResponseFormat | UnsetType = UNSET


NO_FIELDS = ResponseVendorFields()


def extend_body(
    rules: ResponseRules, body: wire.CreateResponse, own: ResponseVendorFields
) -> tuple[wire.CreateResponse, tuple[Adjustment, ...]]:
    """The body as the dialect's own model, with the vendor's fields; what that model has no field for is refused."""
    if own == NO_FIELDS:
        return body, ()
    extended = _extend(rules.dialect.request_model, body, own)
    given = [name for name in own.__struct_fields__ if getattr(own, name) is not UNSET]
    lost = [name for name in given if name not in extended.__struct_fields__]
    return extended, tuple(map(rules.build_refusal, lost))


def _extend(model: ResponsesRequestModel, body: wire.CreateResponse, own: ResponseVendorFields) -> wire.CreateResponse:
    if model == "openai":
        return body
    common = msgspec.structs.asdict(body)
    match model:
        case "llamacpp":
            return wire.LlamacppCreateResponse(
                **common,
                top_k=own.top_k,
                presence_penalty=own.presence_penalty,
                frequency_penalty=own.frequency_penalty,
                seed=own.seed,
                stop=own.stop,
                response_format=own.response_format,
            )
        case "openrouter":
            return wire.OpenrouterCreateResponse(
                **common,
                top_k=own.top_k,
                presence_penalty=own.presence_penalty,
                frequency_penalty=own.frequency_penalty,
            )
        case "xai":
            return wire.XaiCreateResponse(**common, logprobs=own.logprobs)
        case _:
            assert_never(model)

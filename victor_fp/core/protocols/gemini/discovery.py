"""Model discovery and token counting of the Gemini API."""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Result, Success
from victor_fp_wire.gemini.operations import CountTokens, GetModel, ListModels
from victor_fp_wire.gemini.request import CountTokensRequest
from victor_fp_wire.gemini.response import Model

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable, encode_json
from victor_fp.core.protocols import Discovery, TokenCounting
from victor_fp.core.protocols.gemini.notes import to_plain
from victor_fp.core.protocols.gemini.request import build_body, make_resource_name
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest

_LISTS = build_decoder(ListModels.RESPONSE)
_MODELS = build_decoder(GetModel.RESPONSE)
_COUNTS = build_decoder(CountTokens.RESPONSE)
MAX_PAGE_SIZE = 1000
"""Maximum page size of the API."""


def build_discovery(endpoint: Endpoint) -> Discovery:
    """Return the discovery operations, GET /models and GET /models/{model}."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels(page_size=MAX_PAGE_SIZE)),
        read_list=read_list,
        model_request=lambda model: build_request(endpoint, GetModel(model=make_resource_name(model))),
        read_model=read_model,
        next_page=partial(_build_next_page, endpoint),
    )


def _build_next_page(endpoint: Endpoint, body: bytes) -> HttpRequest | None:
    page = _LISTS.decode(body)
    if isinstance(page, Undecodable) or not page.next_page_token:
        return None
    return build_request(endpoint, ListModels(page_size=MAX_PAGE_SIZE, page_token=page.next_page_token))


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a page; empty if the body does not match the schema."""
    decoded = _LISTS.decode(body)
    return (
        ()
        if isinstance(decoded, Undecodable)
        else tuple(info for model in decoded.models or () if (info := _build_info(model)))
    )


def read_model(model: str, body: bytes) -> ModelInfo | None:  # noqa: ARG001  the body names it itself
    """Return one model; None if the body does not match the schema."""
    decoded = _MODELS.decode(body)
    return None if isinstance(decoded, Undecodable) else _build_info(decoded)


def _build_info(model: Model) -> ModelInfo | None:
    if not model.name:
        return None
    methods = model.supported_generation_methods
    return ModelInfo(
        id=model.name.removeprefix("models/"),
        context_window=read_limit(model.input_token_limit),
        max_output=read_limit(model.output_token_limit),
        # All models with generateContent also stream.
        supports_streaming=None if methods is None else "generateContent" in methods,
        supports_reasoning=model.thinking,
        raw=dict(to_plain(model)),
    )


def build_token_counting(endpoint: Endpoint, dialect: GeminiDialect) -> TokenCounting:
    """Return the token counting operation, POST :countTokens."""
    return TokenCounting(request=partial(_count_request, endpoint, dialect), read=read_count)


def _count_request(endpoint: Endpoint, dialect: GeminiDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    body, _, _ = build_body(dialect, request)
    resource = make_resource_name(request.model)
    if dialect.counting == "nested":
        full_request = msgspec.structs.replace(body, model=resource, service_tier=UNSET)
        count = CountTokensRequest(generate_content_request=full_request)
    else:
        count = CountTokensRequest(contents=body.contents, system_instruction=body.system_instruction, tools=body.tools)
    return Success(
        build_request(
            endpoint,
            CountTokens(model=resource),
            body=encode_json(count),
            extra_headers=request.options.extra_headers,
        )
    )


def read_count(body: bytes) -> int | None:
    """Return the number of tokens; None if the body does not match the schema."""
    decoded = _COUNTS.decode(body)
    return None if isinstance(decoded, Undecodable) else decoded.total_tokens

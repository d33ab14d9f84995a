"""Which models the region offers, and how many tokens a request would cost."""

from __future__ import annotations

from functools import partial

import msgspec
from returns.result import Failure, Result, Success
from victor_fp_wire.bedrock_converse.request import ConverseTokensRequest, CountTokensInput, CountTokensRequest
from victor_fp_wire.bedrock_converse.response import (
    CountTokensResponse,
    FoundationModel,
    GetFoundationModelResponse,
    ListFoundationModelsResponse,
)

from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import Discovery, ModelInfo, TokenCounting
from victor_fp.core.protocols.bedrock_converse.request import body_of, signing
from victor_fp.core.protocols.bedrock_converse.urls import control_url, runtime_url, segment
from victor_fp.core.protocols.bedrock_converse.usage import given
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, build_headers, find_missing_setting
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

_LIST: WireDecoder[ListFoundationModelsResponse] = WireDecoder(ListFoundationModelsResponse)
_ONE: WireDecoder[GetFoundationModelResponse] = WireDecoder(GetFoundationModelResponse)
_COUNT: WireDecoder[CountTokensResponse] = WireDecoder(CountTokensResponse)


def discovery(endpoint: Endpoint, dialect: BedrockDialect) -> Discovery:
    """ListFoundationModels and GetFoundationModel of the control plane."""
    return Discovery(
        list_request=partial(_get, endpoint, dialect, "foundation-models"),
        read_list=read_list,
        model_request=partial(_get_model, endpoint, dialect),
        read_model=read_model,
    )


def counting(endpoint: Endpoint, dialect: BedrockDialect) -> TokenCounting:
    """CountTokens of the runtime."""
    return TokenCounting(request=partial(_count_request, endpoint, dialect), read=read_count)


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models that answer in text; none for a body of another form."""
    answer = _LIST.decode(body)
    if isinstance(answer, Undecodable):
        return ()
    models = answer.model_summaries or ()
    return tuple(_info(model) for model in models if model.model_id and "TEXT" in (model.output_modalities or ["TEXT"]))


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """One model; None for a body of another form."""
    answer = _ONE.decode(body)
    if isinstance(answer, Undecodable) or answer.model_details is None or not answer.model_details.model_id:
        return None
    return msgspec.structs.replace(_info(answer.model_details), id=model)


def read_count(body: bytes) -> int | None:
    """The count; None for a body of another form."""
    answer = _COUNT.decode(body)
    return None if isinstance(answer, Undecodable) else answer.input_tokens


def _get(endpoint: Endpoint, dialect: BedrockDialect, path: str) -> HttpRequest:
    url = control_url(endpoint, dialect, path)
    return HttpRequest(method="GET", url=url, headers=build_headers(endpoint, json=False), signing=signing(endpoint))


def _get_model(endpoint: Endpoint, dialect: BedrockDialect, model: str) -> HttpRequest:
    return _get(endpoint, dialect, f"foundation-models/{segment(dialect.bare(model))}")


def _info(model: FoundationModel) -> ModelInfo:
    return ModelInfo(
        id=model.model_id or "",
        supports_streaming=model.response_streaming_supported,
        supports_images=None if model.input_modalities is None else "IMAGE" in model.input_modalities,
        raw=dict(given(model)),
    )


def _count_request(endpoint: Endpoint, dialect: BedrockDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    body = body_of(dialect, request).body
    counted = ConverseTokensRequest(
        messages=body.messages,
        system=body.system,
        tool_config=body.tool_config,
        additional_model_request_fields=body.additional_model_request_fields,
    )
    return Success(
        HttpRequest(
            # Counting knows models, not the profiles that spread them over regions.
            url=runtime_url(endpoint, dialect.bare(request.model), "count-tokens"),
            headers=build_headers(endpoint, request.options.extra_headers),
            body=encode_json(CountTokensRequest(input=CountTokensInput(converse=counted))),
            signing=signing(endpoint),
        )
    )

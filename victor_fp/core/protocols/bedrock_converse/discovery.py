"""Model discovery and token counting of Bedrock."""

from __future__ import annotations

from functools import partial

import msgspec
from returns.result import Failure, Result, Success
from victor_fp_wire import Operation
from victor_fp_wire.bedrock_converse.operations import CountTokens, GetFoundationModel, ListFoundationModels
from victor_fp_wire.bedrock_converse.request import ConverseTokensRequest, CountTokensInput, CountTokensRequest
from victor_fp_wire.bedrock_converse.response import FoundationModel

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable, encode_json
from victor_fp.core.protocols import Discovery, TokenCounting
from victor_fp.core.protocols.bedrock_converse.request import build_body
from victor_fp.core.protocols.bedrock_converse.usage import list_given_fields
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, find_missing_setting

_LIST = build_decoder(ListFoundationModels.RESPONSE)
_ONE = build_decoder(GetFoundationModel.RESPONSE)
_COUNT = build_decoder(CountTokens.RESPONSE)


def build_discovery(endpoint: Endpoint, dialect: BedrockDialect) -> Discovery:
    """Return the discovery operations: ListFoundationModels and GetFoundationModel of the control plane."""
    return Discovery(
        list_request=partial(_build_control_request, endpoint, dialect, ListFoundationModels()),
        read_list=read_list,
        model_request=partial(_build_model_request, endpoint, dialect),
        read_model=read_model,
    )


def build_token_counting(endpoint: Endpoint, dialect: BedrockDialect) -> TokenCounting:
    """Return the token counting operation: CountTokens of the runtime."""
    return TokenCounting(request=partial(_count_request, endpoint, dialect), read=read_count)


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models with text output; empty if the body does not match the schema."""
    decoded = _LIST.decode(body)
    if isinstance(decoded, Undecodable):
        return ()
    models = decoded.model_summaries or ()
    return tuple(
        _build_info(model) for model in models if model.model_id and "TEXT" in (model.output_modalities or ["TEXT"])
    )


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    decoded = _ONE.decode(body)
    if isinstance(decoded, Undecodable) or decoded.model_details is None or not decoded.model_details.model_id:
        return None
    return msgspec.structs.replace(_build_info(decoded.model_details), id=model)


def read_count(body: bytes) -> int | None:
    """Return the number of tokens; None if the body does not match the schema."""
    decoded = _COUNT.decode(body)
    return None if isinstance(decoded, Undecodable) else decoded.input_tokens


def _build_control_request(endpoint: Endpoint, dialect: BedrockDialect, operation: Operation) -> HttpRequest:
    """Build a request to the control plane, whose host is not the runtime's."""
    return build_request(endpoint, operation, base_url=dialect.find_control_url(endpoint.base_url))


def _build_model_request(endpoint: Endpoint, dialect: BedrockDialect, model: str) -> HttpRequest:
    return _build_control_request(endpoint, dialect, GetFoundationModel(model_identifier=dialect.strip_area(model)))


def _build_info(model: FoundationModel) -> ModelInfo:
    return ModelInfo(
        id=model.model_id or "",
        supports_streaming=model.response_streaming_supported,
        supports_images=None if model.input_modalities is None else "IMAGE" in model.input_modalities,
        raw=dict(list_given_fields(model)),
    )


def _count_request(endpoint: Endpoint, dialect: BedrockDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    body = build_body(dialect, request).body
    counted = ConverseTokensRequest(
        messages=body.messages,
        system=body.system,
        tool_config=body.tool_config,
        additional_model_request_fields=body.additional_model_request_fields,
    )
    return Success(
        build_request(
            endpoint,
            # CountTokens accepts model ids, not cross-region inference profiles.
            CountTokens(model_id=dialect.strip_area(request.model)),
            body=encode_json(CountTokensRequest(input=CountTokensInput(converse=counted))),
            extra_headers=request.options.extra_headers,
        )
    )

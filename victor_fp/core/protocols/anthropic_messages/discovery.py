"""What the vendor tells of its models, and its counting of tokens."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import msgspec
from victor_fp_wire.anthropic_messages import response as wire

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.json import NotJson, decode_json_object
from victor_fp.core.protocols import Discovery, ModelInfo, TokenCounting
from victor_fp.core.protocols.anthropic_messages.request import write_count
from victor_fp.core.protocols.anthropic_messages.urls import url_for
from victor_fp.core.requests import Endpoint, HttpRequest, build_headers
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

MODELS: WireDecoder[wire.ListResponseModelInfo] = WireDecoder(wire.ListResponseModelInfo)
MODEL: WireDecoder[wire.ModelInfo] = WireDecoder(wire.ModelInfo)
COUNT: WireDecoder[wire.CountMessageTokensResponse] = WireDecoder(wire.CountMessageTokensResponse)
MOST_PER_PAGE = 1000
"""The vendor's document; without a limit a page has 20 models."""


def discovery(endpoint: Endpoint, dialect: AnthropicDialect) -> Discovery | None:
    """How to ask for models; None where the server lists none."""
    if not dialect.models_path:
        return None
    return Discovery(
        list_request=partial(_get, endpoint, f"{dialect.models_path}?limit={MOST_PER_PAGE}"),
        read_list=read_list,
        model_request=partial(_get_model, endpoint, dialect),
        read_model=read_model,
    )


def counting(endpoint: Endpoint, dialect: AnthropicDialect) -> TokenCounting | None:
    """How to have tokens counted; None where the server does not count."""
    if not dialect.count_path:
        return None
    return TokenCounting(request=partial(write_count, endpoint, dialect), read=read_count)


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models of a list; none for a body of another form."""
    answer = MODELS.decode(body)
    if isinstance(answer, Undecodable):
        return ()
    return tuple(_info(model, msgspec.to_builtins(model)) for model in answer.data or () if model.id)


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """One model; None for a body of another form."""
    answer = MODEL.decode(body)
    raw = decode_json_object(body)
    if isinstance(answer, Undecodable) or isinstance(raw, NotJson) or not answer.id:
        return None
    info = _info(answer, dict(raw))
    return info if info.id == model else msgspec.structs.replace(info, id=model)


def read_count(body: bytes) -> int | None:
    """The count; None for a body of another form."""
    answer = COUNT.decode(body)
    return None if isinstance(answer, Undecodable) else answer.input_tokens


def _get(endpoint: Endpoint, path: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url_for(endpoint, path), headers=build_headers(endpoint, json=False))


def _get_model(endpoint: Endpoint, dialect: AnthropicDialect, model: str) -> HttpRequest:
    return _get(endpoint, f"{dialect.models_path}/{quote(model, safe='@:-._~')}")


def _info(model: wire.ModelInfo, raw: dict[str, object]) -> ModelInfo:
    can = model.capabilities
    return ModelInfo(
        id=model.id or "",
        context_window=model.max_input_tokens,
        max_output=model.max_tokens,
        supports_images=None if can is None or can.image_input is None else can.image_input.supported,
        supports_reasoning=None if can is None or can.thinking is None else can.thinking.supported,
        raw=raw,
    )

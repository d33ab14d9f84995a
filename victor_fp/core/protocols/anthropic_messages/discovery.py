"""Model discovery and token counting of Anthropic Messages."""

from __future__ import annotations

from functools import partial

import msgspec
from victor_fp_wire.anthropic_messages import response as wire
from victor_fp_wire.anthropic_messages.operations import CountTokens, GetModel, ListModels

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.json import NotJson, Undecodable, decode_json_object
from victor_fp.core.protocols import Discovery, TokenCounting
from victor_fp.core.protocols.anthropic_messages.request import write_count
from victor_fp.core.protocols.openai_family.discovery import read_list as read_served_list
from victor_fp.core.protocols.openai_family.discovery import read_props
from victor_fp.core.protocols.openai_family.routes import build_props_request
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

MODELS = build_decoder(ListModels.RESPONSE)
MODEL = build_decoder(GetModel.RESPONSE)
COUNT = build_decoder(CountTokens.RESPONSE)
MAX_PAGE_SIZE = 1000
"""Maximum in the vendor's document; the default is 20 models per page."""


def build_discovery(endpoint: Endpoint, dialect: AnthropicDialect) -> Discovery | None:
    """Return the discovery operations; None if the server does not list models."""
    if not dialect.lists_models:
        return None
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels(limit=MAX_PAGE_SIZE)),
        read_list=read_served_list if dialect.has_server_props else read_list,
        model_request=partial(_build_model_request, endpoint, dialect),
        read_model=read_props if dialect.has_server_props else read_model,
        next_page=partial(_build_next_page, endpoint),
        list_has_limits=dialect.has_server_props,
    )


def _build_model_request(endpoint: Endpoint, dialect: AnthropicDialect, model: str) -> HttpRequest:
    if dialect.has_server_props:
        return build_props_request(endpoint, model)
    return build_request(endpoint, GetModel(model_id=model))


def _build_next_page(endpoint: Endpoint, body: bytes) -> HttpRequest | None:
    page = MODELS.decode(body)
    if isinstance(page, Undecodable) or not page.has_more or not page.last_id:
        return None
    return build_request(endpoint, ListModels(limit=MAX_PAGE_SIZE, after_id=page.last_id))


def build_token_counting(endpoint: Endpoint, dialect: AnthropicDialect) -> TokenCounting | None:
    """Return the token counting operation; None if the server has none."""
    if not dialect.counts_tokens:
        return None
    return TokenCounting(request=partial(write_count, endpoint, dialect), read=read_count)


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a list; empty if the body does not match the schema."""
    decoded = MODELS.decode(body)
    if isinstance(decoded, Undecodable):
        return ()
    return tuple(_build_info(model, msgspec.to_builtins(model)) for model in decoded.data or () if model.id)


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    decoded = MODEL.decode(body)
    raw = decode_json_object(body)
    if isinstance(decoded, Undecodable) or isinstance(raw, NotJson) or not decoded.id:
        return None
    info = _build_info(decoded, dict(raw))
    return info if info.id == model else msgspec.structs.replace(info, id=model)


def read_count(body: bytes) -> int | None:
    """Return the number of tokens; None if the body does not match the schema."""
    decoded = COUNT.decode(body)
    return None if isinstance(decoded, Undecodable) else decoded.input_tokens


def _build_info(model: wire.ModelInfo, raw: dict[str, object]) -> ModelInfo:
    capabilities = model.capabilities
    return ModelInfo(
        id=model.id or "",
        context_window=read_limit(model.max_input_tokens),
        max_output=read_limit(model.max_tokens),
        supports_images=None
        if capabilities is None or capabilities.image_input is None
        else capabilities.image_input.supported,
        supports_reasoning=None
        if capabilities is None or capabilities.thinking is None
        else capabilities.thinking.supported,
        raw=raw,
    )

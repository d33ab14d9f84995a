"""Model discovery of Cohere."""

from __future__ import annotations

from functools import partial

import msgspec
from victor_fp_wire.cohere_v2 import response as wire
from victor_fp_wire.cohere_v2.operations import GetModel, ListModels

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

MODELS = build_decoder(ListModels.RESPONSE)
MODEL = build_decoder(GetModel.RESPONSE)
MAX_PAGE_SIZE = 1000
"""Maximum in the vendor's document; the default is 20 models per page."""


def build_discovery(endpoint: Endpoint) -> Discovery:
    """Return the discovery operations, for models with chat support."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels(page_size=MAX_PAGE_SIZE, endpoint="chat")),
        read_list=read_list,
        model_request=lambda model: build_request(endpoint, GetModel(model=model)),
        read_model=read_model,
        next_page=partial(_build_next_page, endpoint),
    )


def _build_next_page(endpoint: Endpoint, body: bytes) -> HttpRequest | None:
    page = MODELS.decode(body)
    if isinstance(page, Undecodable) or not page.next_page_token:
        return None
    following = ListModels(page_size=MAX_PAGE_SIZE, page_token=page.next_page_token, endpoint="chat")
    return build_request(endpoint, following)


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a list; empty if the body does not match the schema."""
    listed = MODELS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    return tuple(_build_info(model.name, model) for model in listed.models or () if model.name)


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    decoded = MODEL.decode(body)
    return None if isinstance(decoded, Undecodable) or not decoded.name else _build_info(model, decoded)


def _build_info(name: str, model: wire.Model) -> ModelInfo:
    features = None if model.features is None else frozenset(model.features)
    facts: dict[str, object] = msgspec.to_builtins(model)
    return ModelInfo(
        id=name,
        context_window=read_limit(model.context_length),
        supports_tools=None if features is None else bool(features & {"tools", "strict_tools", "tool_choice"}),
        supports_images=None if features is None else "vision" in features,
        supports_reasoning=None if features is None else bool(features & {"reasoning", "thinking"}),
        raw={key: value for key, value in facts.items() if value is not None},
    )

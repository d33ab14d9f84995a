"""Model discovery of Mistral."""

from __future__ import annotations

from functools import partial

from victor_fp_wire.mistral.operations import GetModel, ListModels
from victor_fp_wire.mistral.response import Model, ModelCapabilities

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.json import Json, NotJson, Undecodable, decode_json_object
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.openai_family.discovery import index_raw_models
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint

MODELS = build_decoder(ListModels.RESPONSE)
MODEL = build_decoder(GetModel.RESPONSE)
UNKNOWN_CAPABILITIES = ModelCapabilities()


def build_discovery(endpoint: Endpoint) -> Discovery:
    """Return the discovery operations, GET /models and GET /models/{id}, which also accepts aliases."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels()),
        read_list=read_list,
        model_request=lambda model: build_request(endpoint, GetModel(model_id=model)),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a list; empty if the body does not match the schema."""
    listed = MODELS.decode(body)
    models = () if isinstance(listed, Undecodable) else listed.data or ()
    raw = index_raw_models(body)
    return tuple(_build_info(model.id, model, raw.get(model.id, {})) for model in models if model.id)


def read_model(_model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    model = MODEL.decode(body)
    raw = decode_json_object(body)
    if isinstance(model, Undecodable) or isinstance(raw, NotJson) or not model.id:
        return None
    return _build_info(model.id, model, raw)


def _build_info(name: str, model: Model, raw: dict[str, Json]) -> ModelInfo:
    capabilities = model.capabilities or UNKNOWN_CAPABILITIES
    return ModelInfo(
        id=name,
        context_window=read_limit(model.max_context_length),
        supports_tools=capabilities.function_calling,
        supports_images=capabilities.vision,
        supports_reasoning=capabilities.reasoning,
        raw=dict(raw),
    )

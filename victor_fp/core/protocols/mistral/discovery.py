"""Which models the key may use, and how much one of them can read."""

from __future__ import annotations

from functools import partial

from victor_fp_wire.mistral.operations import GetModel, ListModels
from victor_fp_wire.mistral.response import Model, ModelCapabilities

from victor_fp.core.json import Json, NotJson, decode_json_object
from victor_fp.core.protocols import Discovery, ModelInfo
from victor_fp.core.protocols.openai_family.discovery import index_raw_models
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

MODELS = build_decoder(ListModels.RESPONSE)
MODEL = build_decoder(GetModel.RESPONSE)
NOTHING_KNOWN = ModelCapabilities()


def build_discovery(endpoint: Endpoint) -> Discovery:
    """GET /models, and GET /models/{id}, which takes aliases too."""
    return Discovery(
        list_request=partial(build_request, endpoint, ListModels()),
        read_list=read_list,
        model_request=lambda model: build_request(endpoint, GetModel(model_id=model)),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models of a list; nothing for a body that is none."""
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
    able = model.capabilities or NOTHING_KNOWN
    return ModelInfo(
        id=name,
        context_window=int(model.max_context_length) if model.max_context_length else None,
        supports_tools=able.function_calling,
        supports_images=able.vision,
        supports_reasoning=able.reasoning,
        raw=dict(raw),
    )

"""Which models the key may use, and how much one of them can read."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from victor_fp_wire.mistral.response import Model, ModelCapabilities

from victor_fp.core.json import Json, decode_json, decode_json_object, encode_json
from victor_fp.core.protocols import Discovery, ModelInfo
from victor_fp.core.requests import Endpoint, HttpRequest, build_headers
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

MODELS: WireDecoder[Model] = WireDecoder(Model)
NOTHING_KNOWN = ModelCapabilities()


def discovery(endpoint: Endpoint) -> Discovery:
    """GET /models, and GET /models/{id}, which takes aliases too."""
    return Discovery(
        list_request=partial(_get, endpoint, "/models"),
        read_list=read_list,
        model_request=lambda model: _get(endpoint, f"/models/{quote(model, safe='')}"),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models of a list; nothing for a body that is none."""
    value = decode_json(body)
    entries = value.get("data") if isinstance(value, dict) else None
    infos = (_info(entry) for entry in (entries if isinstance(entries, list) else ()))
    return tuple(info for info in infos if info is not None)


def read_model(_model: str, body: bytes) -> ModelInfo | None:
    """One model; None for a body of another form."""
    return _info(decode_json_object(body))


def _get(endpoint: Endpoint, path: str) -> HttpRequest:
    return HttpRequest(
        method="GET",
        url=f"{endpoint.base_url}{path}",
        headers=build_headers(endpoint, json=False),
        signing=endpoint.spec.auth.kind,
    )


def _info(raw: object) -> ModelInfo | None:
    if not isinstance(raw, dict):
        return None
    facts: dict[str, Json] = raw
    model = MODELS.decode(encode_json(facts))
    if isinstance(model, Undecodable) or not model.id:
        return None
    able = model.capabilities or NOTHING_KNOWN
    return ModelInfo(
        id=model.id,
        context_window=int(model.max_context_length) if model.max_context_length else None,
        supports_tools=able.function_calling,
        supports_images=able.vision,
        supports_reasoning=able.reasoning,
        raw=dict(facts),
    )

"""Model discovery of Replicate: a collection of language models, and the input schema of one model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from victor_fp_wire.replicate.operations import GetCollection, GetModel
from victor_fp_wire.replicate.response import Model

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.json import Json, Undecodable
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

COLLECTIONS = build_decoder(GetCollection.RESPONSE)
MODELS = build_decoder(GetModel.RESPONSE)
IMAGES = frozenset({"image", "images", "image_input"})
REASONING = frozenset({"reasoning_effort", "thinking_budget", "thinking_budget_tokens", "extended_thinking"})
ITERATED = "x-cog-array-type"
"""Key in the schema of a streamed output."""


def build_discovery(endpoint: Endpoint, dialect: ReplicateDialect) -> Discovery:
    """Return the discovery operations; the list is the collection of language models."""
    return Discovery(
        list_request=partial(build_request, endpoint, GetCollection(slug=dialect.collection)),
        read_list=read_list,
        model_request=partial(_build_model_request, endpoint),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a collection; empty if the body does not match the schema."""
    listed = COLLECTIONS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    return tuple(
        _build_info(f"{model.owner}/{model.name}", model) for model in listed.models or () if model.owner and model.name
    )


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    decoded = MODELS.decode(body)
    return None if isinstance(decoded, Undecodable) or not decoded.name else _build_info(model, decoded)


def _build_model_request(endpoint: Endpoint, model: str) -> HttpRequest:
    owner, _, name = model.partition(":")[0].partition("/")
    return build_request(endpoint, GetModel(owner=owner, name=name))


def _build_info(name: str, model: Model) -> ModelInfo:
    """Build the model info from the input schema of the latest version. Replicate does not report context windows."""
    schemas = _find_mapping(model.latest_version, "openapi_schema", "components", "schemas")
    inputs = frozenset(_find_mapping(schemas, "Input", "properties"))
    facts: dict[str, object] = {
        "description": model.description,
        "visibility": model.visibility,
        "is_official": model.is_official,
        "run_count": model.run_count,
        "inputs": sorted(inputs) or None,
    }
    return ModelInfo(
        id=name,
        supports_tools="tools" in inputs if inputs else None,
        supports_streaming=ITERATED in _find_mapping(schemas, "Output") if inputs else None,
        supports_images=bool(inputs & IMAGES) if inputs else None,
        supports_reasoning=bool(inputs & REASONING) if inputs else None,
        raw={key: value for key, value in facts.items() if value is not None},
    )


def _find_mapping(value: Json, *path: str) -> Mapping[str, Json]:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}

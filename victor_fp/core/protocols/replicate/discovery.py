"""Which language models there are, and what one of them takes by the schema of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from victor_fp_wire.replicate.operations import GetCollection, GetModel
from victor_fp_wire.replicate.response import Model

from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.json import Json
from victor_fp.core.protocols import Discovery, ModelInfo
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.wire_decoding import Undecodable

COLLECTIONS = build_decoder(GetCollection.RESPONSE)
MODELS = build_decoder(GetModel.RESPONSE)
IMAGES = frozenset({"image", "images", "image_input"})
REASONING = frozenset({"reasoning_effort", "thinking_budget", "thinking_budget_tokens", "extended_thinking"})
ITERATED = "x-cog-array-type"
"""In the schema of an output that comes in pieces."""


def build_discovery(endpoint: Endpoint, dialect: ReplicateDialect) -> Discovery:
    """How to ask for models; there is no list of all of them worth reading, so that of language models is."""
    return Discovery(
        list_request=partial(build_request, endpoint, GetCollection(slug=dialect.collection)),
        read_list=read_list,
        model_request=partial(_build_model_request, endpoint),
        read_model=read_model,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """The models of a collection; none for a body of another form."""
    listed = COLLECTIONS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    return tuple(
        _build_info(f"{model.owner}/{model.name}", model) for model in listed.models or () if model.owner and model.name
    )


def read_model(model: str, body: bytes) -> ModelInfo | None:
    """Return one model; None if the body does not match the schema."""
    told = MODELS.decode(body)
    return None if isinstance(told, Undecodable) or not told.name else _build_info(model, told)


def _build_model_request(endpoint: Endpoint, model: str) -> HttpRequest:
    owner, _, name = model.partition(":")[0].partition("/")
    return build_request(endpoint, GetModel(owner=owner, name=name))


def _build_info(name: str, model: Model) -> ModelInfo:
    """Replicate tells nothing of windows; what a model takes stands in its schema, where it has a version."""
    schemas = _find_mapping(model.latest_version, "openapi_schema", "components", "schemas")
    takes = frozenset(_find_mapping(schemas, "Input", "properties"))
    facts: dict[str, object] = {
        "description": model.description,
        "visibility": model.visibility,
        "is_official": model.is_official,
        "run_count": model.run_count,
        "inputs": sorted(takes) or None,
    }
    return ModelInfo(
        id=name,
        supports_tools="tools" in takes if takes else None,
        supports_streaming=ITERATED in _find_mapping(schemas, "Output") if takes else None,
        supports_images=bool(takes & IMAGES) if takes else None,
        supports_reasoning=bool(takes & REASONING) if takes else None,
        raw={key: value for key, value in facts.items() if value is not None},
    )


def _find_mapping(value: Json, *path: str) -> Mapping[str, Json]:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}

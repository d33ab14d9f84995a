"""Model discovery: models and limits in the many forms of OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from victor_fp_wire.openai_chat.operations import GetServerProps, ListModels
from victor_fp_wire.openai_chat.response import Model

from victor_fp.core.catalogue.spec import ModelInfo, read_limit
from victor_fp.core.json import Json, Undecodable, decode_lenient_json
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.openai_family.routes import RoutedDialect, build_list_request, build_props_request
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.requests import Endpoint

MODELS = build_decoder(ListModels.RESPONSE)
PROPS = build_decoder(GetServerProps.RESPONSE)
TOOL_CAPABILITIES = frozenset({"tools", "tool_use", "function_calling", "tool_choice"})
IMAGE_CAPABILITIES = frozenset({"image", "vision", "image_input"})
REASONING_CAPABILITIES = frozenset({"reasoning", "thinking", "include_reasoning", "reasoning_effort"})


def build_discovery(endpoint: Endpoint, dialect: RoutedDialect) -> Discovery:
    """Return the operations that list models and, for llama.cpp servers, get the settings of one."""
    return Discovery(
        list_request=partial(build_list_request, endpoint, dialect),
        read_list=read_list,
        model_request=partial(build_props_request, endpoint) if dialect.has_server_props else None,
        read_model=read_props if dialect.has_server_props else None,
        list_has_limits=dialect.has_server_props,
    )


def read_list(body: bytes) -> tuple[ModelInfo, ...]:
    """Return the models of a list under `data`, or of Together's bare array; empty if the body is neither."""
    listed = MODELS.decode(body)
    if isinstance(listed, Undecodable):
        return ()
    models = listed if isinstance(listed, list) else listed.data or ()
    raw = index_raw_models(body)
    return tuple(_build_info(model.id, model, raw.get(model.id, {})) for model in models if model.id)


def index_raw_models(body: bytes) -> dict[str, dict[str, Json]]:
    """Return the raw entries of a list of models, by id."""
    value = decode_lenient_json(body)
    entries = value.get("data") if isinstance(value, dict) else value
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry["id"]): entry for entry in found if "id" in entry}


def read_props(model: str, body: bytes) -> ModelInfo | None:
    """Return the settings of a running llama.cpp server, with the context window per conversation."""
    props = PROPS.decode(body)
    raw = decode_lenient_json(body)
    if isinstance(props, Undecodable) or props.default_generation_settings is None or not isinstance(raw, dict):
        return None
    caps = props.chat_template_caps if isinstance(props.chat_template_caps, dict) else {}
    seen = props.modalities if isinstance(props.modalities, dict) else {}
    return ModelInfo(
        id=model,
        context_window=read_limit(props.default_generation_settings.n_ctx),
        supports_tools=_read_flag(caps.get("supports_tools")),
        supports_images=_read_flag(seen.get("vision")),
        raw=dict(raw),
    )


def _build_info(name: str, model: Model, raw: dict[str, Json]) -> ModelInfo:
    capabilities = _collect_capabilities(model)
    architecture = model.architecture if isinstance(model.architecture, dict) else {}
    seen = _collect_texts(model.input_modalities) | _collect_texts(architecture.get("input_modalities"))
    served = [provider for provider in model.providers or () if provider.status in (None, "live")]
    top = model.top_provider
    return ModelInfo(
        id=name,
        context_window=read_limit(
            model.loaded_context_length
            or model.context_length
            or model.context_window
            or model.max_model_len
            or model.max_context_length
            or model.max_prompt_length
            or (None if model.meta is None else model.meta.n_ctx or model.meta.n_ctx_train)
            or (None if top is None else top.context_length)
            or max((provider.context_length or 0 for provider in served), default=0)
        ),
        max_output=read_limit(
            model.max_completion_tokens
            or model.max_output_length
            or (None if top is None else top.max_completion_tokens)
        ),
        supports_tools=_find_first_known(
            model.supports_tools,
            bool(capabilities & TOOL_CAPABILITIES) if capabilities else None,
            any(provider.supports_tools for provider in served) if served else None,
        ),
        supports_images=_find_first_known(
            model.supports_image_input,
            model.supports_image_in,
            bool(seen & IMAGE_CAPABILITIES) if seen else None,
            model.type == "vlm" if model.type in ("llm", "vlm") else None,
        ),
        supports_reasoning=_find_first_known(
            model.supports_reasoning, bool(capabilities & REASONING_CAPABILITIES) if capabilities else None
        ),
        raw=dict(raw),
    )


def _collect_capabilities(model: Model) -> set[str]:
    """Collect named capabilities: LM Studio's, Groq's features, OpenRouter's parameters."""
    return (
        _collect_texts(model.capabilities)
        | _collect_texts(model.supported_features)
        | _collect_texts(model.supported_parameters)
    )


def _collect_texts(value: object) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()


def _read_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _find_first_known(*values: bool | None) -> bool | None:
    return next((value for value in _drop_unknown(values)), None)


def _drop_unknown(values: Iterable[bool | None]) -> list[bool]:
    return [value for value in values if value is not None]

"""Texts as the body of POST /embeddings, with the fields that vendors add to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_embeddings import request as wire
from victor_fp_wire.openai_embeddings.operations import CreateDeploymentEmbedding, CreateEmbedding

from victor_fp.core.dialects.embeddings import Additions, OpenAIEmbeddings
from victor_fp.core.embeddings import EmbeddingRequest
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols.openai_chat.routes import (
    DEPLOYMENT_VERSION,
    has_dated_version,
    resource_url,
    version_parameter,
)
from victor_fp.core.protocols.retrieval_support import (
    CUT_AT_MODEL_LENGTH,
    SupportedEmbedding,
    build_retrieval,
    support_embedding,
    truncation_word,
)
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome


def build_embedding_request(
    endpoint: Endpoint, dialect: OpenAIEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    """The request for vectors of these texts, or the fault that names what the vendor does not support."""
    match outcome(support_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    base_url: str | None = None
    operation: CreateEmbedding | CreateDeploymentEmbedding = CreateEmbedding()
    if dialect.deployment_urls:
        root = resource_url(endpoint)
        if root is None:
            message = f"{endpoint.spec.title} needs its resource: pass endpoint= or base_url="
            return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
        base_url = f"{root}/openai/v1"
        operation = CreateEmbedding(api_version=version_parameter(endpoint))
        if has_dated_version(endpoint):
            # The configured deployment is the one for chats: here the model names the deployment.
            version = endpoint.settings.get("api_version") or DEPLOYMENT_VERSION
            operation = CreateDeploymentEmbedding(deployment=request.model, api_version=version)
            base_url = f"{root}/openai"
    body = wire.EmbeddingRequest(
        model=request.model if isinstance(operation, CreateEmbedding) else UNSET,
        input=supported.texts,
        dimensions=UNSET if dialect.additions in _OWN_DIMENSIONS else supported.dimensions,
        encoding_format="base64" if dialect.base64 and dialect.additions != "jina" else UNSET,
        user=supported.user,
    )
    fields = _FIELDS[dialect.additions](supported) if dialect.additions else None
    return Success(
        build_retrieval(endpoint, operation, request, body, supported.adjustments, fields=fields, base_url=base_url)
    )


_OWN_DIMENSIONS: frozenset[Additions] = frozenset({"mistral", "voyage"})
"""Vendors that call them output_dimension."""


def _build_mistral_fields(supported: SupportedEmbedding) -> wire.MistralFields:
    return wire.MistralFields(output_dimension=supported.dimensions, output_dtype=supported.dtype)


def _build_voyage_fields(supported: SupportedEmbedding) -> wire.VoyageFields:
    return wire.VoyageFields(
        input_type=supported.purpose,
        output_dimension=supported.dimensions,
        output_dtype=supported.dtype,
        truncation=supported.truncate,
    )


def _build_jina_fields(supported: SupportedEmbedding) -> wire.JinaFields:
    kind: Literal["base64", "binary", "ubinary"] = "base64"
    if supported.dtype in ("binary", "ubinary"):
        kind = supported.dtype
    return wire.JinaFields(task=supported.purpose, truncate=supported.truncate, embedding_type=kind)


def _build_nvidia_fields(supported: SupportedEmbedding) -> wire.NvidiaFields:
    return wire.NvidiaFields(input_type=supported.purpose, truncate=truncation_word(supported.truncate))


def _build_openrouter_fields(supported: SupportedEmbedding) -> wire.OpenrouterFields:
    return wire.OpenrouterFields(input_type=supported.purpose)


def _build_vllm_fields(supported: SupportedEmbedding) -> wire.VllmFields:
    return wire.VllmFields(truncate_prompt_tokens=CUT_AT_MODEL_LENGTH if supported.truncate is True else UNSET)


_FIELDS: Mapping[Additions, Callable[[SupportedEmbedding], msgspec.Struct]] = {
    "mistral": _build_mistral_fields,
    "voyage": _build_voyage_fields,
    "jina": _build_jina_fields,
    "nvidia": _build_nvidia_fields,
    "openrouter": _build_openrouter_fields,
    "vllm": _build_vllm_fields,
}

"""Request bodies of POST /embeddings, with vendor-specific fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import UNSET
from msgspec.structs import asdict
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_embeddings import request as wire
from victor_fp_wire.openai_embeddings.operations import CreateDeploymentEmbedding, CreateEmbedding

from victor_fp.core.dialects.embeddings import Additions, OpenAIEmbeddings
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols.openai_family.routes import (
    DEPLOYMENT_VERSION,
    find_resource_url,
    has_dated_version,
    read_version_parameter,
)
from victor_fp.core.protocols.retrieval_support import (
    CUT_AT_MODEL_LENGTH,
    SupportedEmbedding,
    build_retrieval,
    choose_truncation,
    resolve_embedding,
)
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest


def build_embedding_request(
    endpoint: Endpoint, dialect: OpenAIEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    """Build the request, or return the fault that names the unsupported option."""
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    base_url: str | None = None
    operation: CreateEmbedding | CreateDeploymentEmbedding = CreateEmbedding()
    if dialect.deployment_urls:
        root = find_resource_url(endpoint)
        if root is None:
            message = f"{endpoint.spec.title} requires a resource: pass endpoint= or base_url="
            return Failure(
                InvalidRequest(
                    provider=endpoint.spec.name, model=request.model, code="setting_missing", message=message
                )
            )
        base_url = f"{root}/openai/v1"
        operation = CreateEmbedding(api_version=read_version_parameter(endpoint))
        if has_dated_version(endpoint):
            # The configured deployment is that of chats; for embeddings the model is the deployment.
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
    if dialect.additions:
        body = _EXTENDERS[dialect.additions](body, supported)
    return Success(build_retrieval(endpoint, operation, request, body, supported.adjustments, base_url=base_url))


_OWN_DIMENSIONS: frozenset[Additions] = frozenset({"mistral", "voyage"})
"""Vendors that name the field output_dimension."""


def _extend_for_mistral(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    return wire.MistralEmbeddingRequest(
        **asdict(body), output_dimension=supported.dimensions, output_dtype=supported.dtype
    )


def _extend_for_voyage(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    return wire.VoyageEmbeddingRequest(
        **asdict(body),
        input_type=supported.purpose,
        output_dimension=supported.dimensions,
        output_dtype=supported.dtype,
        truncation=supported.truncate,
    )


def _extend_for_jina(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    dtype = supported.dtype
    kind: Literal["base64", "binary", "ubinary"] = "base64"
    if dtype == "binary":
        kind = "binary"
    elif dtype == "ubinary":
        kind = "ubinary"
    return wire.JinaEmbeddingRequest(
        **asdict(body), task=supported.purpose, truncate=supported.truncate, embedding_type=kind
    )


def _extend_for_nvidia(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    return wire.NvidiaEmbeddingRequest(
        **asdict(body), input_type=supported.purpose, truncate=choose_truncation(supported.truncate)
    )


def _extend_for_openrouter(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    return wire.OpenrouterEmbeddingRequest(**asdict(body), input_type=supported.purpose)


def _extend_for_vllm(body: wire.EmbeddingRequest, supported: SupportedEmbedding) -> wire.EmbeddingRequest:
    return wire.VllmEmbeddingRequest(
        **asdict(body), truncate_prompt_tokens=CUT_AT_MODEL_LENGTH if supported.truncate is True else UNSET
    )


_EXTENDERS: Mapping[Additions, Callable[[wire.EmbeddingRequest, SupportedEmbedding], wire.EmbeddingRequest]] = {
    "mistral": _extend_for_mistral,
    "voyage": _extend_for_voyage,
    "jina": _extend_for_jina,
    "nvidia": _extend_for_nvidia,
    "openrouter": _extend_for_openrouter,
    "vllm": _extend_for_vllm,
}

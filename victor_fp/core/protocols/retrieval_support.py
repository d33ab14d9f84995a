"""Options of embeddings and reranking in the vendor's form: converted, adjusted, or rejected by name."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success
from victor_fp_wire import Operation

from victor_fp.core.dialects.embeddings import EmbeddingDialect, EmbeddingPolicy, VendorDtype
from victor_fp.core.dialects.reranking import RerankDialect
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Adjustment, Endpoint, HttpRequest, find_missing_setting, merge_extra_body
from victor_fp.core.retrieval.embeddings import EmbeddingRequest, RerankRequest
from victor_fp.core.retrieval.vectors import Purpose

V = TypeVar("V")

CUT_AT_MODEL_LENGTH = -1
"""vLLM's truncate_prompt_tokens: truncate at the model's maximum length."""


class SupportedEmbedding(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding request in the vendor's form; UNSET is not sent."""

    texts: list[str]
    policy: EmbeddingPolicy
    dimensions: int | UnsetType
    purpose: str | UnsetType
    dtype: VendorDtype | UnsetType
    """UNSET for float32, the default of all vendors."""
    truncate: bool | UnsetType
    user: str | UnsetType
    adjustments: tuple[Adjustment, ...] = ()


class _Choice(msgspec.Struct, Generic[V], frozen=True, kw_only=True):
    """Value sent for one option, and its adjustment, if any."""

    value: V
    changed: Adjustment | None = None
    refused: Adjustment | None = None


def resolve_embedding(
    endpoint: Endpoint, dialect: EmbeddingDialect, request: EmbeddingRequest
) -> Result[SupportedEmbedding, Fault]:
    """Return the request in the vendor's form, or the fault that names the first unsupported option."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    policy, title = dialect.find_policy(request.model), endpoint.spec.title
    refuses = dialect.refuses | policy.refuses
    reason = f"{title} does not support it" + (f" for {request.model}" if policy.refuses else "")
    dimensions = _choose_plain("dimensions", request.dimensions, refuses, reason)
    user = _choose_plain("user", request.user, refuses, reason)
    purpose, prompt = _choose_purpose(title, dialect, policy, request.purpose, reason)
    dtype = _choose_dtype(title, dialect, refuses, request)
    truncate = _choose_truncation(title, dialect, refuses, request, reason)
    choices = (dimensions, purpose, dtype, truncate, user)
    refused = [choice.refused for choice in choices if choice.refused is not None]
    if refused and request.on_unsupported == "fail":
        return Failure(_refuse(endpoint, request.model, refused[0]))
    texts = list(request.texts)
    return Success(
        SupportedEmbedding(
            texts=texts if prompt is None else [prompt.replace("{text}", text) for text in texts],
            policy=policy,
            dimensions=dimensions.value,
            purpose=purpose.value,
            dtype=dtype.value,
            truncate=truncate.value,
            user=user.value,
            adjustments=(*(choice.changed for choice in choices if choice.changed is not None), *refused),
        )
    )


def _choose_plain(name: str, value: V | None, refuses: frozenset[str], reason: str) -> _Choice[V | UnsetType]:
    """Choose the value of an option that is sent unchanged."""
    if value is None:
        return _Choice(value=UNSET)
    if name in refuses:
        return _Choice(value=UNSET, refused=Adjustment(parameter=name, reason=reason))
    return _Choice(value=value)


def _choose_purpose(
    title: str, dialect: EmbeddingDialect, policy: EmbeddingPolicy, requested: Purpose | None, reason: str
) -> tuple[_Choice[str | UnsetType], str | None]:
    """Choose the vendor's value for a purpose, or the prompt template that expresses it in the texts."""
    required = policy.required_purpose or dialect.required_purpose
    changed: Adjustment | None = None
    if requested is None and required is not None:
        requested, message = required, f"{title} requires a purpose; sent as {required}"
        changed = Adjustment(parameter="purpose", reason=message, action="changed")
    if requested is None:
        return _Choice(value=UNSET), None
    if "purpose" not in policy.refuses and requested in dialect.purposes:
        return _Choice(value=dialect.purposes[requested], changed=changed), None
    if requested in policy.prompts:
        message = f"{title} has no field for it; added to the texts"
        changed = Adjustment(parameter="purpose", reason=message, action="changed")
        return _Choice(value=UNSET, changed=changed), policy.prompts[requested]
    return _Choice(value=UNSET, refused=Adjustment(parameter="purpose", reason=reason)), None


def _choose_dtype(
    title: str, dialect: EmbeddingDialect, refuses: frozenset[str], request: EmbeddingRequest
) -> _Choice[VendorDtype | UnsetType]:
    if request.dtype == "float32":
        return _Choice(value=UNSET)
    if request.dtype in dialect.dtypes and "dtype" not in refuses:
        return _Choice(value=dialect.dtypes[request.dtype])
    refused = Adjustment(parameter="dtype", reason=f"{title} sends float32", action="changed")
    return _Choice(value=UNSET, refused=refused)


def _choose_truncation(
    title: str, dialect: EmbeddingDialect, refuses: frozenset[str], request: EmbeddingRequest, reason: str
) -> _Choice[bool | UnsetType]:
    requested = request.truncate
    if requested is None:
        return _Choice(value=UNSET)
    if dialect.truncation == "option" and "truncate" not in refuses:
        return _Choice(value=requested)
    if dialect.truncation == "never" and not requested:
        return _Choice(value=UNSET)
    message = f"{title} rejects texts that are too long" if dialect.truncation == "never" else reason
    return _Choice(value=UNSET, refused=Adjustment(parameter="truncate", reason=message))


def resolve_truncation(
    endpoint: Endpoint, dialect: RerankDialect, request: RerankRequest, *, is_option: bool
) -> Result[tuple[bool | UnsetType, tuple[Adjustment, ...]], Fault]:
    """Return the value of the truncation field, and the adjustments of the request."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    requested = request.truncate
    if requested is None or requested == dialect.truncates:
        return Success((UNSET, ()))
    if is_option:
        return Success((requested, ()))
    message = "truncates documents that are too long" if dialect.truncates else "does not support it"
    refused = Adjustment(parameter="truncate", reason=f"{endpoint.spec.title} {message}")
    if request.on_unsupported == "fail":
        return Failure(_refuse(endpoint, request.model, refused))
    return Success((UNSET, (refused,)))


def build_retrieval(
    endpoint: Endpoint,
    operation: Operation,
    request: EmbeddingRequest | RerankRequest,
    body: msgspec.Struct,
    adjustments: tuple[Adjustment, ...],
    *,
    base_url: str | None = None,
) -> HttpRequest:
    """Build the request for an operation, with the caller's `extra_body` merged."""
    data, overrides = merge_extra_body(body, request.extra_body, unknown=request.unknown)
    return build_request(
        endpoint,
        operation,
        base_url=base_url,
        body=data,
        extra_headers=request.extra_headers,
        adjustments=(*adjustments, *overrides),
    )


def choose_truncation(truncate: bool | UnsetType) -> Literal["NONE", "END"] | UnsetType:  # noqa: FBT001  the value itself
    """Return NVIDIA's and Cohere's `truncate`: cut at the end, or reject."""
    if truncate is UNSET:
        return UNSET
    return "END" if truncate else "NONE"


def _refuse(endpoint: Endpoint, model: str, refused: Adjustment) -> Fault:
    return UnsupportedParameter(
        provider=endpoint.spec.name,
        model=model,
        parameter=refused.parameter,
        message=f"{refused.parameter}: {refused.reason}. Pass on_unsupported='adjust' to continue without it.",
    )

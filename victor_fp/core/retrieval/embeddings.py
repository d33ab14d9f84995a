"""Embeddings and reranking: options, requests, responses, and joining the responses of several requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

import msgspec
from pydantic import BaseModel, ConfigDict, field_serializer, model_validator
from typing_extensions import TypedDict

from victor_fp.core.json import Json
from victor_fp.core.metadata import EmbeddingMetadata, RerankMetadata
from victor_fp.core.options import OnUnsupported
from victor_fp.core.retrieval.vectors import EMPTY, Purpose, Vectors, VectorType, concatenate, pack_floats
from victor_fp.core.types import Usage


class EmbedOptions(TypedDict, total=False):
    """The options of `embed`, for `**options: Unpack[EmbedOptions]`."""

    dtype: VectorType
    """Request quantised vectors, if the vendor supports them. Default: float32."""
    truncate: bool
    """Truncate texts that are too long, or reject them. Default: that of the vendor."""
    user: str
    extra_body: Mapping[str, Any]
    """Merged into the request body unchanged, last."""
    extra_headers: Mapping[str, str]
    timeout: float
    """Seconds for one attempt."""
    deadline: float
    """Seconds in total: queue, attempts, backoff, fallbacks, all requests of a long list of texts."""
    max_retries: int
    """Maximum number of retries; it can lower the provider's limit, not raise it."""
    on_unsupported: OnUnsupported
    """Fail on unsupported options (the default), or omit them and list them in `metadata["adjustments"]`."""


class RerankOptions(TypedDict, total=False):
    """The options of `rerank`, for `**options: Unpack[RerankOptions]`."""

    truncate: bool
    """Truncate documents that are too long, or reject them. Default: that of the vendor."""
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]
    timeout: float
    deadline: float
    max_retries: int
    on_unsupported: OnUnsupported


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Texts to embed with one request; None means not set."""

    texts: tuple[str, ...]
    model: str
    dimensions: int | None = None
    purpose: Purpose | None = None
    dtype: VectorType = "float32"
    truncate: bool | None = None
    user: str | None = None
    extra_body: dict[str, Json] = {}
    extra_headers: dict[str, str] = {}
    on_unsupported: OnUnsupported = "fail"
    unknown: dict[str, Json] = {}
    """Other options; they are merged into the body unchanged, before extra_body."""


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Documents to rank by their relevance to a query; None means not set."""

    query: str
    documents: tuple[str, ...]
    model: str
    top_n: int | None = None
    truncate: bool | None = None
    extra_body: dict[str, Json] = {}
    extra_headers: dict[str, str] = {}
    on_unsupported: OnUnsupported = "fail"
    unknown: dict[str, Json] = {}


_FROZEN = ConfigDict(
    frozen=True, extra="forbid", protected_namespaces=(), arbitrary_types_allowed=True, defer_build=True
)


class EmbeddingResponse(BaseModel):
    """The vectors of texts, in the order of the texts.

    `response.vectors[i]` is the vector of `texts[i]`; `numpy.asarray(response.vectors)` is a matrix without a copy. In
    a dump the vectors are lists of numbers.
    """

    model_config = _FROZEN

    vectors: Vectors
    dtype: VectorType = "float32"
    model: str | None = None
    usage: Usage | None = None
    """Tokens of all texts; None unless the vendor reports them for every request."""
    metadata: dict[str, Any] | None = None
    """The keys of `EmbeddingMetadata`, and those of a custom provider."""

    if TYPE_CHECKING:  # lists of numbers are packed

        def __init__(
            self,
            *,
            vectors: Vectors | Sequence[Sequence[float]],
            dtype: VectorType = "float32",
            model: str | None = None,
            usage: Mapping[str, object] | None = None,
            metadata: Mapping[str, Any] | None = None,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _pack(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or isinstance(vectors := value.get("vectors"), Vectors):
            return value
        if not isinstance(vectors, Sequence) or isinstance(vectors, str | bytes):
            return value
        try:
            packed = pack_floats(vectors, value.get("dtype", "float32"))
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"vectors: {error}") from None
        return {**value, "vectors": packed}

    @field_serializer("vectors")
    def _unpack(self, vectors: Vectors) -> list[list[float]]:
        return vectors.tolist()

    @property
    def typed_metadata(self) -> EmbeddingMetadata:
        """The metadata with the types of its documented keys; empty where there is none."""
        return cast("EmbeddingMetadata", self.metadata or {})

    def __len__(self) -> int:
        return len(self.vectors)


class RankedDocument(BaseModel):
    """One result of reranking."""

    model_config = _FROZEN

    index: int
    """Index of the document in the request."""
    score: float
    """Relevance to the query. Comparable within one response; the scale depends on the model."""
    document: str | None = None


class RerankResponse(BaseModel):
    """Documents by their relevance to a query, the most relevant first."""

    model_config = _FROZEN

    results: list[RankedDocument]
    model: str | None = None
    usage: Usage | None = None
    metadata: dict[str, Any] | None = None
    """The keys of `RerankMetadata`, and those of a custom provider."""

    @property
    def typed_metadata(self) -> RerankMetadata:
        """The metadata with the types of its documented keys; empty where there is none."""
        return cast("RerankMetadata", self.metadata or {})


def build_empty_response(model: str) -> EmbeddingResponse:
    """Return the response for an empty list of texts; no request is sent."""
    return EmbeddingResponse(vectors=EMPTY, model=model)


def join_responses(parts: Sequence[EmbeddingResponse]) -> EmbeddingResponse:
    """Join the responses of consecutive texts. Raises ValueError if their vectors differ in length or type."""
    vectors = concatenate([part.vectors for part in parts])
    first = parts[0]
    return EmbeddingResponse(
        vectors=vectors,
        dtype=vectors.dtype,
        model=first.model,
        usage=sum_usage([part.usage for part in parts]),
        metadata=_join_metadata(parts) or None,
    )


def sum_usage(parts: Sequence[Usage | None]) -> Usage | None:
    """Sum the counts that every part reports; a count that a part lacks is omitted, as the sum would be too small."""
    reported = [part for part in parts if part is not None]
    if not reported or len(reported) < len(parts):
        return None
    shared = set(reported[0]).intersection(*reported)
    total: dict[str, Any] = {}
    for name in reported[0]:
        counts: list[Any] = [dict(part)[name] for part in reported] if name in shared else [None]
        if all(isinstance(count, int) for count in counts):
            total[name] = sum(counts)
    return Usage(**total) if total else None  # type: ignore[typeddict-item]  # the names are those of the parts


def _join_metadata(parts: Sequence[EmbeddingResponse]) -> dict[str, Any]:
    """Join metadata: equal values are kept, costs summed, truncated texts and ids listed."""
    starts = accumulate((len(part) for part in parts), initial=0)
    found = [_add_offset(part.metadata or {}, start) for part, start in zip(parts, starts, strict=False)]
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(name for metadata in found for name in metadata):
        values = [metadata.get(name) for metadata in found]
        if name == "cost":
            costs = [value for value in values if isinstance(value, dict)]
            if len(costs) == len(values):
                joined[name] = {**costs[0], "amount": sum(cost["amount"] for cost in costs)}
        elif name == "id":
            joined["ids"] = [value for value in values if value is not None]
        elif all(value == values[0] for value in values):
            joined[name] = values[0]
        elif all(isinstance(value, list | None) for value in values):
            joined[name] = [item for value in values for item in value or ()]
        else:
            joined[name] = values
    return joined


def _add_offset(metadata: Mapping[str, Any], start: int) -> Mapping[str, Any]:
    """Return the metadata with the indexes of truncated texts as positions in all texts, of which the part's begin at `start`."""
    match metadata.get("truncated"):
        case [*indexes] if start and all(isinstance(index, int) for index in indexes):
            return {**metadata, "truncated": [start + index for index in indexes]}
        case _:
            return metadata

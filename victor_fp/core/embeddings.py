"""Embeddings and reranking as callers see them: options, responses, and how the responses of several requests are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ConfigDict, field_serializer, model_validator
from typing_extensions import TypedDict

from victor_fp.core.json import Json
from victor_fp.core.options import OnUnsupported
from victor_fp.core.types import Usage
from victor_fp.core.vectors import EMPTY, Purpose, Vectors, VectorType, concatenate, pack_floats


class EmbedOptions(TypedDict, total=False):
    """The options of `embed`, for `**options: Unpack[EmbedOptions]`."""

    dtype: VectorType
    """Ask for quantised vectors, where the vendor makes them; float32 else."""
    truncate: bool
    """Cut texts that are too long, or refuse them; else as the vendor does by default."""
    user: str
    extra_body: Mapping[str, Any]
    """Merged into the request's body as it is, last."""
    extra_headers: Mapping[str, str]
    timeout: float
    """Seconds for one attempt."""
    deadline: float
    """Seconds for everything: queue, attempts, waits, fallbacks, all requests of a long list of texts."""
    on_unsupported: OnUnsupported
    """Fail on what the provider does not support (the default), or leave it out and list it in `metadata["adjustments"]`."""


class RerankOptions(TypedDict, total=False):
    """The options of `rerank`, for `**options: Unpack[RerankOptions]`."""

    truncate: bool
    """Cut documents that are too long, or refuse them; else as the vendor does by default."""
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]
    timeout: float
    deadline: float
    on_unsupported: OnUnsupported


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Texts that one request embeds; None is what the caller did not set."""

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
    """Options that are none of the above; they go into the body as they are, before extra_body."""


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Documents that are ordered by their relevance to a query; None is what the caller did not set."""

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

    `response.vectors[i]` is the vector of `texts[i]`; `numpy.asarray(response.vectors)` is a matrix without a copy. In a dump
    the vectors are lists of numbers.
    """

    model_config = _FROZEN

    vectors: Vectors
    dtype: VectorType = "float32"
    model: str | None = None
    usage: Usage | None = None
    """Tokens of all texts; absent where the vendor does not report them for every request."""
    metadata: dict[str, Any] | None = None
    """`adjustments`, `attempts`, `id`, `cost` and the vendor's extras."""

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

    def __len__(self) -> int:
        return len(self.vectors)


class RankedDocument(BaseModel):
    """A document's place among the results of reranking."""

    model_config = _FROZEN

    index: int
    """Of the document among those that were passed."""
    score: float
    """Relevance to the query; comparable within one response, and on a scale of the model's own."""
    document: str | None = None


class RerankResponse(BaseModel):
    """Documents by their relevance to a query, the most relevant first."""

    model_config = _FROZEN

    results: list[RankedDocument]
    model: str | None = None
    usage: Usage | None = None
    metadata: dict[str, Any] | None = None
    """`adjustments`, `attempts`, `id`, `cost`, `search_units` and the vendor's extras."""


def build_empty_response(model: str) -> EmbeddingResponse:
    """The response for no texts, which takes no request."""
    return EmbeddingResponse(vectors=EMPTY, model=model)


def join_responses(parts: Sequence[EmbeddingResponse]) -> EmbeddingResponse:
    """One response from those of consecutive texts. Raises ValueError where their vectors differ in length or type."""
    vectors = concatenate([part.vectors for part in parts])
    first = parts[0]
    return EmbeddingResponse(
        vectors=vectors,
        dtype=vectors.dtype,
        model=first.model,
        usage=sum_usage([part.usage for part in parts]),
        metadata=_join_metadata([part.metadata or {} for part in parts]) or None,
    )


def sum_usage(parts: Sequence[Usage | None]) -> Usage | None:
    """The counts that every part reports, summed: a sum without a part would be too small, so it is absent."""
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


def _join_metadata(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the parts share as it is, costs summed, truncated texts and ids listed."""
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = [part.get(name) for part in parts]
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

"""Building and splitting of requests for `embed` and `rerank`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json.keys import convert_keys
from victor_fp.core.request_building.values import find_number_problem
from victor_fp.core.requests import find_header_problem
from victor_fp.core.retrieval.embeddings import EmbeddingRequest, RerankRequest
from victor_fp.core.security.secrets import HiddenValuesDict

R = TypeVar("R", EmbeddingRequest, RerankRequest)

BYTES_PER_TOKEN = 2
"""UTF-8 bytes per token, as an upper bound for token counts: common tokenizers produce fewer tokens for any text except random
data."""

_CALL_OPTIONS = frozenset({"timeout", "deadline", "max_retries", "priority"})


def build_embedding_request(
    provider: str, texts: Sequence[str], *, model: str, options: Mapping[str, object]
) -> Result[EmbeddingRequest, Fault]:
    """Build a validated request; unknown options become vendor-specific fields."""
    return _build(EmbeddingRequest, provider, {"texts": tuple(texts), "model": model}, options)


def build_rerank_request(
    provider: str, query: str, documents: Sequence[str], *, model: str, options: Mapping[str, object]
) -> Result[RerankRequest, Fault]:
    """Build a validated request; unknown options become vendor-specific fields."""
    return _build(RerankRequest, provider, {"query": query, "documents": tuple(documents), "model": model}, options)


def _build(
    kind: type[R], provider: str, given: Mapping[str, object], options: Mapping[str, object]
) -> Result[R, Fault]:
    model = str(given["model"])
    if not model:
        return Failure(InvalidRequest(provider=provider, message="model is empty"))
    present = convert_keys(
        {name: value for name, value in options.items() if value is not None and name not in _CALL_OPTIONS}
    )
    if isinstance(present, str):
        return Failure(InvalidRequest(provider=provider, model=model, message=present))
    names = frozenset(kind.__struct_fields__) - {"unknown", *given}
    known = {name: value for name, value in present.items() if name in names}
    unknown = {name: value for name, value in present.items() if name not in names}
    try:
        request = msgspec.convert({**given, **known, "unknown": unknown}, kind)
    except msgspec.ValidationError as error:
        return Failure(InvalidRequest(provider=provider, model=model, message=f"invalid option: {error}"))
    problem = _find_problem(request)
    if problem is not None:
        return Failure(InvalidRequest(provider=provider, model=model, message=problem))
    if request.extra_headers:  # may contain a gateway's key
        request = msgspec.structs.replace(request, extra_headers=HiddenValuesDict(request.extra_headers))
    return Success(request)


def _find_problem(request: EmbeddingRequest | RerankRequest) -> str | None:
    count = request.dimensions if isinstance(request, EmbeddingRequest) else request.top_n
    if count is not None and count < 1:
        name = "dimensions" if isinstance(request, EmbeddingRequest) else "top_n"
        return f"{name}: expected a positive number, got {count}"
    header = find_header_problem(request.extra_headers)
    if header is not None:
        return f"extra_headers: {header}"
    fields = find_number_problem("extra_body", request.extra_body)
    return fields or next(filter(None, (find_number_problem(*one) for one in request.unknown.items())), None)


def split_texts(texts: Sequence[str], max_texts: int, max_total_tokens: int | None) -> list[range]:
    """Split texts into consecutive ranges within the limits of one request, by number and by tokens.

    Tokens are overestimated. A text that is too long has a range to itself. Splitting a range again does not change it.

        >>> split_texts(["a", "b", "c"], 2, None)
        [range(0, 2), range(2, 3)]
        >>> split_texts(["a" * 10, "b" * 10], 2, 8)
        [range(0, 1), range(1, 2)]
    """
    if max_total_tokens is None:
        return [range(start, min(start + max_texts, len(texts))) for start in range(0, len(texts), max_texts)]
    parts: list[range] = []
    start = tokens = 0
    for index, text in enumerate(texts):
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        cost = -(-size // BYTES_PER_TOKEN)
        if index > start and (index - start >= max_texts or tokens + cost > max_total_tokens):
            parts.append(range(start, index))
            start, tokens = index, 0
        tokens += cost
    if start < len(texts):
        parts.append(range(start, len(texts)))
    return parts

"""Public access to the pure core: builds the requests that would be sent, and decodes responses, without I/O.

    replay.request("openai", [Message(role="user", content="Hi")], model="gpt-5.1").map(HttpRequest.json)

`provider` is a name or alias of the catalogue: the built-in one, or one passed as `catalogue`, such as
`ProviderRegistry.catalogue()`, which includes registered providers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.protocols.retrieval_codecs import find_embedding_codec, find_rerank_codec
from victor_fp.core.request_building.inputs import Messages, ToolsInput, build_chat_request, read_texts
from victor_fp.core.request_building.retrieval import build_embedding_request, build_rerank_request, split_texts
from victor_fp.core.request_building.values import describe_failure
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.responses.bodies import read_completion
from victor_fp.core.responses.completions import ResponseContext, with_context
from victor_fp.core.responses.retrieval import (
    add_usage,
    build_embedding_response,
    build_rerank_response,
    refuse_operation,
)
from victor_fp.core.responses.streams import ReadResult, begin_reading, feed, finish
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
from victor_fp.core.retrieval.vectors import Purpose, VectorType
from victor_fp.core.text_tools.hook import find_text_calls
from victor_fp.core.types import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    CompletionResponse,
    StreamChunk,
    ToolDefinition,
)

__all__ = [
    "embed_request",
    "embed_requests",
    "embed_response",
    "request",
    "rerank_request",
    "rerank_response",
    "response",
    "stream",
]


def request(
    provider: str,
    messages: Messages,
    *,
    model: str,
    stream: bool = False,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: ToolsInput | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    **options: Any,
) -> Result[HttpRequest, Fault]:
    """Return the request that `chat` (or `stream`, with `stream=True`) would send, with a placeholder for the key."""
    match outcome(_build_endpoint(catalogue, provider, base_url, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            pass
    try:
        return build_chat_request(
            endpoint.spec.name,
            messages,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
            options=options,
        ).bind(lambda chat: codec_for(endpoint).for_model(model).request(chat))
    except Exception as error:  # messages that were constructed without validation
        return Failure(describe_failure(error, provider=endpoint.spec.name, model=model))


def response(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    settings: Mapping[str, object] | None = None,
    tools: Sequence[ToolDefinition] | None = None,
    text_tool_calls: str | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Result[CompletionResponse, Fault]:
    """Decode the body of a response. `text_tool_calls` is the format of calls of `tools` in the text."""
    match outcome(_bind_codec(catalogue, provider, settings, tools, text_tool_calls)):
        case Failure(fault):
            return Failure(fault)
        case Success((endpoint, codec)):
            context = ResponseContext(endpoint=endpoint)
            if status >= 400:
                return Failure(with_context(context, codec.error(status, _lower_names(headers), body)))
            return read_completion(context, codec, body)


def stream(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    chunks: Iterable[bytes],
    *,
    settings: Mapping[str, object] | None = None,
    tools: Sequence[ToolDefinition] | None = None,
    text_tool_calls: str | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Iterator[Result[StreamChunk, Fault]]:
    """Decode a stream from pieces of any size. Yield successes, then at most one failure."""
    match outcome(_bind_codec(catalogue, provider, settings, tools, text_tool_calls)):
        case Failure(fault):
            yield Failure(fault)
        case Success((endpoint, codec)):
            reading = begin_reading(ResponseContext(endpoint=endpoint), codec, status, _lower_names(headers))
            for chunk in chunks:
                read = feed(reading, chunk)
                reading = read.reading
                yield from _iterate_results(read)
            yield from _iterate_results(finish(reading))


def embed_request(
    provider: str,
    texts: Sequence[str] | str,
    *,
    model: str,
    dimensions: int | None = None,
    purpose: Purpose | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    **options: Any,
) -> Result[HttpRequest, Fault]:
    """Return the request that `embed` would send for these texts; InvalidRequest if it would send several or none.

    replay.embed_request("openai", ["Hi"], model="text-embedding-3-small").map(HttpRequest.json)
    """
    built = embed_requests(
        provider,
        texts,
        model=model,
        dimensions=dimensions,
        purpose=purpose,
        base_url=base_url,
        settings=settings,
        catalogue=catalogue,
        **options,
    )
    match outcome(built):
        case Failure(fault):
            return Failure(fault)
        case Success(requests):
            if len(requests) == 1:
                return Success(requests[0])
            message = f"the texts require {len(requests)} requests: call embed_requests"
            return Failure(InvalidRequest(provider=provider, model=model, message=message))


def embed_requests(
    provider: str,
    texts: Sequence[str] | str,
    *,
    model: str,
    dimensions: int | None = None,
    purpose: Purpose | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    **options: Any,
) -> Result[tuple[HttpRequest, ...], Fault]:
    """Return the requests that `embed` would send, in the order of the texts, split by the vendor's limits."""
    asked = {**options, "dimensions": dimensions, "purpose": purpose}
    match outcome(_build_endpoint(catalogue, provider, base_url, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            pass
    match outcome(read_texts("texts", texts)):
        case Success(given):
            pass
        case Failure(fault):
            return Failure(faults.with_context(fault, endpoint.spec.name, model))
    codec = find_embedding_codec(endpoint)
    if codec is None:
        return Failure(refuse_operation(endpoint, "embeddings", model))
    built: list[HttpRequest] = []
    for part in split_texts(given, *codec.limits(model)):
        texts_of_part = given[part.start : part.stop]
        request = build_embedding_request(endpoint.spec.name, texts_of_part, model=model, options=asked)
        match outcome(request.bind(codec.request)):
            case Failure(fault):
                return Failure(fault)
            case Success(http):
                built.append(http)
    return Success(tuple(built))


def embed_response(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    dtype: VectorType = "float32",
    count: int | None = None,
) -> Result[EmbeddingResponse, Fault]:
    """Decode the body of an embedding response. `count` is the number of texts that were sent; None skips that check."""
    match outcome(_build_endpoint(catalogue, provider, None, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            pass
    context, codec, lowered = ResponseContext(endpoint=endpoint), codec_for(endpoint), _lower_names(headers)
    embedding = find_embedding_codec(endpoint)
    if embedding is None:
        return Failure(refuse_operation(endpoint, "embeddings"))
    if status >= 400:
        return Failure(with_context(context, codec.error(status, lowered, body)))
    response = build_embedding_response(context, codec, embedding, body, dtype=dtype, count=count)
    read_headers = embedding.read_headers
    return response if read_headers is None else response.map(lambda found: add_usage(read_headers, found, lowered))


def rerank_request(
    provider: str,
    query: str,
    documents: Sequence[str],
    *,
    model: str,
    top_n: int | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    **options: Any,
) -> Result[HttpRequest, Fault]:
    """Return the request that `rerank` would send."""
    match outcome(_build_endpoint(catalogue, provider, base_url, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            pass
    match outcome(read_texts("documents", documents)):
        case Success(given):
            pass
        case Failure(fault):
            return Failure(faults.with_context(fault, endpoint.spec.name, model))
    codec = find_rerank_codec(endpoint)
    if codec is None:
        return Failure(refuse_operation(endpoint, "reranking", model))
    asked = {**options, "top_n": top_n}
    return build_rerank_request(endpoint.spec.name, query, given, model=model, options=asked).bind(codec.request)


def rerank_response(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    settings: Mapping[str, object] | None = None,
    catalogue: Catalogue = CATALOGUE,
    documents: Sequence[str] | None = None,
    top_n: int | None = None,
) -> Result[RerankResponse, Fault]:
    """Decode the body of a reranking response. `documents` are those that were sent; they are added to their scores."""
    match outcome(_build_endpoint(catalogue, provider, None, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            pass
    context, codec = ResponseContext(endpoint=endpoint), codec_for(endpoint)
    reranking = find_rerank_codec(endpoint)
    if reranking is None:
        return Failure(refuse_operation(endpoint, "reranking"))
    if status >= 400:
        return Failure(with_context(context, codec.error(status, _lower_names(headers), body)))
    return build_rerank_response(context, codec, reranking, body, documents=documents, top_n=top_n)


def _iterate_results(read: ReadResult) -> Iterator[Result[StreamChunk, Fault]]:
    yield from map(Success, read.chunks)
    if read.fault is not None:
        yield Failure(read.fault)


def _bind_codec(
    catalogue: Catalogue,
    provider: str,
    settings: Mapping[str, object] | None,
    tools: Sequence[ToolDefinition] | None,
    text_tool_calls: str | None,
) -> Result[tuple[Endpoint, Codec], Fault]:
    """Return the endpoint and its codec, which reads calls in the text if `text_tool_calls` is set."""
    match outcome(_build_endpoint(catalogue, provider, None, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            bound = find_text_calls(codec_for(endpoint), tools or (), text_tool_calls)
            return bound.map(lambda codec: (endpoint, codec))


def _build_endpoint(
    catalogue: Catalogue, provider: str, base_url: str | None, settings: Mapping[str, object] | None
) -> Result[Endpoint, Fault]:
    return catalogue.find(provider).bind(partial(build_endpoint, base_url=base_url, settings=settings))


def _lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}

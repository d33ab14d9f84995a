"""Stubs of embedding and reranking models: vectors and scores computed from words, in all vendors' formats.

Texts with common words have similar vectors, so that retrieval can be tested without a model.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from zlib import crc32

from victor_fp.core.retrieval.vectors import Vectors, VectorType, pack_floats
from victor_fp.testing.answers import Answer, Received, json_answer

DIMENSIONS = 8
"""Default length of vectors."""

Body: TypeAlias = Mapping[str, Any]
Respond: TypeAlias = Callable[[Body], object]


def stub_vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Compute a unit vector from the words of a text.

    >>> stub_vector("a cat") == stub_vector("A  cat!")
    True
    """
    counts = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        counts[crc32(word.encode("utf-8", "surrogatepass")) % dimensions] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    # In float32, like a model.
    return pack_floats([[count / length for count in counts]])[0].tolist()


def stub_score(query: str, document: str) -> float:
    """Compute the similarity of a document and a query, from 0 to 1."""
    pairs = zip(stub_vector(query, 64), stub_vector(document, 64), strict=True)
    return round(sum(one * other for one, other in pairs), 6)


def count_words(texts: Sequence[str]) -> int:
    """Return the token count reported by the stubs."""
    return sum(max(1, len(text.split())) for text in texts)


def answer_retrieval(received: Received) -> Answer | None:
    """Return the response to an embedding or reranking request, in the format for its URL; None for other requests."""
    path = received.path.partition("?")[0]
    body = received.json()
    respond = next((found for ending, found in _FORMS.items() if path.endswith(ending)), None)
    if respond is None or not isinstance(body, Mapping):
        return None
    return json_answer(respond(body))


def _quantise(vectors: Sequence[Sequence[float]], dtype: VectorType) -> Vectors:
    """Quantise vectors like vendors: bytes scaled to their range, or the bits of their signs."""
    if dtype == "float32":
        return pack_floats(vectors)
    if dtype in ("int8", "uint8"):
        shift = 0 if dtype == "int8" else 128
        return pack_floats([[round(value * 127) + shift for value in vector] for vector in vectors], dtype)
    offset = 128 if dtype == "binary" else 0
    return pack_floats([[bits - offset for bits in _pack_bits(vector)] for vector in vectors], dtype)


def _pack_bits(vector: Sequence[float]) -> list[int]:
    bits = "".join("1" if value > 0 else "0" for value in vector)
    return [int(bits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(bits), 8)]


def _build_vectors(texts: Sequence[str], dimensions: object) -> list[list[float]]:
    return [stub_vector(text, dimensions if isinstance(dimensions, int) else DIMENSIONS) for text in texts]


_TYPES: Mapping[str, VectorType] = {"int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary"}


def _respond_like_openai(body: Body) -> object:
    texts = body["input"]
    dtype = _TYPES.get(body.get("output_dtype") or body.get("embedding_type") or "", "float32")
    packed = _quantise(_build_vectors(texts, body.get("dimensions") or body.get("output_dimension")), dtype)
    is_base64 = "base64" in (body.get("encoding_format"), body.get("embedding_type"))
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": b64encode(vector.tobytes()).decode() if is_base64 else vector.tolist(),
        }
        for index, vector in enumerate(packed)
    ]
    tokens = count_words(texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    # Entries may come in any order.
    return {"object": "list", "data": data[::-1], "model": body.get("model", "model-1"), "usage": usage}


def _respond_like_gemini(body: Body) -> object:
    texts = [_join_text(request) for request in body["requests"]]
    dimensions = body["requests"][0].get("outputDimensionality")
    vectors = [{"values": vector} for vector in _build_vectors(texts, dimensions)]
    return {"embeddings": vectors, "usageMetadata": {"promptTokenCount": count_words(texts)}}


def _respond_like_gemini_to_one(body: Body) -> object:
    text = _join_text(body)
    dimensions = body.get("embedContentConfig", {}).get("outputDimensionality")
    return {
        "embedding": {"values": _build_vectors([text], dimensions)[0]},
        "usageMetadata": {"promptTokenCount": count_words([text])},
    }


def _join_text(request: Body) -> str:
    return "".join(part["text"] for part in request["content"]["parts"])


def _respond_like_vertex(body: Body) -> object:
    texts = [instance["content"] for instance in body["instances"]]
    vectors = _build_vectors(texts, body.get("parameters", {}).get("outputDimensionality"))
    return {
        "predictions": [
            {"embeddings": {"values": vector, "statistics": {"token_count": count_words([text]), "truncated": False}}}
            for text, vector in zip(texts, vectors, strict=True)
        ]
    }


def _respond_like_cohere(body: Body) -> object:
    texts = body["texts"]
    word = body.get("embedding_types", ["float"])[0]
    packed = _quantise(_build_vectors(texts, body.get("output_dimension")), _TYPES.get(word, "float32"))
    meta = {"billed_units": {"input_tokens": count_words(texts)}}
    return {"id": "embed-1", "embeddings": {word: packed.tolist()}, "meta": meta}


def _respond_like_ollama(body: Body) -> object:
    texts = body["input"]
    vectors = _build_vectors(texts, body.get("dimensions"))
    return {"model": body["model"], "embeddings": vectors, "prompt_eval_count": count_words(texts)}


def _respond_like_bedrock(body: Body) -> object:
    if "inputText" in body:
        text = body["inputText"]
        return {
            "embedding": _build_vectors([text], body.get("dimensions"))[0],
            "inputTextTokenCount": count_words([text]),
        }
    if "documents" in body:
        return {"results": _rank(body["query"], body["documents"], body.get("top_n"))}
    return _respond_like_cohere(body)


def _rank(query: str, documents: Sequence[str], top_n: object) -> list[dict[str, object]]:
    scores = [(stub_score(query, document), -index) for index, document in enumerate(documents)]
    ordered = sorted(scores, reverse=True)[: top_n if isinstance(top_n, int) else None]
    return [{"index": -place, "relevance_score": score} for score, place in ordered]


def _respond_like_rerankers(body: Body) -> object:
    results = _rank(body["query"], body["documents"], body.get("top_n") or body.get("top_k"))
    usage = {"total_tokens": count_words([body["query"], *body["documents"]])}
    name = "data" if "top_k" in body else "results"
    return {"id": "rank-1", "model": body["model"], name: results, "usage": usage}


def _respond_like_vertex_ranking(body: Body) -> object:
    found = [{"id": one["id"], "score": stub_score(body["query"], one["content"])} for one in body["records"]]
    ordered = sorted(found, key=lambda one: -one["score"])
    return {"records": ordered[: body.get("topN")]}


_FORMS: Mapping[str, Respond] = {
    "/embeddings": _respond_like_openai,
    ":batchEmbedContents": _respond_like_gemini,
    ":embedContent": _respond_like_gemini_to_one,
    ":predict": _respond_like_vertex,
    "/v2/embed": _respond_like_cohere,
    "/api/embed": _respond_like_ollama,
    "/invoke": _respond_like_bedrock,
    "/rerank": _respond_like_rerankers,
    ":rank": _respond_like_vertex_ranking,
}
"""By the end of the URL path."""

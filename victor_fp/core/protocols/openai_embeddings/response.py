"""Response bodies of POST /embeddings."""

from __future__ import annotations

from typing import Any

from returns.result import Result
from victor_fp_wire.openai_embeddings.operations import CreateEmbedding
from victor_fp_wire.openai_embeddings.response import EmbeddingList

from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.retrieval import DecodedVectors, order_rows, pack_rows, reject_body, report_usage
from victor_fp.core.retrieval.vectors import VectorType
from victor_fp.core.usage.cost import build_cost

LISTS = build_decoder(CreateEmbedding.RESPONSE)


def decode_vectors(body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors, numbers or base64, in the order of the texts."""
    listed = LISTS.decode(body)
    if isinstance(listed, Undecodable):
        return reject_body(listed.reason)
    if listed.data is None:
        return reject_body("no vectors")
    rows = [entry.embedding for entry in listed.data]
    ordered = order_rows([entry.index for entry in listed.data], rows)
    return ordered.bind(lambda found: pack_rows(found, dtype)).map(
        lambda vectors: DecodedVectors(
            vectors=vectors,
            model=listed.model,
            usage=None if (used := listed.usage) is None else report_usage(used.prompt_tokens, used.total_tokens),
            metadata=_collect_metadata(listed),
        )
    )


def _collect_metadata(listed: EmbeddingList) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if listed.id:
        metadata["id"] = listed.id
    if listed.usage is not None and listed.usage.cost is not None:
        metadata["cost"] = build_cost(listed.usage.cost)
    return metadata

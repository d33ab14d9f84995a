"""Batch APIs of vendors, one module per family, as pure functions bound to one endpoint; a module is imported on first use."""

from __future__ import annotations

from typing import assert_never

from returns.result import Failure, Result

from victor_fp.core.catalogue.batches import find_batch_support
from victor_fp.core.dialects.batches import (
    AnthropicBatches,
    BedrockBatches,
    CohereBatches,
    FireworksBatches,
    GeminiBatches,
    MistralBatches,
    OpenAIBatches,
    OpenRouterBatches,
    VertexBatches,
    XAIBatches,
)
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols.batches.codec import BatchCodec
from victor_fp.core.requests import Endpoint


def build_batch_codec(endpoint: Endpoint) -> Result[BatchCodec, Fault]:
    """Return the batch API of an endpoint; InvalidRequest if it has none."""
    support = find_batch_support(endpoint.spec)
    if support is None:
        message = f"no batch API is known for {endpoint.spec.title}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    dialect = support.dialect
    match dialect:
        case OpenAIBatches():
            from victor_fp.core.protocols.batches import openai

            return openai.bind_batch_codec(endpoint, support, dialect)
        case AnthropicBatches():
            from victor_fp.core.protocols.batches import anthropic

            return anthropic.bind_batch_codec(endpoint, support)
        case GeminiBatches():
            from victor_fp.core.protocols.batches import gemini

            return gemini.bind_batch_codec(endpoint, support)
        case MistralBatches():
            from victor_fp.core.protocols.batches import mistral

            return mistral.bind_batch_codec(endpoint, support)
        case CohereBatches():
            from victor_fp.core.protocols.batches import cohere

            return cohere.bind_batch_codec(endpoint, support)
        case FireworksBatches():
            from victor_fp.core.protocols.batches import fireworks

            return fireworks.bind_batch_codec(endpoint, support)
        case XAIBatches():
            from victor_fp.core.protocols.batches import xai

            return xai.bind_batch_codec(endpoint, support, dialect)
        case OpenRouterBatches():
            from victor_fp.core.protocols.batches import openrouter

            return openrouter.bind_batch_codec(endpoint, support)
        case VertexBatches():
            from victor_fp.core.protocols.batches import vertex

            return vertex.bind_batch_codec(endpoint, support, dialect)
        case BedrockBatches():
            from victor_fp.core.protocols.batches import bedrock

            return bedrock.bind_batch_codec(endpoint, support, dialect)
        case _:
            assert_never(dialect)

"""Dialects and limits of batch APIs, as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.model_names import is_model_match


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Limits of a batch, with their source and the date it was checked."""

    max_requests: int
    max_bytes: int
    mixes_models: bool = False
    """Whether a batch may have requests for several models."""
    window_hours: int = 24
    """Hours after which the vendor expires unfinished requests; 0 if not documented."""
    results_hours: int | None = None
    """Hours that results are kept, at least, after the batch was created; None if not documented."""
    price_factor: float | None = None
    """Factor on the price of live calls; None if not documented."""
    discounted_models: tuple[str, ...] = ("*",)
    """Patterns of the names of models that the factor applies to; others have the price of live calls."""
    source: str
    date: str
    """YYYY-MM-DD."""

    def find_price_factor(self, models: Iterable[str]) -> float:
        """Return the factor on the price of live calls for a model by its names; 1.0 if no discount is documented."""
        is_discounted = any(is_model_match(name, pattern) for name in models for pattern in self.discounted_models)
        return self.price_factor if self.price_factor is not None and is_discounted else 1.0


class OpenAIBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """OpenAI's batch API: JSONL files as input and output."""

    family: Literal["openai"] = "openai"
    purpose: str = "batch"
    upload: Literal["files", "files/upload"] = "files"
    route_prefix: str = "/v1"
    """Prefix of the operation's path in lines and batches."""
    lines_have_url: bool = True
    window: str = "24h"
    accepts_metadata: bool = True
    cancel: Literal["post", "delete"] = "post"
    """Whether the operation that cancels a batch is its own, or the deletion of the batch."""


class AnthropicBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Anthropic's batch API: requests in the body, results as JSONL."""

    family: Literal["anthropic"] = "anthropic"


class GeminiBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Gemini's batch API: requests in the body of a long-running operation, whose response contains the results."""

    family: Literal["gemini"] = "gemini"


class MistralBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Mistral's batch API: jobs with uploaded files, for one model and operation; results are files."""

    family: Literal["mistral"] = "mistral"


class CohereBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Cohere's batch API: datasets as input and output, for one model; results are Avro files."""

    family: Literal["cohere"] = "cohere"


class FireworksBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Fireworks' batch API: jobs of an account over datasets, for one model; results are the files of a dataset."""

    family: Literal["fireworks"] = "fireworks"


class XAIBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """xAI's batch API: batches are created empty, requests are added in several calls, results are paginated."""

    family: Literal["xai"] = "xai"
    max_bytes_per_call: int = 25_000_000


class OpenRouterBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """OpenRouter's batch API: requests in the body, results in the finished batch."""

    family: Literal["openrouter"] = "openrouter"


class VertexBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Vertex AI's batch prediction jobs: lines of an object in Cloud Storage, results as lines of objects there."""

    family: Literal["vertex"] = "vertex"
    publisher: Literal["google", "anthropic"] = "google"
    id_place: Literal["labels", "custom_id"] = "labels"
    """Where a line has its id: in the labels of its request, which is returned with the result, or in a field."""


class BedrockBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bedrock's model invocation jobs: records of Converse in an object of S3, results as lines of objects there.

    Records of Converse with tools fail. Those of Claude models with tools are therefore records of InvokeModel, in
    Anthropic's form.
    https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html, 2026-11-30
    """

    family: Literal["bedrock"] = "bedrock"
    claude: AnthropicDialect = AnthropicDialect(
        model_in_body=False,
        version_in_body="bedrock-2023-05-31",
        counts_tokens=False,
        lists_models=False,
        url_sources=False,
    )
    """Of records of InvokeModel.
    https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html"""


BatchDialect: TypeAlias = (
    OpenAIBatches
    | AnthropicBatches
    | GeminiBatches
    | MistralBatches
    | CohereBatches
    | FireworksBatches
    | XAIBatches
    | OpenRouterBatches
    | VertexBatches
    | BedrockBatches
)


class BatchSupport(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor's batch API and its limits."""

    dialect: BatchDialect
    limits: BatchLimits

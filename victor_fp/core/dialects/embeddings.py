"""Dialects of embedding APIs: a class per wire format, with the options that a vendor supports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.model_names import is_model_match
from victor_fp.core.retrieval.vectors import Purpose, VectorType

Truncation: TypeAlias = Literal["option", "never", "unknown"]
"""Whether truncation of long texts is an option, or they are always rejected; unknown if not documented."""
VendorDtype: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]
Additions: TypeAlias = Literal["", "mistral", "voyage", "jina", "nvidia", "openrouter", "vllm"]
"""Vendor with fields in addition to OpenAI's."""
EmbeddingOperation: TypeAlias = Literal["", "predict", "embed_content", "titan", "titan_g1", "cohere"]
"""Operation or body format of a model, for vendors with several."""


class EmbeddingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Deviations of the models that match a glob pattern, in lower case; None means as in the dialect."""

    pattern: str
    operation: EmbeddingOperation = ""
    refuses: frozenset[str] = frozenset()
    """Further rejected options."""
    prompts: Mapping[Purpose, str] = {}
    """Prompt templates for purposes without a field; `{text}` is the caller's text."""
    max_texts: int | None = None
    max_total_tokens: int | None = None
    required_purpose: Purpose | None = None


class EmbeddingDialect(msgspec.Struct, frozen=True, kw_only=True):
    """Fields shared by all forms."""

    protocol: ClassVar[str]
    default_model: str | None = None
    refuses: frozenset[str] = frozenset()
    """Rejected options: `dimensions`, `user`."""
    purposes: Mapping[Purpose, str] = {}
    """The vendor's value for each supported purpose."""
    required_purpose: Purpose | None = None
    """Default purpose, for vendors that require one."""
    dtypes: Mapping[VectorType, VendorDtype] = msgspec.field(default_factory=lambda: {"float32": "float"})
    """The vendor's value for each supported vector type."""
    truncation: Truncation = "never"
    max_texts: int = 2048
    """Maximum number of texts per request."""
    max_total_tokens: int | None = None
    """Maximum number of tokens of all texts of a request."""
    models: tuple[EmbeddingPolicy, ...] = ()
    """The first match applies."""
    source: str = ""
    """Source of the facts."""

    def find_policy(self, model: str) -> EmbeddingPolicy:
        """Return the policy of a model; prefixes of providers and resources are ignored."""
        name = model.lower()
        bare = name.rsplit("/", 1)[-1]
        return next(
            (one for one in self.models if is_model_match(name, one.pattern) or is_model_match(bare, one.pattern)),
            _PLAIN,
        )

    def find_limits(self, model: str) -> tuple[int, int | None]:
        """Return the maximum number of texts, and of tokens, per request."""
        policy = self.find_policy(model)
        return policy.max_texts or self.max_texts, policy.max_total_tokens or self.max_total_tokens


_PLAIN = EmbeddingPolicy(pattern="*")


class OpenAIEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """POST /embeddings of OpenAI and compatible vendors."""

    protocol: ClassVar[str] = "openai-embeddings"
    base64: bool = True
    """Whether base64 vectors are requested; responses are decoded in either form."""
    additions: Additions = ""
    deployment_urls: bool = False
    """Whether URLs are Azure's, where a dated API version requires the deployment in the URL."""


class GeminiEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """The Gemini API's batchEmbedContents."""

    protocol: ClassVar[str] = "gemini-embeddings"


class VertexEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """Vertex AI: predict, and embedContent for the models that support only that."""

    protocol: ClassVar[str] = "vertex-embeddings"


class CohereEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """Cohere's /v2/embed."""

    protocol: ClassVar[str] = "cohere-embeddings"


class OllamaEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """Ollama's /api/embed."""

    protocol: ClassVar[str] = "ollama-embeddings"


class BedrockEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """Bedrock's InvokeModel with the bodies of Titan and Cohere models."""

    protocol: ClassVar[str] = "bedrock-embeddings"


EmbeddingDialects: TypeAlias = (
    OpenAIEmbeddings | GeminiEmbeddings | VertexEmbeddings | CohereEmbeddings | OllamaEmbeddings | BedrockEmbeddings
)

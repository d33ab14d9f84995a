"""How vendors embed texts: a form for each wire format, and what a vendor supports of the options, as data."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.vectors import Purpose, VectorType

Truncation: TypeAlias = Literal["option", "never", "unknown"]
"""Whether a field decides if texts that are too long are cut, or they are always refused; unknown where a vendor's pages
do not say."""
VendorDtype: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]
Additions: TypeAlias = Literal["", "mistral", "voyage", "jina", "nvidia", "openrouter", "vllm"]
"""Whose fields stand beside those of OpenAI's form."""
EmbeddingOperation: TypeAlias = Literal["", "predict", "embed_content", "titan", "titan_g1", "cohere"]
"""The operation, or the form of the body, that serves a model, where a vendor has several."""


class EmbeddingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names differ in; None leaves it to the dialect. The pattern sees lower case."""

    pattern: str
    operation: EmbeddingOperation = ""
    refuses: frozenset[str] = frozenset()
    """Beside what the dialect refuses."""
    prompts: Mapping[Purpose, str] = {}
    """Texts that stand for the purposes that no field can name; `{text}` is the caller's text."""
    max_texts: int | None = None
    max_total_tokens: int | None = None
    required_purpose: Purpose | None = None


class EmbeddingDialect(msgspec.Struct, frozen=True, kw_only=True):
    """What the forms share."""

    protocol: ClassVar[str]
    default_model: str | None = None
    refuses: frozenset[str] = frozenset()
    """Options that it does not have: `dimensions`, `user`."""
    purposes: Mapping[Purpose, str] = {}
    """The vendor's word for each purpose that it distinguishes."""
    required_purpose: Purpose | None = None
    """Sent where the caller names none and the vendor refuses a request without."""
    dtypes: Mapping[VectorType, VendorDtype] = msgspec.field(default_factory=lambda: {"float32": "float"})
    """The vendor's word for each type of vector that it makes."""
    truncation: Truncation = "never"
    max_texts: int = 2048
    """Texts that one request may hold."""
    max_total_tokens: int | None = None
    """Tokens of all texts of one request."""
    models: tuple[EmbeddingPolicy, ...] = ()
    """First match wins."""
    source: str = ""
    """Where the facts are from."""

    def find_policy(self, model: str) -> EmbeddingPolicy:
        """What this model differs in; where it is served and its resource prefix do not matter."""
        name = model.lower()
        bare = name.rsplit("/", 1)[-1]
        return next(
            (one for one in self.models if fnmatchcase(name, one.pattern) or fnmatchcase(bare, one.pattern)), _PLAIN
        )

    def find_limits(self, model: str) -> tuple[int, int | None]:
        """How many texts, and how many of their tokens, one request may hold."""
        policy = self.find_policy(model)
        return policy.max_texts or self.max_texts, policy.max_total_tokens or self.max_total_tokens


_PLAIN = EmbeddingPolicy(pattern="*")


class OpenAIEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """POST /embeddings as OpenAI has it, and its followers."""

    protocol: ClassVar[str] = "openai-embeddings"
    base64: bool = True
    """Sends vectors in base64 where asked to; the response is read in either form."""
    additions: Additions = ""
    deployment_urls: bool = False
    """Azure: an API version that is a date belongs to addresses that name the deployment."""


class GeminiEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """The Gemini API's batchEmbedContents."""

    protocol: ClassVar[str] = "gemini-embeddings"


class VertexEmbeddings(EmbeddingDialect, frozen=True, kw_only=True):
    """Vertex AI: predict, and embedContent for the models that only it serves."""

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

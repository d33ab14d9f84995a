"""Embedding APIs of the vendors in the catalogue, referenced by their entries."""

from __future__ import annotations

from victor_fp.core.dialects.embeddings import (
    BedrockEmbeddings,
    CohereEmbeddings,
    EmbeddingPolicy,
    GeminiEmbeddings,
    OllamaEmbeddings,
    OpenAIEmbeddings,
    VertexEmbeddings,
)
from victor_fp.core.retrieval.vectors import Purpose

_NO_DIMENSIONS = frozenset({"dimensions"})
_NO_USER = frozenset({"user"})
_NEITHER = _NO_DIMENSIONS | _NO_USER

OPENAI = OpenAIEmbeddings(
    default_model="text-embedding-3-small",
    # API reference of /v1/embeddings: 2,048 inputs and 300,000 tokens per request; a text that is too long is an error.
    max_texts=2048,
    max_total_tokens=300_000,
    models=(EmbeddingPolicy(pattern="*ada-002*", refuses=_NO_DIMENSIONS),),
    source="https://platform.openai.com/docs/api-reference/embeddings",
)

AZURE = OpenAIEmbeddings(
    max_texts=2048,
    max_total_tokens=300_000,
    models=OPENAI.models,
    deployment_urls=True,
    source="https://learn.microsoft.com/azure/ai-services/openai/quotas-limits",
)

MISTRAL = OpenAIEmbeddings(
    default_model="mistral-embed",
    additions="mistral",
    refuses=_NO_USER,
    # output_dtype and output_dimension of its API reference, which codestral-embed supports and mistral-embed does not.
    dtypes={"float32": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary"},
    models=(EmbeddingPolicy(pattern="mistral-embed*", refuses=_NO_DIMENSIONS | {"dtype"}),),
    # Its reference gives no limits; requests of 16,000 tokens were accepted.
    max_texts=256,
    max_total_tokens=16_000,
    source="https://docs.mistral.ai/api/#tag/embeddings",
)

TOGETHER = OpenAIEmbeddings(
    default_model="BAAI/bge-base-en-v1.5",
    base64=False,
    refuses=_NEITHER,
    truncation="unknown",
    max_texts=256,
    source="https://docs.together.ai/reference/embeddings-2",
)

FIREWORKS = OpenAIEmbeddings(
    default_model="nomic-ai/nomic-embed-text-v1.5",
    base64=False,
    refuses=_NO_USER,
    truncation="unknown",
    # According to the guide, nomic's models require these prefixes.
    models=(
        EmbeddingPolicy(
            pattern="*nomic-embed*",
            prompts={
                "query": "search_query: {text}",
                "document": "search_document: {text}",
                "classification": "classification: {text}",
                "clustering": "clustering: {text}",
            },
        ),
    ),
    max_texts=256,
    source="https://docs.fireworks.ai/guides/querying-embeddings-models",
)

OPENROUTER = OpenAIEmbeddings(
    default_model="openai/text-embedding-3-small",
    additions="openrouter",
    # From the examples of its reference; the value is forwarded to the upstream provider.
    purposes={"query": "search_query", "document": "search_document"},
    truncation="unknown",
    max_texts=512,
    max_total_tokens=300_000,
    source="https://openrouter.ai/docs/api/api-reference/embeddings/create-embeddings",
)

HUGGINGFACE = OpenAIEmbeddings(
    base64=False,
    refuses=_NEITHER,
    truncation="unknown",
    # text-embeddings-inference, the server behind it, allows 32 texts by default (--max-client-batch-size).
    max_texts=32,
    source="https://huggingface.co/docs/text-embeddings-inference",
)

SNOWFLAKE = OpenAIEmbeddings(
    base64=False,
    refuses=_NEITHER,
    truncation="unknown",
    max_texts=256,
    source="https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
)

QWEN = OpenAIEmbeddings(
    default_model="text-embedding-v4",
    base64=False,
    refuses=_NO_USER,
    models=(EmbeddingPolicy(pattern="text-embedding-v[12]", max_texts=25, refuses=_NO_DIMENSIONS),),
    max_texts=10,
    source="https://www.alibabacloud.com/help/en/model-studio/text-embedding-synchronous-api",
)

ZAI = OpenAIEmbeddings(
    default_model="embedding-3",
    base64=False,
    refuses=_NO_USER,
    models=(EmbeddingPolicy(pattern="embedding-2", refuses=_NO_DIMENSIONS),),
    max_texts=64,
    source="https://docs.bigmodel.cn/api-reference",
)

VLLM = OpenAIEmbeddings(
    additions="vllm",
    truncation="option",
    max_texts=256,
    source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
)

LLAMACPP = OpenAIEmbeddings(
    refuses=_NEITHER,
    max_texts=256,
    source="tools/server/README.md of ggml-org/llama.cpp",
)

LMSTUDIO = OpenAIEmbeddings(
    base64=False,
    refuses=_NEITHER,
    truncation="unknown",
    max_texts=256,
    source="https://lmstudio.ai/docs/app/api/endpoints/openai",
)

LOCAL = OpenAIEmbeddings(
    default_model="smollm2-135m-instruct",
    refuses=_NEITHER,
    max_texts=16,  # a slow machine embeds a few texts a second
    source="tools/server/README.md of ggml-org/llama.cpp",
)

VOYAGE = OpenAIEmbeddings(
    default_model="voyage-3.5",
    additions="voyage",
    purposes={"query": "query", "document": "document"},
    dtypes={"float32": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary"},
    truncation="option",
    refuses=_NO_USER,
    max_texts=1000,
    max_total_tokens=120_000,
    models=(
        # Maximum tokens of a request by model, and the models with configurable dimensions and types.
        EmbeddingPolicy(pattern="voyage-[34]*-lite", max_total_tokens=1_000_000),
        EmbeddingPolicy(pattern="voyage-4-large", max_total_tokens=120_000),
        EmbeddingPolicy(pattern="voyage-4", max_total_tokens=320_000),
        EmbeddingPolicy(pattern="voyage-3.5", max_total_tokens=320_000),
        EmbeddingPolicy(pattern="voyage-2", max_total_tokens=320_000, refuses=_NO_DIMENSIONS | {"dtype"}),
        EmbeddingPolicy(pattern="voyage-*-2", refuses=_NO_DIMENSIONS | {"dtype"}),
    ),
    source="https://docs.voyageai.com/reference/embeddings-api",
)

JINA = OpenAIEmbeddings(
    default_model="jina-embeddings-v3",
    additions="jina",
    purposes={
        "query": "retrieval.query",
        "document": "retrieval.passage",
        "similarity": "text-matching",
        "classification": "classification",
        "clustering": "separation",
    },
    dtypes={"float32": "float", "binary": "binary", "ubinary": "ubinary"},
    truncation="option",
    refuses=_NO_USER,
    models=(EmbeddingPolicy(pattern="jina-embeddings-v2*", refuses=_NO_DIMENSIONS | {"purpose"}),),
    max_texts=512,
    source="https://api.jina.ai/redoc",
)

NVIDIA = OpenAIEmbeddings(
    default_model="nvidia/llama-3.2-nv-embedqa-1b-v2",
    additions="nvidia",
    purposes={"query": "query", "document": "passage"},
    # Asymmetric models (nearly all of them) reject a request without an input type.
    required_purpose="document",
    truncation="option",
    max_texts=256,
    source="https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/reference.html",
)

_TASKS: dict[Purpose, str] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
# The guide to embeddings: gemini-embedding-2 has no task types and reads these prefixes instead.
_PROMPTS: dict[Purpose, str] = {
    "query": "task: search result | query: {text}",
    "document": "title: none | text: {text}",
    "similarity": "task: sentence similarity | query: {text}",
    "classification": "task: classification | query: {text}",
    "clustering": "task: clustering | query: {text}",
}

GEMINI = GeminiEmbeddings(
    default_model="gemini-embedding-001",
    purposes=_TASKS,
    truncation="unknown",
    refuses=_NO_USER,
    models=(EmbeddingPolicy(pattern="gemini-embedding-2*", refuses=frozenset({"purpose"}), prompts=_PROMPTS),),
    max_texts=100,
    source="https://ai.google.dev/gemini-api/docs/embeddings",
)

VERTEX = VertexEmbeddings(
    default_model="gemini-embedding-001",
    purposes=_TASKS,
    truncation="option",
    refuses=_NO_USER,
    models=(
        EmbeddingPolicy(pattern="gemini-embedding-001", operation="predict", max_texts=1),
        EmbeddingPolicy(
            pattern="gemini-*",
            operation="embed_content",
            max_texts=1,
            refuses=frozenset({"purpose"}),
            prompts=_PROMPTS,
        ),
    ),
    max_texts=250,
    max_total_tokens=20_000,
    source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api",
)

_COHERE_PURPOSES: dict[Purpose, str] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}

COHERE = CohereEmbeddings(
    default_model="embed-v4.0",
    purposes=_COHERE_PURPOSES,
    required_purpose="document",
    dtypes={"float32": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary"},
    truncation="option",
    refuses=_NO_USER,
    models=(EmbeddingPolicy(pattern="embed-*-v[23].0", refuses=_NO_DIMENSIONS),),
    max_texts=96,
    source="https://docs.cohere.com/reference/embed",
)

OLLAMA = OllamaEmbeddings(
    truncation="option",
    refuses=_NO_USER,
    max_texts=256,
    source="docs/openapi.yaml of ollama/ollama",
)

BEDROCK = BedrockEmbeddings(
    default_model="amazon.titan-embed-text-v2:0",
    purposes=_COHERE_PURPOSES,
    dtypes={"float32": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary"},
    truncation="option",
    refuses=_NO_USER,
    models=(
        # User guide, "Amazon Titan Embeddings Text": V2 has configurable dimensions, G1 has no options.
        EmbeddingPolicy(
            pattern="*amazon.titan-embed-text-v2*",
            operation="titan",
            max_texts=1,
            refuses=frozenset({"purpose", "dtype", "truncate"}),
        ),
        EmbeddingPolicy(
            pattern="*amazon.titan-embed*",
            operation="titan_g1",
            max_texts=1,
            refuses=frozenset({"purpose", "dtype", "truncate", "dimensions"}),
        ),
        EmbeddingPolicy(pattern="*cohere.embed-v4*", operation="cohere", required_purpose="document"),
        EmbeddingPolicy(
            pattern="*cohere.embed*", operation="cohere", required_purpose="document", refuses=_NO_DIMENSIONS
        ),
    ),
    max_texts=96,
    source="https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html",
)

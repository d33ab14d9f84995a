"""Reranking APIs of the vendors in the catalogue, referenced by their entries."""

from __future__ import annotations

from victor_fp.core.dialects.reranking import BedrockRerank, CohereRerank, VertexRerank

COHERE = CohereRerank(
    default_model="rerank-v3.5",
    path="/v2/rerank",
    truncates=True,  # to max_tokens_per_doc, 4,096 where absent
    source="https://docs.cohere.com/reference/rerank",
)

TOGETHER = CohereRerank(
    default_model="mixedbread-ai/Mxbai-Rerank-Large-V2",
    source="https://docs.together.ai/reference/rerank-1",
)

FIREWORKS = CohereRerank(
    default_model="fireworks/qwen3-reranker-8b",
    source="https://docs.fireworks.ai/api-reference/rerank-documents",
)

OPENROUTER = CohereRerank(
    default_model="cohere/rerank-v3.5",
    source="https://openrouter.ai/docs/api/api-reference/rerank",
)

VOYAGE = CohereRerank(
    default_model="rerank-2.5",
    additions="voyage",
    source="https://docs.voyageai.com/reference/reranker-api",
)

JINA = CohereRerank(
    default_model="jina-reranker-v2-base-multilingual",
    additions="jina",
    source="https://api.jina.ai/redoc",
)

VLLM = CohereRerank(
    additions="vllm",
    truncates=False,  # without truncate_prompt_tokens
    source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
)

LLAMACPP = CohereRerank(source="tools/server/README.md of ggml-org/llama.cpp")

BEDROCK = BedrockRerank(
    default_model="cohere.rerank-v3-5:0",
    source="https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-supported.html",
)

VERTEX = VertexRerank(
    default_model="semantic-ranker-default@latest",
    source="https://cloud.google.com/generative-ai-app-builder/docs/ranking",
)

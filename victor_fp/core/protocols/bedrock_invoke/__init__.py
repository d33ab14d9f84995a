"""Bedrock's InvokeModel: bodies that models define, here those of embeddings and reranking."""

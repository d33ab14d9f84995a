"""Amazon Bedrock InvokeModel, whose bodies depend on the model: embeddings and reranking."""

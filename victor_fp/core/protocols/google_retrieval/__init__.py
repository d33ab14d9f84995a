"""Google's embeddings (Gemini API and Vertex AI) and the ranking API of Vertex AI Search."""

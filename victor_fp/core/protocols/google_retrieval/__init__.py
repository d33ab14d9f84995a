"""Google's embeddings, by the Gemini API and by Vertex AI, and the ranking API of Vertex AI Search."""

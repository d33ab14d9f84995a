"""Shared code of OpenAI Chat Completions, OpenAI Responses and Mistral's chat completions."""

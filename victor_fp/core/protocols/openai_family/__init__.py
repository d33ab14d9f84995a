"""What OpenAI's Chat Completions, OpenAI's Responses and Mistral's chat completions have in common."""

"""Provider `local`: llama.cpp in a child process, accessed through its OpenAI-compatible HTTP API."""

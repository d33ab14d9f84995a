"""Provider `local`: llama.cpp in this process, reached through the same wire and the same protocol as any server."""

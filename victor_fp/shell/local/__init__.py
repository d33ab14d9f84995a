"""Provider `local`: llama.cpp in a child process, reached by the protocol that any server speaks."""

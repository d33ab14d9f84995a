"""The object API: providers, their registry and their errors."""

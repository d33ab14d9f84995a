"""Configuration: API keys by provider name, and tables of model capabilities."""

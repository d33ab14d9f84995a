"""Configuration: keys by provider name, and what is known of models."""

"""API keys and tokens: where they are stored, how they are found, and how requests are signed."""

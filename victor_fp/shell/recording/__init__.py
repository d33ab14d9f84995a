"""Recording, replay and caching of HTTP exchanges in readable files."""

"""Effects: HTTP, clocks, files, keys. Decisions are made in the core."""

"""Effects: HTTP, clocks, keys. Everything that touches the world, and decides nothing."""

"""From bodies and streams to completions, vectors and faults."""

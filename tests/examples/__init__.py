"""The programs of examples/ run without a key."""

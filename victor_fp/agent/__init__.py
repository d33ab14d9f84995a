"""What agents build on providers."""

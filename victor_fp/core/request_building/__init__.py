"""Request building."""

"""Builds requests from what a caller passes: conversation, endpoint, and a body with the caller's own fields."""

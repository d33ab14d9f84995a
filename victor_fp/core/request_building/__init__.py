"""Building of requests from the caller's arguments: conversation, endpoint, and body with extra fields."""

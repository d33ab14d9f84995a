"""The engine: runs an operation over targets, attempts, rate limiters and breakers."""

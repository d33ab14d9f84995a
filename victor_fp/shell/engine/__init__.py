"""The engine: one operation over targets, attempts, rate limiters and breakers, and the one loop that drives it."""

"""Resilience as pure state machines, `(state, event, now) -> (state, order)`; module docstrings state their rules."""

"""Resilience as pure state machines: `(state, event, now) -> (state, order)`, one file each, rules at its top."""

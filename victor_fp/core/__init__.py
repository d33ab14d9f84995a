"""The functional core: pure, total, typed; no effects."""

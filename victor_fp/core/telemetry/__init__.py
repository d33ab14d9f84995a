"""Metrics of operations, and the statistics that providers return."""

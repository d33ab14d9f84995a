"""Batches: items, handles, states, results, and matching of results to rows."""

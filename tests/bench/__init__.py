"""Benchmarks: the same work through plain httpx and through victor_fp, in one run, as ratios."""

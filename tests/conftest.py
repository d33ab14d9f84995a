"""What all tests share: bytecode on disk, a frozen heap, and property tests that do not depend on how fast the machine is."""

from __future__ import annotations

import gc
import os
import sys

from hypothesis import HealthCheck, settings

from tests.example_counts import ALL

settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=ALL)
settings.register_profile("quick", settings.get_profile("thorough"), max_examples=ALL // 4)
settings.load_profile("quick")

# The tests start hundreds of interpreters: without bytecode on disk each compiles the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """Exempt the collected tests, half a million objects, from every later collection of garbage."""
    gc.collect()
    gc.freeze()

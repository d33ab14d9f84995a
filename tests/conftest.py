"""What all tests share: bytecode on disk, a frozen heap, and property tests that do not depend on how fast the machine is."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.example_counts import ALL

settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=ALL)
settings.register_profile("quick", settings.get_profile("thorough"), max_examples=ALL // 4)
settings.load_profile("quick")

# The tests start hundreds of interpreters: without bytecode on disk each compiles the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """The package is imported as it is: pytest rewrites assertions in a whole distribution that brings a plugin.

    To rewrite, pytest parses each module when it is first imported; two threads that do so at once fail in CPython 3.11
    (https://github.com/python/cpython/issues/106905).
    """
    hook = getattr(config.pluginmanager, "rewrite_hook", None)  # absent with --assert=plain
    if hook is not None:
        hook._must_rewrite.discard("victor_fp")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No garbage is collected meanwhile, nor ever again among the collected tests, which are half a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        if "mutmut" not in sys.modules:  # it runs several sessions in one process, and forks from the last
            gc.freeze()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries take no time."""

    async def pause(runtime: object, seconds: float) -> None:
        assert seconds >= 0
        await asyncio.sleep(0)

    monkeypatch.setattr("victor_fp.shell.runtime.SystemRuntime.sleep", pause)

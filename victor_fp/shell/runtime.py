"""The runtime: clock, sleep, random numbers and environment behind one Protocol.

Modules are imported by the methods that need them, so that creating a provider is cheap.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Protocol

LOGGER = "victor_fp"
"""Name of the logger."""


class Runtime(Protocol):
    """The effects of a call other than HTTP; tests replace it by a deterministic one."""

    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""
        ...

    def draw_random(self) -> float:
        """Return a random number in [0, 1)."""
        ...

    def read_date(self) -> str:
        """Return the current time as an HTTP date."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        ...

    def read_environment(self) -> Mapping[str, str]:
        """Return the current environment variables."""
        ...


class SystemRuntime:
    """The runtime of the operating system."""

    now = staticmethod(time.monotonic)

    def draw_random(self) -> float:
        """Return `random.random()`; jitter does not require a secure source."""
        import random

        return random.random()  # noqa: S311

    def read_date(self) -> str:
        """Return the current time, as in `Sun, 06 Nov 1994 08:49:37 GMT`."""
        from email.utils import formatdate

        return formatdate(usegmt=True)

    async def sleep(self, seconds: float) -> None:
        """Call `asyncio.sleep`."""
        import asyncio

        await asyncio.sleep(seconds)

    def read_environment(self) -> Mapping[str, str]:
        """Return `os.environ`."""
        return os.environ


SYSTEM = SystemRuntime()

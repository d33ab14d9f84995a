"""The world as the shell sees it: clock, sleep, luck and environment behind one small Protocol.

Modules are loaded by the methods that need them, so that making a provider stays cheap.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Protocol


class Runtime(Protocol):
    """What effects besides HTTP a call needs; a paper one makes tests exact."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def draw_random(self) -> float:
        """A random number in [0, 1)."""
        ...

    def read_date(self) -> str:
        """The time of day as an HTTP date."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Rest."""
        ...

    def read_environment(self) -> Mapping[str, str]:
        """The environment's variables as they are now."""
        ...


class SystemRuntime:
    """The real world."""

    now = staticmethod(time.monotonic)

    def draw_random(self) -> float:
        """`random.random`; jitter needs no secrecy."""
        import random

        return random.random()  # noqa: S311

    def read_date(self) -> str:
        """Now, as in `Sun, 06 Nov 1994 08:49:37 GMT`."""
        from email.utils import formatdate

        return formatdate(usegmt=True)

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        import asyncio

        await asyncio.sleep(seconds)

    def read_environment(self) -> Mapping[str, str]:
        """`os.environ`."""
        return os.environ


SYSTEM = SystemRuntime()

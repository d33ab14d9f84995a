"""A runtime for tests: a clock that advances when a caller sleeps, and a list of the sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class FakeRuntime:
    """No real clock, no real random numbers, no real environment."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def now(self) -> float:
        return self.time

    def draw_random(self) -> float:
        return 0.5

    def read_date(self) -> str:
        return "Sun, 06 Nov 1994 08:49:37 GMT"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    def read_environment(self) -> Mapping[str, str]:
        return self.variables

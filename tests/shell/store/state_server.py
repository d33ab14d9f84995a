"""A state server without a network: it can be slow, lose its values, and be out of reach."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from victor_fp.core.resilience.pool import Borrow, Lent, Pool, lend
from victor_fp.shell.store.shared import Swapped


def tell_time() -> float:
    """A clock far from any host's own."""
    return 1_700_000_000.0 + time.monotonic()


@dataclass
class FakeStateServer:
    """What many stores share."""

    values: dict[str, bytes] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    now: Callable[[], float] = tell_time
    gone: bool = False
    silent: bool = False
    swaps: int = 0
    conflicts: int = 0
    loans: int = 0

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        self.swaps += 1
        if not await self._can_answer():
            return None
        current = self.values.get(name, b"")
        done = current == expected
        self.conflicts += not done
        if done:
            self.values[name] = wanted
        await asyncio.sleep(0)
        return Swapped(done=done, current=b"" if done else current, at=self.now())

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        self.loans += 1
        if not await self._can_answer():
            return None
        self.pools[name], lent = lend(self.pools.get(name), borrow, self.now())
        await asyncio.sleep(0)
        return lent

    async def _can_answer(self) -> bool:
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.sleep(3600)
        return not self.gone

    async def aclose(self) -> None:
        """Nothing is open."""

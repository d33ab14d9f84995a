"""A place to keep values without a network: it can be slow, lose its values, and be out of reach."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from victor_fp.shell.store.shared import Swapped


@dataclass
class PaperPlace:
    """What many stores share; a swapper of its own kind."""

    values: dict[str, bytes] = field(default_factory=dict)
    time: float = 1_700_000_000.0
    gone: bool = False
    silent: bool = False
    swaps: int = 0
    conflicts: int = 0

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        self.swaps += 1
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.sleep(3600)
        if self.gone:
            return None
        current = self.values.get(name, b"")
        done = current == expected
        self.conflicts += not done
        if done:
            self.values[name] = wanted
        await asyncio.sleep(0)
        return Swapped(done=done, current=b"" if done else current, at=self.time)

    async def aclose(self) -> None:
        """Nothing is open."""

"""Operations within an attempt of another one: those of a provider whose overridden method calls the method of its base class.

The retries and the breaker of the outer operation apply. Those of the inner one would multiply with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from msgspec.structs import replace

from victor_fp.core.resilience.retry import NO_RETRIES
from victor_fp.shell.engine.target import ModelState, TargetPool
from victor_fp.shell.store.memory import MemoryCell

NESTED: ContextVar[Mapping[TargetPool, TargetPool]] = ContextVar("NESTED", default=MappingProxyType({}))
"""The pools that are replaced in the current attempt, and what replaces them."""


def build_nested_pool(pool: TargetPool, *, replaces_breaker: bool) -> TargetPool:
    """Build a pool with the targets of another one, without their retries and, if it is replaced, their breaker."""
    bare = ModelState(breaker=MemoryCell(None, pool.store.now), limiter=None)
    targets = [
        replace(target, retries=NO_RETRIES, shared_state=bare if replaces_breaker else target.shared_state)
        for target in pool.targets
    ]
    return TargetPool(
        targets, store=pool.store, runtime=pool.runtime, observers=pool.observers, in_flight=pool.in_flight
    )


@contextmanager
def replace_pool(pool: TargetPool, nested: TargetPool) -> Iterator[None]:
    """Run the operations of a pool on another one."""
    token = NESTED.set({**NESTED.get(), pool: nested})
    try:
        yield
    finally:
        NESTED.reset(token)

"""The targets of one call through a manager: the current provider and its fallbacks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.agent.failover import FailoverController, build_closed_fault
from victor_fp.agent.provider_state import ProviderState
from victor_fp.core.faults import Fault, InvalidRequest, ProviderNotFound
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.bounds import MAX_SECONDS
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.retry import NO_RETRIES
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.custom_provider import find_pool
from victor_fp.providers.provider_backend import ProviderBackend
from victor_fp.shell.engine.backend import BackendAttempt, BoundRequest, Kind, TimeLimits
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.in_flight import Interruptible, find_in_flight
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import ModelState, Target, TargetPool
from victor_fp.shell.runtime import SYSTEM
from victor_fp.shell.store.memory import MemoryCell

T = TypeVar("T")


class ManagerPool(TargetPool):
    """Selects targets for the engine."""

    def __init__(self, failover: FailoverController, spec: CallSpec) -> None:
        config, state = failover.config, failover.current.state
        super().__init__((), runtime=SYSTEM, in_flight=failover.current.calls)
        self._failover = failover
        self._spec = spec
        self._used: BaseProvider | None = None
        self.policy = FallbackPolicy(max_fallbacks=config.max_fallback_attempts if config.auto_fallback else 0)
        self._fallbacks: list[tuple[str, str | None]] = []
        if state is not None:
            self._fallbacks = [
                (name, model)
                for name, model in config.fallbacks()
                if name != state.provider_name or model not in {None, state.model}
            ]
            self.plan = (
                fallback.FallbackTarget(provider=state.provider_name, model=spec.model or state.model),
                *(fallback.FallbackTarget(provider=name, model=model or "") for name, model in self._fallbacks),
            )

    def compute_total_timeout(self, timeout: float | None) -> float:  # noqa: ARG002  providers have their own timeouts
        """Return the maximum: without a caller's deadline, only the timeouts of the providers apply."""
        return MAX_SECONDS

    async def resolve(self, index: int, cause: Fault | None, operation: Interruptible) -> Result[Target, Fault]:
        """Return the current provider for the first attempt; after that, the fallback that replaces it."""
        current = self._failover.current
        if current.is_closed:
            return Failure(build_closed_fault())
        state, is_switched = current.state, False
        if state is None:
            return Failure(build_no_provider_fault())
        if index > 0 and cause is not None and self._used is not None:
            name, model = self._fallbacks[index - 1]
            match outcome(await self._failover.fall_back(name, model, self._used, cause)):
                case Failure(fault):
                    # The next fallback may work if this one cannot be created.
                    message = f"the fallback {name} is not available: {fault.message}"
                    return Failure(ProviderNotFound(provider=name, message=message))
                case Success((state, is_switched)):
                    pass
        self._used = state.provider
        target = self._build_target(state)
        if target.in_flight is not None:
            target.in_flight.add(operation)
        if is_switched:
            await current.notify(state)
        return Success(target)

    def _build_target(self, state: ProviderState) -> Target:
        provider = state.provider
        own = find_pool(provider)
        attempts = getattr(provider, "max_retries", 0) + 1
        timeout = float(getattr(provider, "timeout", 60.0))
        return Target(
            backend=ProviderBackend(provider) if own is None else PoolBackend(own, getattr(provider, "base_url", None)),
            model=state.model,
            timeout=MAX_SECONDS if own is not None else timeout if self._spec.stream else timeout * attempts,
            retries=NO_RETRIES,  # providers make their own
            shared_state=ModelState(breaker=MemoryCell(None, SYSTEM.now), limiter=None),
            in_flight=find_in_flight(provider),
            on_attempt=partial(self._failover.current.learn_call, state),
        )


class PoolBackend:
    """The targets of a provider as a backend: its attempts are operations, with their own retries."""

    def __init__(self, pool: TargetPool, address: str | None) -> None:
        self._pool = pool
        self.address = address

    @property
    def name(self) -> str:
        """The name of the first target's provider."""
        return self._pool.plan[0].provider

    async def compute_scope(self) -> Result[str, Fault]:
        """Return the scope of the first target."""
        return await self._pool.targets[0].backend.compute_scope()

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T], Fault]:
        """Bind the call to the pool."""
        return Success(PoolRequest(self._pool, kind, replace(spec, model=model, options=options)))

    async def aclose(self) -> None:
        """Do nothing: the pool is closed by its creator."""


class PoolRequest(Generic[T]):
    """A call of a pool."""

    def __init__(self, pool: TargetPool, kind: Kind[T], spec: CallSpec) -> None:
        self._pool, self._kind, self._spec = pool, kind, spec

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """Start an operation within the remaining time of the caller's deadline."""
        return Operation(self._pool, self._kind, replace(self._spec, deadline=limits.total))


def build_no_provider_fault() -> Fault:
    """Build the fault for a call without a current provider."""
    return InvalidRequest(message="the manager has no provider: call switch_provider first")

"""The current provider and its replacement: the old provider is closed after its last call."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.agent.model_switcher import ModelSwitchEvent, SwitchHistory, SwitchReason
from victor_fp.agent.provider_settings import find_default_model, find_settings, take_model
from victor_fp.agent.provider_state import ProviderState
from victor_fp.core.faults import Fault, InvalidRequest, redact_fault
from victor_fp.core.resilience.breaker import judge_fault
from victor_fp.core.resilience.health import Health, observe
from victor_fp.core.security.secrets import HiddenValuesDict, find_secrets
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine.in_flight import InFlight, find_in_flight
from victor_fp.shell.engine.telemetry import to_log_line
from victor_fp.shell.runtime import LOGGER, SYSTEM

SwitchCallback = Callable[[ProviderState], Any]
"""Called after each switch; may be a coroutine function."""


class CurrentProvider:
    """Holds the current state. A provider held by several managers is closed by the last of them."""

    def __init__(self, settings: Any) -> None:
        self.state: ProviderState | None = None
        self.history = SwitchHistory()
        self.callbacks: list[SwitchCallback] = []
        self.health: dict[str, Health] = {}
        """Health by provider name, from checks and calls."""
        self.is_closed = False
        self.calls = InFlight()
        """The calls of this manager, on all providers."""
        self._settings = settings
        self._retiring: dict[asyncio.Task[None], BaseProvider] = {}
        """Former providers that are still held, for calls in flight."""
        self._closing: set[asyncio.Task[None]] = set()

    def create(
        self, name: str, model: str | None = None, keywords: Mapping[str, Any] | None = None
    ) -> Result[tuple[BaseProvider, str], Fault]:
        """Create a provider from the settings; return it with its model, or a fault. Does not raise.

        The model is the argument, else that of the settings, else the provider's default, else the current one.
        """
        given = HiddenValuesDict[Any](keywords or {})
        try:
            given = HiddenValuesDict({**find_settings(self._settings, name), **given})
            configured = take_model(given)
            provider = ProviderRegistry.create(name, **given)
            current = "" if self.state is None else self.state.model
            return Success((provider, model or configured or find_default_model(name, provider) or current))
        except ProviderError as error:
            return Failure(redact_fault(error.fault, *find_secrets(given)))
        except Exception as error:  # user code, whose exceptions may quote keywords
            refused = InvalidRequest(
                provider=name, message=f"{name} could not be created: {type(error).__name__}: {error}"
            )
            return Failure(redact_fault(refused, *find_secrets(given)))

    def hold(self, provider: BaseProvider, name: str, model: str) -> ProviderState:
        """Create a state for a provider, which stays open until it is released."""
        in_flight = find_in_flight(provider)
        in_flight.holders += 1
        in_flight.wake()
        return ProviderState(provider=provider, provider_name=name.lower(), model=model)

    async def put(
        self, state: ProviderState, reason: SwitchReason, metadata: Mapping[str, str] | None = None
    ) -> ProviderState:
        """Make a state the current one; the next call runs on it."""
        before, self.state = self.state, state
        self.history.record(
            ModelSwitchEvent(
                from_provider="" if before is None else before.provider_name,
                from_model="" if before is None else before.model,
                to_provider=state.provider_name,
                to_model=state.model,
                reason=reason,
                metadata=dict(metadata or {}),
            )
        )
        state.switch_count = self.history.count
        if before is not None and before.provider is not state.provider:
            self._retire(before)
        return state

    async def notify(self, state: ProviderState) -> None:
        """Call the callbacks of a switch. Their exceptions are logged."""
        for callback in list(self.callbacks):
            try:
                returned = callback(state)
                if inspect.isawaitable(returned):
                    await returned
            except Exception:
                logging.getLogger(LOGGER).warning("a switch callback failed", exc_info=True)

    def learn(self, name: str, fault: Fault | None, seconds: float, now: float | None = None) -> None:
        """Record the outcome of a check or a call, at `now` or at this time."""
        health = self.health.get(name, Health())
        self.health[name] = observe(health, judge_fault(fault), seconds, SYSTEM.now() if now is None else now)

    def learn_call(self, state: ProviderState, fault: Fault | None, seconds: float, now: float) -> None:
        """Record the outcome of a call. Faults for which no fallback is used say nothing about the provider."""
        self.learn(state.provider_name, fault, seconds, now)
        if fault is None or fault.allows_fallback:
            state.record_health(fault)

    async def close(self) -> None:
        """End the calls of this manager, and release its providers at once. Those held by no other are closed.

        No providers are created or set afterwards.
        """
        self.is_closed = True
        self.calls.interrupt("the provider was closed")
        if self.state is not None and not self.state.is_released:
            self._retire(self.state)
        for provider in self._retiring.values():
            find_in_flight(provider).wake()
        while closing := {*self._retiring, *self._closing}:
            await asyncio.wait(closing)

    async def close_provider(self, provider: BaseProvider) -> None:
        """Close a provider, also if the caller is cancelled; failures are logged."""
        task = asyncio.get_running_loop().create_task(_close(provider))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        await asyncio.shield(task)

    def _retire(self, state: ProviderState) -> None:
        """Release a provider after its calls."""
        state.is_released = True
        task = asyncio.get_running_loop().create_task(self._release(state.provider))
        self._retiring[task] = state.provider
        task.add_done_callback(lambda done: self._retiring.pop(done, None))

    async def _release(self, provider: BaseProvider) -> None:
        """Hold a provider while it is in use; then close it, unless another manager holds it."""
        in_flight = find_in_flight(provider)
        try:
            await in_flight.wait_while(lambda: self._is_using(in_flight))
        finally:
            in_flight.holders -= 1
        if in_flight.holders <= 0:
            in_flight.interrupt("the provider was closed")
            await _close(provider)

    def _is_using(self, in_flight: InFlight) -> bool:
        """Return whether calls of this manager are in flight on a provider, or any if no other manager holds it."""
        if self.is_closed:
            return False
        if in_flight.holders <= 1:
            return bool(in_flight.operations)
        return not in_flight.operations.isdisjoint(self.calls.operations)


async def _close(provider: BaseProvider) -> None:
    try:
        await provider.close()
    except Exception:
        logging.getLogger(LOGGER).warning("%s could not be closed", to_log_line(provider.name), exc_info=True)

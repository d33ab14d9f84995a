"""The current provider, and how another takes its place: made, put in, the old one closed when its last call is over."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from victor_fp.agent.in_flight import InFlight
from victor_fp.agent.model_switcher import ModelSwitchEvent, SwitchHistory, SwitchReason
from victor_fp.agent.provider_settings import default_model, model_in, settings_for
from victor_fp.agent.provider_state import ProviderState
from victor_fp.core.faults import Fault, InvalidRequest, redact_fault
from victor_fp.core.redaction import HiddenValuesDict, find_secrets
from victor_fp.core.resilience.breaker import verdict_of
from victor_fp.core.resilience.health import Health, observed
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.runtime import SYSTEM
from victor_fp.shell.telemetry import LOGGER

SwitchCallback = Callable[[ProviderState], Any]
"""Hears of each switch; may be a coroutine function."""


class Switchboard:
    """Holds one state at a time."""

    def __init__(self, settings: Any) -> None:
        self.state: ProviderState | None = None
        self.history = SwitchHistory()
        self.callbacks: list[SwitchCallback] = []
        self.health: dict[str, Health] = {}
        """By provider name, as checks and calls show it."""
        self._settings = settings
        self._leaving: dict[asyncio.Task[None], BaseProvider] = {}

    def made(
        self, name: str, model: str | None = None, keywords: Mapping[str, Any] | None = None
    ) -> tuple[BaseProvider, str] | Fault:
        """A new provider by the settings, with the model to use, or why there is none.

        The model is the one named, else the settings', else the provider's default one, else the current one.
        """
        given = HiddenValuesDict({**settings_for(self._settings, name), **(keywords or {})})
        configured = model_in(given)
        try:
            provider = ProviderRegistry.create(name, **given)
        except ProviderError as error:
            return redact_fault(error.fault, *find_secrets(given))
        except Exception as error:  # a constructor may refuse its keywords in any way, and quote them
            refused = InvalidRequest(provider=name, message=f"{type(error).__name__}: {error}")
            return redact_fault(refused, *find_secrets(given))
        current = "" if self.state is None else self.state.model
        return provider, model or configured or default_model(name, provider) or current

    def held(self, provider: BaseProvider, name: str, model: str) -> ProviderState:
        """A provider whose calls are counted from now on."""
        name = name.lower()
        in_flight = InFlight(provider, partial(self.learn, name))
        return ProviderState(provider=provider, provider_name=name, model=model, in_flight=in_flight)

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
            await self._retire(before)
        return state

    async def notify(self, state: ProviderState) -> None:
        """Tell of a switch. What a callback raises is logged."""
        for callback in list(self.callbacks):
            try:
                told = callback(state)
                if inspect.isawaitable(told):
                    await told
            except Exception:
                logging.getLogger(LOGGER).warning("a switch callback failed", exc_info=True)

    def learn(self, name: str, fault: Fault | None, seconds: float) -> None:
        """Learn from a check or a call."""
        health = self.health.get(name, Health())
        self.health[name] = observed(health, verdict_of(fault), seconds, SYSTEM.now())

    async def close(self) -> None:
        """Close the current provider and those that are still leaving, now."""
        leaving, self._leaving = self._leaving, {}
        for task, provider in leaving.items():
            task.cancel()
            await closed(provider)
        if self.state is not None:
            await closed(self.state.provider)

    async def _retire(self, state: ProviderState) -> None:
        if state.in_flight.count == 0:
            await closed(state.provider)
            return
        task = asyncio.get_running_loop().create_task(_leaves(state))
        self._leaving[task] = state.provider
        task.add_done_callback(lambda done: self._leaving.pop(done, None))


async def _leaves(state: ProviderState) -> None:
    await state.in_flight.idle()
    await closed(state.provider)


async def closed(provider: BaseProvider) -> None:
    """Close a provider; one that cannot even be closed is logged."""
    try:
        await provider.close()
    except Exception:
        logging.getLogger(LOGGER).warning("%s could not be closed", provider.name, exc_info=True)

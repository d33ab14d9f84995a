"""Switching: to the provider that is asked for, or to the first fallback that works, one switch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from victor_fp.agent.manager_config import ProviderManagerConfig
from victor_fp.agent.model_switcher import SwitchReason
from victor_fp.agent.provider_health import Checked, checked
from victor_fp.agent.provider_state import ProviderState
from victor_fp.agent.switchboard import Switchboard, closed
from victor_fp.core.faults import Fault, describe
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.health import Health, by_preference
from victor_fp.shell.runtime import SYSTEM
from victor_fp.shell.telemetry import LOGGER, redacted


class Switching:
    """Who is current, who comes after, and the way from one to the other."""

    def __init__(self, board: Switchboard, config: ProviderManagerConfig) -> None:
        self._board = board
        self._config = config
        self._lock = asyncio.Lock()

    @property
    def state(self) -> ProviderState | None:
        """The current provider."""
        return self._board.state

    @property
    def policy(self) -> FallbackPolicy:
        """How a call falls back."""
        config = self._config
        return FallbackPolicy(max_fallbacks=config.max_fallback_attempts if config.auto_fallback else 0)

    def fallbacks(self) -> list[tuple[str, str | None]]:
        """Names and models, in order."""
        return self._config.fallbacks()

    async def to(
        self, name: str, model: str | None, reason: SwitchReason, keywords: Mapping[str, Any]
    ) -> ProviderState | None:
        """To a provider, or, where it does not work, to the first fallback that does; None where nothing was switched."""
        async with self._lock:
            found = await self._arrived(name, model, reason, keywords)
            if isinstance(found, ProviderState):
                return found
            self._complain(name, found)
            if reason is SwitchReason.FALLBACK or not self._config.auto_fallback:
                return None
            return await self._first_fallback(found)

    async def to_model(self, model: str, reason: SwitchReason) -> ProviderState | None:
        """To another model of the current provider."""
        async with self._lock:
            before = self._board.state
            if before is None:
                return None
            state = ProviderState(
                provider=before.provider,
                provider_name=before.provider_name,
                model=model,
                in_flight=before.in_flight,
            )
            return await self._board.put(state, reason)

    async def fall_back(
        self, name: str, model: str | None, failing: ProviderState, fault: Fault
    ) -> ProviderState | Fault:
        """The provider to go on with after a call failed. Who finds that another call has switched already goes with it.

        The call that is to be made next is check enough.
        """
        async with self._lock:
            current = self._board.state
            if current is not None and current is not failing:
                return current
            failing.hear(fault)
            found = await self._arrived(name, model, SwitchReason.FALLBACK, {}, because=fault, check=False)
        if isinstance(found, ProviderState):
            await self._board.notify(found)
        else:
            self._complain(name, found)
        return found

    async def examined(self) -> ProviderState | None:
        """Check the current provider; the fallback that took its place, if it had to."""
        state = self._board.state
        if state is None:
            return None
        check = await checked(state.provider, state.model)
        state.hear(check.fault)
        self._board.learn(state.provider_name, check.fault, check.seconds)
        if check.fault is None or not self._config.auto_fallback:
            return None
        async with self._lock:
            return await self._first_fallback(check.fault) if self._board.state is state else None

    async def healthy(self) -> list[str]:
        """Names of those that work, the fastest first."""
        names: dict[str, str | None] = {}
        if self._board.state is not None:
            names[self._board.state.provider_name] = self._board.state.model
        for name, model in self._config.fallbacks():
            names.setdefault(name, model)
        if not self._config.enable_health_checks:
            return by_preference({name: self._board.health.get(name, Health()) for name in names}, SYSTEM.now())
        checks = await asyncio.gather(*(self._checked(name, model) for name, model in names.items()))
        timed = [(check.seconds, name) for name, check in zip(names, checks, strict=True) if check.healthy]
        return [name for _, name in sorted(timed)]

    async def _checked(self, name: str, model: str | None) -> Checked:
        state = self._board.state
        if state is not None and state.provider_name == name:
            check = await checked(state.provider, state.model)
            state.hear(check.fault)
        else:
            made = self._board.made(name, model)
            if not isinstance(made, tuple):
                return Checked(seconds=0.0, fault=made)
            provider, found_model = made
            check = await checked(provider, found_model)
            await closed(provider)
        self._board.learn(name, check.fault, check.seconds)
        return check

    async def _first_fallback(self, fault: Fault) -> ProviderState | None:
        current = self._board.state
        for name, model in self._config.fallbacks()[: self._config.max_fallback_attempts]:
            if current is not None and current.provider_name == name and model in {None, current.model}:
                continue
            found = await self._arrived(name, model, SwitchReason.FALLBACK, {}, because=fault)
            if isinstance(found, ProviderState):
                return found
            self._complain(name, found)
        return None

    async def _arrived(
        self,
        name: str,
        model: str | None,
        reason: SwitchReason,
        keywords: Mapping[str, Any],
        *,
        because: Fault | None = None,
        check: bool = True,
    ) -> ProviderState | Fault:
        made = self._board.made(name, model, keywords)
        if not isinstance(made, tuple):
            return made
        provider, found_model = made
        if check and self._config.enable_health_checks:
            seen = await checked(provider, found_model)
            self._board.learn(name.lower(), seen.fault, seen.seconds)
            if seen.fault is not None:
                await closed(provider)
                return seen.fault
        state = self._board.held(provider, name, found_model)
        return await self._board.put(state, reason, {} if because is None else {"fault": type(because).__name__})

    def _complain(self, name: str, fault: Fault) -> None:
        told = redacted(describe(fault))
        logging.getLogger(LOGGER).warning("no switch to %s: %s", name, told)
        if self._board.state is not None:
            self._board.state.last_error = told

"""Failover: switches to a requested provider or to the first working fallback, one switch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.agent.current_provider import CurrentProvider
from victor_fp.agent.manager_config import ProviderManagerConfig
from victor_fp.agent.model_switcher import SwitchReason
from victor_fp.agent.provider_health import HealthCheck, check_provider
from victor_fp.agent.provider_state import ProviderState
from victor_fp.core.faults import Fault, InvalidRequest, describe
from victor_fp.core.resilience.health import Health, sort_by_preference
from victor_fp.core.result import outcome
from victor_fp.core.security.redaction import redact_text
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.engine.telemetry import to_log_line
from victor_fp.shell.runtime import LOGGER, SYSTEM


class FailoverController:
    """Selects the current and the next provider, and switches."""

    def __init__(self, current: CurrentProvider, config: ProviderManagerConfig) -> None:
        self.current = current
        self.config = config
        self._lock = asyncio.Lock()

    async def switch_to(
        self, name: str, model: str | None, reason: SwitchReason, keywords: Mapping[str, Any]
    ) -> ProviderState | None:
        """Switch to a provider or, if it does not work, to the first working fallback; None if nothing was switched."""
        async with self._lock:
            match outcome(await self._switch(name, model, reason, keywords)):
                case Success(state):
                    return state
                case Failure(fault):
                    self._log(name, fault)
            if reason is SwitchReason.FALLBACK or not self.config.auto_fallback or self.current.is_closed:
                return None
            return await self._switch_to_fallback(fault)

    async def switch_model(self, model: str, reason: SwitchReason) -> ProviderState | None:
        """Switch to another model of the current provider."""
        async with self._lock:
            before = self.current.state
            if before is None or self.current.is_closed:
                return None
            state = ProviderState(provider=before.provider, provider_name=before.provider_name, model=model)
            before.is_released = True  # the new state holds the provider
            return await self.current.put(state, reason)

    async def fall_back(
        self, name: str, model: str | None, failing: BaseProvider, cause: Fault
    ) -> Result[tuple[ProviderState, bool], Fault]:
        """Return the provider to use after a failed call, and whether it was switched.

        If the provider has already been switched, that one is used. It is not checked, since the call that follows
        shows whether it works.
        """
        async with self._lock:
            state = self.current.state
            if state is not None and state.provider is not failing and not self.current.is_closed:
                return Success((state, False))
            if state is not None:
                state.record_health(cause)
            found = await self._switch(name, model, SwitchReason.FALLBACK, {}, because=cause, check=False)
        match outcome(found):
            case Success(switched):
                return Success((switched, True))
            case Failure(fault):
                self._log(name, fault)
                return Failure(fault)

    async def check_current(self) -> ProviderState | None:
        """Check the current provider; return the fallback that replaced it, if any."""
        state = self.current.state
        if state is None or self.current.is_closed:
            return None
        check = await check_provider(state.provider, state.model)
        state.record_health(check.fault)
        self.current.learn(state.provider_name, check.fault, check.seconds)
        if check.fault is None or not self.config.auto_fallback:
            return None
        async with self._lock:
            return await self._switch_to_fallback(check.fault) if self.current.state is state else None

    async def list_healthy(self) -> list[str]:
        """Return the names of working providers, the fastest first."""
        names: dict[str, str | None] = {}
        if self.current.state is not None:
            names[self.current.state.provider_name] = self.current.state.model
        for name, model in self.config.fallbacks():
            names.setdefault(name, model)
        if not self.config.enable_health_checks:
            return sort_by_preference({name: self.current.health.get(name, Health()) for name in names}, SYSTEM.now())
        checks = await asyncio.gather(*(self._check(name, model) for name, model in names.items()))
        timed = [(check.seconds, name) for name, check in zip(names, checks, strict=True) if check.is_healthy]
        return [name for _, name in sorted(timed)]

    async def _check(self, name: str, model: str | None) -> HealthCheck:
        state = self.current.state
        if state is not None and state.provider_name == name:
            check = await check_provider(state.provider, state.model)
            state.record_health(check.fault)
        else:
            match outcome(self.current.create(name, model)):
                case Failure(fault):
                    return HealthCheck(seconds=0.0, fault=fault)
                case Success((provider, found_model)):
                    pass
            try:
                check = await check_provider(provider, found_model)
            finally:
                await self.current.close_provider(provider)
        self.current.learn(name, check.fault, check.seconds)
        return check

    async def _switch_to_fallback(self, cause: Fault) -> ProviderState | None:
        state = self.current.state
        for name, model in self.config.fallbacks()[: self.config.max_fallback_attempts]:
            if state is not None and state.provider_name == name and model in {None, state.model}:
                continue
            match outcome(await self._switch(name, model, SwitchReason.FALLBACK, {}, because=cause)):
                case Success(switched):
                    return switched
                case Failure(fault):
                    self._log(name, fault)
        return None

    async def _switch(
        self,
        name: str,
        model: str | None,
        reason: SwitchReason,
        keywords: Mapping[str, Any],
        *,
        because: Fault | None = None,
        check: bool = True,
    ) -> Result[ProviderState, Fault]:
        """Create, check and set a provider. It is closed if it is not set for any reason."""
        if self.current.is_closed:
            return Failure(build_closed_fault())
        match outcome(self.current.create(name, model, keywords)):
            case Failure(refused):
                return Failure(refused)
            case Success((provider, found_model)):
                pass
        fault: Fault | None = None
        is_put_in = False
        try:
            if check and self.config.enable_health_checks:
                found = await check_provider(provider, found_model)
                self.current.learn(name.lower(), found.fault, found.seconds)
                fault = found.fault
            if self.current.is_closed:
                fault = build_closed_fault()
            if fault is None:
                is_put_in = True
        finally:
            if not is_put_in:
                await self.current.close_provider(provider)
        if fault is not None:
            return Failure(fault)
        state = self.current.hold(provider, name, found_model)
        metadata = {} if because is None else {"fault": type(because).__name__}
        return Success(await self.current.put(state, reason, metadata))

    def _log(self, name: str, fault: Fault) -> None:
        text = redact_text(describe(fault), names=True)
        logging.getLogger(LOGGER).warning("could not switch to %s: %s", to_log_line(name), to_log_line(text))
        if self.current.state is not None:
            self.current.state.last_error = text


def build_closed_fault() -> Fault:
    """Build the fault for calls of a closed manager."""
    return InvalidRequest(message="the manager is closed: create a new one")

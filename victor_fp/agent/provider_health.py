"""Health checks of providers: a small request with its duration."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from returns.result import Failure, Success

from victor_fp.core.faults import (
    Fault,
    InvalidRequest,
    InvalidResponse,
    ModelNotFound,
    PermissionRefused,
    TimedOut,
    UnsupportedParameter,
)
from victor_fp.core.result import outcome
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.custom_provider import find_pool
from victor_fp.providers.errors import ProviderError, build_raised_fault, unwrap_or_raise
from victor_fp.providers.provider import Provider
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.model_list import list_models
from victor_fp.shell.runtime import SYSTEM

CHECK_TIMEOUT = 10.0
"""Seconds after which a provider without response is unhealthy."""
_ALIVE = (InvalidRequest, UnsupportedParameter, ModelNotFound, PermissionRefused)
"""Faults of a model list that show a working server: some servers have no list, and some keys may not read it."""


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a health check."""

    seconds: float
    fault: Fault | None = None
    """Why a call would currently fail; None if it is likely to succeed."""

    @property
    def is_healthy(self) -> bool:
        """Whether a call is currently likely to succeed."""
        return self.fault is None


async def check_provider(provider: BaseProvider, model: str, timeout: float = CHECK_TIMEOUT) -> HealthCheck:
    """Send a small request to a provider and measure its duration; does not raise.

    Built-in providers, and others that override `list_models`, are asked for their models, which costs no tokens. Other
    providers are asked for a response of one token.
    """
    began = SYSTEM.now()
    try:
        async with asyncio.timeout(timeout):
            fault = await _ask(provider, model)
    except TimeoutError:
        fault = TimedOut(
            provider=provider.name, model=model, message=f"no response within {timeout:g} s", seconds=timeout
        )
    except Exception as error:  # any exception is the result of the check
        fault = build_raised_fault(provider, error, model)
    return HealthCheck(seconds=SYSTEM.now() - began, fault=fault)


async def _ask(provider: BaseProvider, model: str) -> Fault | None:
    if type(provider).list_models is not BaseProvider.list_models:
        try:
            models = await _list_models(provider)
        except ProviderError as error:
            if not isinstance(error.fault, InvalidResponse):
                return None if isinstance(error.fault, _ALIVE) else error.fault
            models = []
        if models:
            return None
    if not model:
        return None
    match outcome(await provider.chat_result([Message(role="user", content="Hi")], model=model, max_tokens=1)):
        case Failure(fault):
            return fault if fault.allows_fallback else None
        case Success():
            return None


async def _list_models(provider: BaseProvider) -> Sequence[object]:
    """List the models, without retries if the provider runs on the engine."""
    pool = find_pool(provider) if type(provider).list_models is Provider.list_models else None
    if pool is None:
        return await provider.list_models()
    return unwrap_or_raise(await list_models(pool, CallSpec(max_retries=0)))

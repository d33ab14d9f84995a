"""Whether a provider works, found out by asking it something."""

from __future__ import annotations

import asyncio

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
from victor_fp.core.resilience.fallback import MOVES_ON
from victor_fp.core.result import outcome
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.failing import fault_raised
from victor_fp.shell.runtime import SYSTEM

BOUND = 10.0
"""Seconds after which a provider that says nothing is not healthy."""
_ALIVE = (InvalidRequest, UnsupportedParameter, ModelNotFound, PermissionRefused)
"""Answers to a question about models that show a server at work: not every server has a list, nor every key a right to it."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found."""

    seconds: float
    fault: Fault | None = None
    """Why a call made now would likely fail; None where it would not."""

    @property
    def healthy(self) -> bool:
        """Whether nothing speaks against calling."""
        return self.fault is None


async def checked(provider: BaseProvider, model: str, bound: float = BOUND) -> Checked:
    """Ask a provider something and time it; never raises.

    A built-in is asked for its models, which costs no tokens, and so is any provider that overrides `list_models`. One
    that has no list is asked for an answer of one token.
    """
    began = SYSTEM.now()
    try:
        async with asyncio.timeout(bound):
            fault = await _asked(provider, model)
    except TimeoutError:
        fault = TimedOut(
            provider=provider.name, model=model, message=f"no sign of life within {bound:g} s", seconds=bound
        )
    except Exception as error:  # a check finds out; it does not fail
        fault = fault_raised(provider, error, model)
    return Checked(seconds=SYSTEM.now() - began, fault=fault)


async def _asked(provider: BaseProvider, model: str) -> Fault | None:
    if type(provider).list_models is not BaseProvider.list_models:
        try:
            models = await provider.list_models()
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
            return fault if type(fault).__name__ in MOVES_ON else None
        case Success():
            return None

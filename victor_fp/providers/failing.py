"""What a custom provider's exception comes to: a fault that tells no key, and a word in the log where its code stumbled."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from victor_fp.core.faults import Fault, InvalidResponse, Partial, redact_fault
from victor_fp.core.redaction import SHORTEST_SECRET, find_secrets
from victor_fp.providers.errors import ProviderError, fault_from
from victor_fp.shell.telemetry import LOGGER

if TYPE_CHECKING:
    from victor_fp.providers.base import BaseProvider


def failed(provider: BaseProvider, error: Exception, model: str | None, said: Sequence[str] = ()) -> Fault:
    """The fault for what a provider raised; `said` is what of a stream had reached its caller."""
    fault = fault_raised(provider, error, model, reading=bool(said))
    if isinstance(fault, InvalidResponse) and not isinstance(error, ProviderError):
        _log(provider, error)
    if said and fault.partial is None:
        fault = replace(fault, partial=Partial(content="".join(said)), maybe_billed=True)
    return fault


def fault_raised(
    provider: BaseProvider, error: BaseException, model: str | None = None, *, reading: bool = False
) -> Fault:
    """The same without a word: an exception's text may quote a header, and so the key."""
    return redact_fault(fault_from(error, provider=provider.name, model=model, reading=reading), *secrets_of(provider))


def secrets_of(provider: BaseProvider) -> tuple[str, ...]:
    """The key and the secret keywords that a provider was made with."""
    key = getattr(provider, "api_key", None)
    config = getattr(provider, "extra_config", None) or {}
    found = (*((key,) if isinstance(key, str) else ()), *find_secrets(config))
    return tuple(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def _log(provider: BaseProvider, error: Exception) -> None:
    """With the trace, which the fault has not, unless a secret stands in it."""
    told = "".join(traceback.format_exception(error))
    trace = None if any(secret in told for secret in secrets_of(provider)) else error
    logging.getLogger(LOGGER).warning("%s failed to read an answer", provider.name, exc_info=trace)

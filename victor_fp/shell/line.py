"""A line: what one provider instance needs to reach its server. Calls and streams are made over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.faults import CredentialMissing, TimedOut, redact_fault
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.redaction import Secret
from victor_fp.core.request_building.endpoints import apply_key_auth
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.shell.gate import Gate
from victor_fp.shell.runtime import SYSTEM, Runtime

if TYPE_CHECKING:
    from victor_fp.core.faults import Fault
    from victor_fp.shell.transport.protocol import Transport

FindSecret: TypeAlias = "Callable[[], Result[SecretStr | None, Fault]]"
"""Looks a key up where that may block; None where none is needed."""
Sign: TypeAlias = "Callable[[HttpRequest], Awaitable[Result[HttpRequest, Fault]]]"
"""Adds what authenticates a request when a key in a header does not."""


@dataclass(kw_only=True)
class Line:
    """One provider instance at one place, with its own breaker."""

    endpoint: Endpoint
    transport: Transport
    find_secret: FindSecret = field(repr=False)
    gate: Gate
    timeout: float
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    runtime: Runtime = field(default=SYSTEM, repr=False)
    secret: SecretStr | None = None
    sign: Sign | None = None
    _ready: tuple[Codec, Endpoint] | None = None
    _tokens: tuple[Secret, ...] = ()
    """What the latest signature sent in place of a key."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a provider is not pickled: it holds a key and connections; make one in the other process")

    def __copy__(self) -> Line:
        copied = object.__new__(Line)
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Line:
        """With a breaker of its own; connections and what finds keys and signs are shared."""
        copied = copy(self)
        copied.gate = deepcopy(self.gate, memo)
        return copied

    async def ready(self, model: str | None = None) -> Result[Codec, Fault]:
        """The codec that serves the model, after the key was looked up once; CredentialMissing where there is none."""
        if self._ready is not None:
            return Success(self._ready[0].for_model(model))
        in_place_of_key = self.sign is not None and self.endpoint.spec.auth.kind == "key"
        if self.secret is None and self.endpoint.spec.auth.kind != "none" and not in_place_of_key:
            match outcome(await asyncio.to_thread(self.find_secret)):
                case Success(secret):
                    self.secret = secret
                case Failure(fault):
                    return Failure(fault)
        keyed = self.endpoint.spec.auth.kind != "key" or self.secret is not None
        endpoint = (
            self.endpoint if self.endpoint.keyed == keyed else msgspec.structs.replace(self.endpoint, keyed=keyed)
        )
        if self.secret is not None:
            endpoint = apply_key_auth(endpoint)
        self.endpoint = endpoint
        self._ready = (codec_for(endpoint), endpoint)
        return Success(self._ready[0].for_model(model))

    async def signed(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """The request as it goes out; a plain key makes a signature needless."""
        if self.sign is None or (self.secret is not None and self.endpoint.spec.auth.kind == "key"):
            return Success(request)
        try:
            async with asyncio.timeout(self.timeout):
                signed = await self.sign(request)
        except TimeoutError:
            message = "no credentials within the time allowed"
            return Failure(TimedOut(phase="connect", seconds=self.timeout, message=message))
        except Exception as error:  # a signer may be anybody's; what it says may quote a secret, its class does not
            return Failure(CredentialMissing(message=f"the request could not be signed: {type(error).__name__}"))
        self._tokens = signed.map(_tokens_in).value_or(())
        return signed

    def shown(self, fault: Fault) -> Fault:
        """The fault as it may leave the line: a key or token of ours that the vendor echoed is no longer in it."""
        key = () if self.secret is None else (self.secret.get_secret_value(),)
        tokens = (token.get_secret_value() for token in self._tokens)
        return redact_fault(fault, *key, *tokens) if key or self._tokens else fault


def _tokens_in(request: HttpRequest) -> tuple[Secret, ...]:
    """What authenticates a signed request, without the word that says how."""
    carried = (request.headers.get(name, "") for name in ("authorization", "x-amz-security-token"))
    return tuple(Secret(value.rpartition(" ")[2]) for value in carried if value)

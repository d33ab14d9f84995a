"""A connection to an endpoint: transport, key or signer, and codec of one provider instance."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import CredentialMissing, TimedOut, redact_fault
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.endpoints import apply_key_auth
from victor_fp.core.requests import Endpoint, HttpRequest, list_credentials
from victor_fp.core.result import outcome
from victor_fp.core.security.secrets import Secret
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.transport.protocol import PreparingTransport

if TYPE_CHECKING:
    from victor_fp.core.faults import Fault
    from victor_fp.shell.transport.protocol import Transport

FindSecret: TypeAlias = "Callable[[], Result[SecretStr | None, Fault]]"
"""Looks up a key, which may block; None if none is required."""
Sign: TypeAlias = "Callable[[HttpRequest], Awaitable[Result[HttpRequest, Fault]]]"
"""Signs a request, for endpoints that do not use a key in a header."""


@dataclass(kw_only=True)
class Connection:
    """One provider instance at one endpoint. A deep copy shares transport, lookup and signer."""

    endpoint: Endpoint
    transport: Transport
    find_secret: FindSecret = field(repr=False)
    signing_timeout: float
    """Seconds for fetching the credentials of a signature."""
    runtime: Runtime = field(default=SYSTEM, repr=False)
    secret: SecretStr | None = None
    signer: Sign | None = None
    codec: Codec | None = field(default=None, repr=False)
    """None until `prepare` has looked up the key."""
    tokens: tuple[Secret, ...] = ()
    """Secrets in the headers of the latest signed request."""
    needs_preparation: bool = False
    """Whether the transport must prepare before the first request of a model."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("providers cannot be pickled: they hold a key and connections; create one in the other process")

    def __copy__(self) -> Connection:
        copied = object.__new__(Connection)
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Connection:
        return self.__copy__()

    async def prepare(self) -> Result[Codec, Fault]:
        """Look up the key once and return the codec of the endpoint; CredentialMissing if there is no key."""
        if self.codec is not None:
            return Success(self.codec)
        auth = self.endpoint.spec.auth.kind
        if self.secret is None and auth != "none" and not (self.signer is not None and auth == "key"):
            match outcome(await asyncio.to_thread(self.find_secret)):
                case Success(secret):
                    self.secret = secret
                case Failure(fault):
                    return Failure(fault)
        has_key = auth != "key" or self.secret is not None
        endpoint = (
            self.endpoint if self.endpoint.keyed == has_key else msgspec.structs.replace(self.endpoint, keyed=has_key)
        )
        self.endpoint = endpoint if self.secret is None else apply_key_auth(endpoint)
        self.codec = codec_for(self.endpoint)
        self.needs_preparation = isinstance(self.transport, PreparingTransport)
        return Success(self.codec)

    @property
    def signs(self) -> bool:
        """Whether requests are signed: not if there is a key."""
        return self.signer is not None and (self.secret is None or self.endpoint.spec.auth.kind != "key")

    async def sign(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """Sign a request, if signing is required. A presigned request is sent as it is, since it may go to another host."""
        if request.is_presigned or self.signer is None or not self.signs:
            return Success(request)
        try:
            async with asyncio.timeout(self.signing_timeout):
                signed = await self.signer(request)
        except TimeoutError:
            message = f"no credentials within {self.signing_timeout:g} s"
            return Failure(TimedOut(phase="connect", seconds=self.signing_timeout, message=message))
        except Exception as error:  # a custom signer; its message may contain a secret, its class does not
            return Failure(CredentialMissing(message=f"the request could not be signed: {type(error).__name__}"))
        auth = self.endpoint.spec.auth
        named = frozenset({auth.header, auth.second_header})
        signed = signed.map(lambda done: msgspec.structs.replace(done, credential_headers=named))
        self.tokens = tuple(map(Secret, signed.map(list_credentials).value_or(())))
        return signed

    def hide_secrets(self, fault: Fault) -> Fault:
        """Remove our keys and tokens, which a vendor may have echoed, from a fault."""
        key = () if self.secret is None else (self.secret.get_secret_value(),)
        tokens = (token.get_secret_value() for token in self.tokens)
        return redact_fault(fault, *key, *tokens) if key or self.tokens else fault


def make_secret_finder(spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]) -> FindSecret:
    """Return a lookup for the first call; it may access keyring and files."""
    return partial(_find_secret, spec, argument, environment)


def find_known_secret(
    spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]
) -> SecretStr | None:
    """Return a valid key from the argument or the environment; anything else is left to the lookup."""
    if spec.auth.kind == "none":
        return None
    given = argument.get_secret_value() if argument is not None else None
    key = given or next((environment[name] for name in spec.key_variables if environment.get(name)), None)
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        return None
    return Secret(key)


def _find_secret(
    spec: ProviderSpec, argument: SecretStr | None, environment: Mapping[str, str]
) -> Result[SecretStr | None, Fault]:
    from victor_fp.shell.credentials.lookup import find_credential

    return find_credential(spec, argument, environment).map(lambda found: None if found is None else found.secret)

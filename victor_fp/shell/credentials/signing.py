"""Request signing: the signer of an endpoint, and bearer tokens from a function of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, TypeAlias, assert_never, cast

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import CredentialMissing, Fault
from victor_fp.core.requests import HttpRequest

if TYPE_CHECKING:
    from victor_fp.core.requests import Endpoint
    from victor_fp.shell.engine.connection import Sign

TokenSource: TypeAlias = Callable[[], str] | Callable[[], Awaitable[str]]
"""Returns a token that is valid now. Caching and renewal are up to the function."""


class BearerTokens:
    """Signs requests with `Authorization: Bearer` and the token that `source` returns.

    Used for Microsoft Entra tokens on Azure and for gateways with their own tokens. A function that is not a coroutine
    function runs in a thread.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def __call__(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """Return the request with a current token, or CredentialMissing if the function returns none."""
        try:
            token: object = await self._get_token()
        except Exception as error:  # the caller's function may raise anything; its message may quote the token
            return Failure(CredentialMissing(message=f"no token: the token function raised {type(error).__name__}"))
        if not isinstance(token, str):
            message = f"no token: the token function returned {type(token).__name__}, expected str"
            return Failure(CredentialMissing(message=message))
        if not token or not token.isascii() or not token.isprintable():
            return Failure(CredentialMissing(message="no token: the token is empty or not valid in a header"))
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        return Success(msgspec.structs.replace(request, headers=headers))

    async def _get_token(self) -> object:
        if iscoroutinefunction(self._source):
            return await cast("Callable[[], Awaitable[str]]", self._source)()
        given: object = await asyncio.to_thread(self._source)
        return await given if isinstance(given, Awaitable) else given


def choose_signer(endpoint: Endpoint, environment: Mapping[str, str], tokens: TokenSource | None = None) -> Sign | None:
    """Return the signer that an endpoint needs; None if it needs only a key or no authentication.

    Credentials are looked up when the first request is signed.
    """
    if tokens is not None:
        return BearerTokens(tokens)
    kind = endpoint.spec.auth.kind
    match kind:
        case "none" | "key":
            return None
        case "sigv4":
            from victor_fp.shell.credentials.sigv4 import AwsSigner

            return AwsSigner(endpoint, environment)
        case "google":
            from victor_fp.shell.credentials.google_token import GoogleSigner

            return GoogleSigner(endpoint.spec)
        case _:
            assert_never(kind)

"""Tokens that a function of the caller's gives, in place of a key: Microsoft Entra's for Azure, a gateway's of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import TypeAlias, cast

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import CredentialMissing, Fault
from victor_fp.core.requests import HttpRequest

TokenSource: TypeAlias = Callable[[], str] | Callable[[], Awaitable[str]]
"""Gives a token that is valid now, cached and refreshed as its maker sees fit."""


class BearerTokens:
    """Signs each request with `Authorization: Bearer` and what `source` gives; a source that blocks runs in a thread."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def __call__(self, request: HttpRequest) -> Result[HttpRequest, Fault]:
        """The request with a token of now, or CredentialMissing where there is none."""
        try:
            token = await self._token()
        except Exception as error:  # whatever the caller's function raises is a token that is missing
            return Failure(CredentialMissing(message=f"no token: {type(error).__name__}"))
        if not token or not token.isascii() or not token.isprintable():
            return Failure(CredentialMissing(message="no token: the function gave none that a header can carry"))
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        return Success(msgspec.structs.replace(request, headers=headers))

    async def _token(self) -> str:
        if iscoroutinefunction(self._source):
            return await cast("Callable[[], Awaitable[str]]", self._source)()
        given: str | Awaitable[str] = await asyncio.to_thread(self._source)
        return given if isinstance(given, str) else await given

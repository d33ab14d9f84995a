"""State in Redis (the extra `redis`): one key for each cell or pool, changed by scripts that Redis runs atomically."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from hashlib import sha1
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from victor_fp.core.resilience.pool import Borrow, Lent
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.packing import FORMAT, pack_borrow, unpack_lent
from victor_fp.shell.store.redis_scripts import LEND, SWAP
from victor_fp.shell.store.shared import OnLoss, SharedStore, Swapped

KEEP = 7200.0
"""Seconds after which an unchanged state expires: longer than any hold, lease or cooldown in it."""

KEEP_BUDGET = 400 * 86400.0
"""Seconds after which the unchanged amounts of a budget expire."""


class _Script:
    """A script and its SHA-1, by which Redis identifies it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


_SWAP, _LEND = _Script(SWAP), _Script(LEND)


class RedisStateServer:
    """Runs the scripts on one Redis server, with separate connections for each event loop."""

    def __init__(self, url: SecretStr, prefix: str, timeout: float) -> None:
        self._url = url
        self._prefix = prefix
        self._timeout = timeout
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Redis, AsyncGenerator[None, None]]] = (
            WeakKeyDictionary()
        )

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Run the swap script."""
        keep = KEEP_BUDGET if name.startswith("budget:") else KEEP
        answer = await self._run(_SWAP, name, expected, wanted, int(keep * 1000))
        if answer is None:
            return None
        done, current, seconds, micros = answer
        return Swapped(done=done == 1, current=bytes(current), at=int(seconds) + int(micros) / 1e6)

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """Run the script of the pool."""
        answer = await self._run(_LEND, name, pack_borrow(borrow), FORMAT, int(KEEP * 1000))
        return None if answer is None else unpack_lent(answer)

    async def _run(self, script: _Script, name: str, *arguments: bytes | int) -> Any:
        """Run a script by its hash, or send its text if the server has not cached it. Return None on any error."""
        key = f"{self._prefix}:{name}"
        try:
            client = await self._get_client()
            try:
                return await client.evalsha(script.sha, 1, key, *arguments)
            except NoScriptError:
                return await client.eval(script.text, 1, key, *arguments)
        except (RedisError, OSError, EOFError, RuntimeError):  # refused, cut, wrong password, read-only, loop closed
            return None

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of other loops were closed with them."""
        held = self._clients.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held[1].aclose()

    async def _get_client(self) -> Redis:
        loop = asyncio.get_running_loop()
        held = self._clients.get(loop)
        if held is None:
            client = Redis.from_url(
                self._url.get_secret_value(),
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                # One retry over a new connection, because a pooled one may be dead.
                retry=Retry(NoBackoff(), 1),
            )
            held = self._clients[loop] = client, _hold_client(client)
            await anext(held[1])
        return held[0]


async def _hold_client(client: Redis) -> AsyncGenerator[None, None]:
    """Close the client when the event loop shuts down its async generators, so that no connection is left open at exit."""
    try:
        yield
    finally:
        await client.aclose()


class RedisStore(SharedStore):
    """Limits, cooldowns and breakers in Redis, shared by all processes that use the same Redis and prefix.

    `on_loss` sets the behaviour while Redis is unreachable: "open" (calls continue, each process under its share of the
    limits) or "closed" (calls are refused with ConnectionFailed, phase "pool"). Neither raises. `timeout` (seconds) bounds
    one request to Redis. A call that waits for a budget checks it every `poll` seconds. A password in the URL is never
    logged or shown. Close the store with `aclose` after the last provider that uses it is shut down.
    """

    def __init__(
        self,
        url: str | SecretStr = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "victor_fp",
        on_loss: OnLoss = "open",
        timeout: float = 0.5,
        poll: float = 0.1,
        runtime: Runtime = SYSTEM,
    ) -> None:
        secret = SecretStr(url) if isinstance(url, str) else url
        parse_url(secret.get_secret_value())  # raises ValueError for an invalid URL
        server = RedisStateServer(secret, prefix, timeout)
        super().__init__(server, on_loss=on_loss, timeout=timeout, poll=poll, runtime=runtime)

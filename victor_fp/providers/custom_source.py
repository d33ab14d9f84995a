"""Anyone's BaseProvider as a source: its own `chat` and `stream` are the tries, bounded in time, and never raise out of here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest, Partial, TimedOut
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.failing import failed
from victor_fp.shell.managed_line import scope_of
from victor_fp.shell.managed_source import Asking
from victor_fp.shell.transport.errors import timeout_fault
from victor_fp.shell.trying import Batch

_NOTHING: Mapping[str, str] = {}
_OURS = frozenset({"timeout", "deadline", "priority"})
"""Options of the managed path; a custom provider would send them on."""


class CustomSource:
    """A provider that somebody wrote."""

    def __init__(self, provider: BaseProvider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """As it calls itself."""
        return self._provider.name

    @property
    def address(self) -> str | None:
        """Its base URL, if it has one."""
        return getattr(self._provider, "base_url", None)

    async def scope(self) -> Result[str, Fault]:
        """By its base URL and key."""
        key = getattr(self._provider, "api_key", None)
        secret = SecretStr(key) if isinstance(key, str) else None
        return Success(scope_of(self.name, self.address, secret))

    async def prepare(self, asking: Asking, model: str, options: Mapping[str, object]) -> PreparedCustom | Fault:
        """The arguments of its `chat` or `stream`."""
        if not model:
            return InvalidRequest(provider=self.name, message="model is empty")
        return PreparedCustom(self._provider, asking, model, options)

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.close()


class PreparedCustom:
    """One call of a custom provider."""

    heard = _NOTHING

    def __init__(self, provider: BaseProvider, asking: Asking, model: str, options: Mapping[str, object]) -> None:
        self._provider = provider
        self._model = model
        self._messages = list(asking.messages)
        tools = None if asking.tools is None else list(asking.tools)
        # Which keywords a provider takes is its own affair; temperature and bound are in every signature.
        self._arguments: dict[str, Any] = {
            "model": model,
            "temperature": asking.temperature,
            "max_tokens": asking.max_tokens,
            "tools": tools,
            **{name: value for name, value in options.items() if name not in _OURS},
        }

    async def attempt(self, timeout: float) -> Result[CompletionResponse, Fault]:
        """One try."""
        try:
            async with asyncio.timeout(timeout):
                return Success(await self._provider.chat(self._messages, **self._arguments))
        except TimeoutError:
            return Failure(self.placed(timeout_fault("read", "opening", timeout)))
        except Exception as error:  # whatever a provider raises is a try that failed
            return Failure(self.fault(error))

    def pieces(self, timeout: float, left: float | None) -> CustomPieces:
        """One try of a stream."""
        return CustomPieces(self, timeout, left)

    def chunks(self) -> AsyncIterator[StreamChunk]:
        """The provider's own stream."""
        return self._provider.stream(self._messages, **self._arguments)

    def placed(self, fault: Fault) -> Fault:
        """With who and which model."""
        return replace(fault, provider=fault.provider or self._provider.name, model=fault.model or self._model)

    def fault(self, error: Exception, said: Sequence[str] = ()) -> Fault:
        """What an exception stands for; `said` is what had reached the caller."""
        return failed(self._provider, error, self._model, said)


class CustomPieces:
    """One try of a custom provider's stream. Chunks that say nothing wait for the first that does."""

    def __init__(self, prepared: PreparedCustom, timeout: float, left: float | None) -> None:
        self._prepared = prepared
        self._chunks: AsyncIterator[StreamChunk] | None = None
        self._timeout = timeout
        self._ends = None if left is None else asyncio.get_running_loop().time() + left
        self._held: list[StreamChunk] = []
        self._said: list[str] = []
        self._spoken = False

    async def batch(self) -> Batch:
        """The next chunks; a stream that ends without a final chunk gets one, since its provider is content with it."""
        while True:
            try:
                if self._chunks is None:
                    self._chunks = self._prepared.chunks()
                async with asyncio.timeout(self._bound()):
                    chunk = await anext(self._chunks, None)
            except TimeoutError:
                return Batch([], self._broken(self._silence()))
            except Exception as error:
                return Batch([], self._prepared.fault(error, self._said))
            if chunk is None:
                chunk = StreamChunk(is_final=True)
            self._held.append(chunk)
            if chunk.is_final or self._spoken or says(chunk):
                self._spoken = True
                self._said.append(chunk.content)
                held, self._held = self._held, []
                return Batch(held)

    async def drained(self) -> None:
        """Nothing more is wanted."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close a stream that can be closed."""
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            with suppress(Exception):
                await close()

    def _bound(self) -> float:
        if self._ends is None:
            return self._timeout
        return min(self._timeout, max(0.0, self._ends - asyncio.get_running_loop().time()))

    def _silence(self) -> TimedOut:
        if self._spoken:
            return timeout_fault("stream", "reading", self._timeout)
        return timeout_fault("first_token", "opening", self._timeout)

    def _broken(self, fault: Fault) -> Fault:
        placed = self._prepared.placed(fault)
        if not self._spoken or placed.partial is not None:
            return placed
        return replace(placed, partial=Partial(content="".join(self._said)), maybe_billed=True)


def is_plain(kind: type[BaseProvider]) -> bool:
    """Whether a class answers over its line alone: one that changes how is asked by its own methods."""
    return issubclass(kind, CatalogueProvider) and all(
        getattr(kind, name) is getattr(CatalogueProvider, name) for name in ("chat", "chat_result", "stream")
    )


def says(chunk: StreamChunk) -> bool:
    """Whether a chunk holds a piece of the answer."""
    return bool(chunk.content or chunk.tool_calls or chunk.metadata)

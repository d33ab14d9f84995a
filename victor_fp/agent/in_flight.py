"""How many calls a provider has in flight, whoever makes them: so that it can be closed when the last one is over.

A program may call the manager or the provider that the manager shows. To know of both, the provider's own methods are
counted on the instance; it stays the same object and behaves as before. What each call came to is told, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.chat_stream import ChatStream
from victor_fp.providers.failing import fault_raised
from victor_fp.shell.runtime import SYSTEM

_CALLS = ("chat", "chat_result")
_STREAMS = ("stream", "stream_chat", "stream_result")

_inside: ContextVar[object] = ContextVar("victor_fp_inside", default=None)
"""The provider whose call is being made: one of its methods calling another is no second call."""

Told = Callable[[Fault | None, float], None]
"""Hears how a call ended (None: well) and after how many seconds. A call that its caller left tells nothing."""


class InFlight:
    """Counts one provider's calls."""

    def __init__(self, provider: BaseProvider, told: Told) -> None:
        self._provider = provider
        self._told = told
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()
        for name in _CALLS:
            setattr(provider, name, self._counted_call(getattr(provider, name)))
        for name in _STREAMS:
            setattr(provider, name, self._counted_stream(getattr(provider, name)))

    @property
    def count(self) -> int:
        """Calls and streams that are not over."""
        return self._count

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()

    def _counted_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        async def counted(*args: Any, **kwargs: Any) -> Any:
            if _inside.get() is self._provider:
                return await call(*args, **kwargs)
            began, token = self._begin(), _inside.set(self._provider)
            try:
                answer = await call(*args, **kwargs)
                self._tell(_fault_in(answer), began)
                return answer
            except Exception as error:
                self._tell(fault_raised(self._provider, error), began)
                raise
            finally:
                _inside.reset(token)
                self._end()

        return counted

    def _counted_stream(self, stream: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(stream)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if _inside.get() is self._provider:
                return stream(*args, **kwargs)
            return ChatStream(self._items(stream, args, kwargs))

        return counted

    async def _items(
        self, stream: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        began = self._begin()
        items: AsyncIterator[Any] | None = None
        fault: Fault | None = None
        try:
            while True:
                # The caller's own code runs between the items, so the mark stands only while one is fetched.
                token = _inside.set(self._provider)
                try:
                    if items is None:
                        items = aiter(stream(*args, **kwargs))
                    item = await anext(items)
                except StopAsyncIteration:
                    break
                finally:
                    _inside.reset(token)
                fault = _fault_in(item)
                yield item
            self._tell(fault, began)
        except Exception as error:
            self._tell(fault_raised(self._provider, error), began)
            raise
        finally:
            self._end()
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _begin(self) -> float:
        self._count += 1
        self._idle.clear()
        return SYSTEM.now()

    def _end(self) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    def _tell(self, fault: Fault | None, began: float) -> None:
        self._told(fault, SYSTEM.now() - began)


def _fault_in(answer: object) -> Fault | None:
    """What a Result holds where it is a failure."""
    if not isinstance(answer, Result):
        return None
    result: Result[object, Fault] = answer
    match outcome(result):
        case Failure(fault):
            return fault
        case Success():
            return None

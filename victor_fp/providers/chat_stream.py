"""A stream of an answer: iterate it, leave it early, or hold it with `async with`; leaving closes the connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)


class ChatStream(AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that can be closed. Nothing is sent before the first item is asked for."""

    __slots__ = ("_items",)

    def __init__(self, items: AsyncGenerator[T_co, None]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[T_co]:  # noqa: PYI034
        """The generator itself: no extra step per item."""
        return self._items

    async def __anext__(self) -> T_co:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Stop the answer, and close the connection it comes over."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

"""Where tries go: the seam between the managed loop and whatever answers, a line of the catalogue or anyone's own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from returns.result import Result

from victor_fp.core.faults import Fault
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.types import CompletionResponse, Message, ToolDefinition
from victor_fp.shell.trying import Batch


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asks, whoever will answer."""

    messages: Sequence[Message]
    model: str | None = None
    """For the first target; the others use their own."""
    temperature: float | None
    max_tokens: int | None
    tools: Sequence[ToolDefinition] | None = None
    options: Mapping[str, object] = {}
    priority: Priority = Priority.NORMAL
    stream: bool = False


class Pieces(Protocol):
    """One try of a stream."""

    async def batch(self) -> Batch:
        """The next chunks; the last of them is final, or there is a fault, which ends the try."""
        ...

    async def drained(self) -> None:
        """Read an answer that is over to its end, for a moment at most."""
        ...

    async def aclose(self) -> None:
        """Leave."""
        ...


class Prepared(Protocol):
    """One call, ready for one target: it can be tried several times."""

    @property
    def heard(self) -> Mapping[str, str]:
        """Headers of the last answer, names in lower case; empty where there was none."""
        ...

    async def attempt(self, timeout: float) -> Result[CompletionResponse, Fault]:
        """One try, bounded as a whole. Seconds."""
        ...

    def pieces(self, timeout: float, left: float | None) -> Pieces:
        """One try of a stream: `timeout` bounds each silence, `left` all of it. Seconds."""
        ...


class Source(Protocol):
    """A provider, as the managed loop sees it."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def address(self) -> str | None:
        """Where it is."""
        ...

    async def scope(self) -> Result[str, Fault]:
        """What limits and breakers are kept by: the place and the key, as a digest."""
        ...

    async def prepare(self, asking: Asking, model: str, options: Mapping[str, object]) -> Prepared | Fault:
        """The call in this provider's form. `options` are the caller's, with the target's own over them."""
        ...

    async def aclose(self) -> None:
        """Close the provider."""
        ...

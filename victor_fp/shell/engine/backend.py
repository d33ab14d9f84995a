"""The seam between the engine and whatever answers: a provider of the catalogue over HTTP, or anyone's own class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from returns.result import Result

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.responses import ResponseContext
from victor_fp.core.types import Usage
from victor_fp.shell.engine.call_spec import CallSpec

T = TypeVar("T")


class Batch(msgspec.Struct, Generic[T], frozen=True):
    """Items that came together, such as the chunks of one network read. A whole answer is one batch, which is the last."""

    items: Sequence[T]
    is_last: bool = False
    usage: Usage | None = None
    """Of the whole answer; on the last batch, where it was reported."""


class TimeLimits(msgspec.Struct, frozen=True, gc=False):
    """How long one attempt may take, in seconds from its start."""

    timeout: float
    """The whole of a call; each silence of a stream."""
    first: float
    """Until the first batch."""
    whole: float | None = None
    """Until the last batch: what is left of the caller's own deadline, if there is one."""


class BackendAttempt(Protocol[T]):
    """One attempt at one target. Batches come until one is the last, or until there is a fault, which ends it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the latest response, names in lower case; empty where there was none."""
        ...

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """The attempts that this one made in turn, where it is an operation of its own; else empty."""
        ...

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """The next batch."""
        ...

    async def drain(self) -> None:
        """Read a response that is over to its end, for a moment at most, so that its connection can be used again."""
        ...

    async def aclose(self) -> None:
        """Leave; harmless when done twice."""
        ...


class BoundRequest(Protocol[T]):
    """One call in a backend's own form; it can be started several times."""

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """One attempt. Nothing is sent before its first batch is asked for."""
        ...


class PreparedExchange(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A request, and what its response means."""

    request: HttpRequest
    codec: Codec
    context: ResponseContext
    read: Callable[[bytes], Result[T, Fault]] | None = None
    """Decodes the body of a 2xx response; None where the response is read as a stream."""
    read_lines: Callable[[bytes], Result[T, Fault]] | None = None
    """Decodes some whole lines of a 2xx response that is read as a stream of lines; None for a stream of chunks."""
    add_headers: Callable[[T, Mapping[str, str]], T] | None = None
    """Completes the result from the headers of its response, where the body does not say everything."""


class Split(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A call that is more than one request of the vendor's may hold: the calls it is made of, and what joins their results."""

    specs: tuple[CallSpec, ...]
    join: Callable[[Sequence[T]], Result[T, Fault]]


class Known(msgspec.Struct, Generic[T], frozen=True):
    """A result that needs no exchange."""

    value: T


class Kind(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One kind of result, such as a completion or a list of models: how the core asks for it."""

    name: str
    compile: Callable[
        [Codec, Endpoint, CallSpec, str, Mapping[str, Any]], Result[PreparedExchange[T] | Known[T] | Split[T], Fault]
    ]
    """From codec, endpoint, call, model and options to what is sent and how the response is read."""
    operation: str = "chat"
    """What telemetry calls an operation of this kind, in the words of OpenTelemetry's GenAI conventions where they have one."""
    uses_breaker: bool = True
    """Whether the result says something of the target's health. A question about models says nothing about answers."""


class Backend(Protocol):
    """A provider, as the engine sees it."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def address(self) -> str | None:
        """Its base URL."""
        ...

    async def compute_scope(self) -> Result[str, Fault]:
        """What limits and breakers are kept by: a digest of address and key."""
        ...

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T] | Split[T], Fault]:
        """The call in this provider's form. `options` are the caller's, with the target's own over them."""
        ...

    async def aclose(self) -> None:
        """Close the provider."""
        ...

"""The interface between the engine and backends: a catalogue provider over HTTP, or a custom provider class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from returns.result import Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.types import Usage
from victor_fp.shell.engine.call_spec import CallSpec

T = TypeVar("T")


class Batch(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """Items received together, such as the chunks of one network read. A non-streaming response is one, last batch."""

    items: Sequence[T]
    is_last: bool = False
    usage: Usage | None = None
    """Usage of the complete response; on the last batch, if it was reported."""


class TimeLimits(msgspec.Struct, frozen=True, gc=False):
    """The time limits of one attempt, in seconds from its start."""

    timeout: float
    """In total for a call, between two reads for a stream."""
    first: float
    """Until the first batch."""
    total: float | None = None
    """Until the last batch: the remaining time of the caller's deadline, if there is one."""


class BackendAttempt(Protocol[T]):
    """One attempt at one target. It yields batches until the last one, or until a fault, which ends it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the latest response, names in lower case; empty if there was none."""
        ...

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """The attempts within this one, if it is itself an operation; else empty."""
        ...

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the next batch."""
        ...

    async def aclose(self) -> None:
        """Close the attempt. Idempotent.

        The rest of a finished response is read, for a short time, so that its connection can be reused.
        """
        ...


class BoundRequest(Protocol[T]):
    """A call compiled for a backend; it can be started several times."""

    def start(self, limits: TimeLimits, /) -> BackendAttempt[T]:
        """Start an attempt. Nothing is sent before its first batch is read."""
        ...


class PreparedExchange(msgspec.Struct, Generic[T], frozen=True, kw_only=True, gc=False):
    """A request, and the decoding of its response."""

    request: HttpRequest
    codec: Codec
    context: ResponseContext
    read: Callable[[bytes], Result[T, Fault]] | None = None
    """Decodes the body of a 2xx response; None if the response is read as a stream."""
    read_lines: Callable[[bytes], Result[T, Fault]] | None = None
    """Decodes complete lines of a 2xx response that is read as a stream of lines; None for a stream of chunks."""
    add_headers: Callable[[T, Mapping[str, str]], T] | None = None
    """Adds values from the response headers to the result, if the body lacks them."""


class Split(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A call that exceeds the limits of one request: the calls it is split into, and the function that joins them."""

    specs: tuple[CallSpec, ...]
    join: Callable[[Sequence[T]], Result[T, Fault]]


class KnownResult(msgspec.Struct, Generic[T], frozen=True):
    """A result that is known without a request; it is its own bound request and attempt, and needs no permit."""

    value: T
    headers: Mapping[str, str] = {}
    records: tuple[AttemptRecord, ...] = ()

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:  # noqa: ARG002  no time is needed
        """Return the attempt, which has already succeeded."""
        return self

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the value."""
        return Success(Batch((self.value,), is_last=True))

    async def aclose(self) -> None:
        """Do nothing."""


class Kind(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One kind of result, such as a completion or a list of models, and how its requests are compiled."""

    name: str
    compile: Callable[
        [Codec, Endpoint, CallSpec, str, Mapping[str, Any]],
        Result[PreparedExchange[T] | KnownResult[T] | Split[T], Fault],
    ]
    """Compiles a call from codec, endpoint, call, model and options."""
    operation: str = "chat"
    """Name of the operation in telemetry, as in OpenTelemetry's GenAI conventions where they define one."""
    uses_breaker: bool = True
    """Whether the result counts for breaker and health. Requests about models do not: chats may still fail."""


class Backend(Protocol):
    """The engine's interface to a provider."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def address(self) -> str | None:
        """The provider's base URL."""
        ...

    async def compute_scope(self) -> Result[str, Fault]:
        """Compute the key of limits and breakers: a digest of base URL and API key."""
        ...

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T] | Split[T], Fault]:
        """Compile a call for this provider. `options` are the caller's, overridden by those of the target."""
        ...

    async def aclose(self) -> None:
        """Close the provider."""
        ...

"""The backend of catalogue providers: calls are compiled by the codec and sent over the connection."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Generic, TypeVar, cast

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Fault
from victor_fp.core.request_building.values import describe_failure
from victor_fp.core.responses import with_context
from victor_fp.core.result import outcome
from victor_fp.core.types import StreamChunk
from victor_fp.shell.engine.attempt import BodyAttempt, StreamAttempt
from victor_fp.shell.engine.backend import (
    BackendAttempt,
    Batch,
    BoundRequest,
    Kind,
    KnownResult,
    PreparedExchange,
    Split,
    TimeLimits,
)
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.connection import Connection
from victor_fp.shell.engine.lines_attempt import LinesAttempt
from victor_fp.shell.transport.protocol import prepare_model

T = TypeVar("T")


class HttpBackend:
    """A catalogue provider as a backend."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = connection.endpoint.spec.name
        self._scope: str | None = None

    @property
    def address(self) -> str | None:
        """The base URL."""
        return self.connection.endpoint.base_url

    async def compute_scope(self) -> Result[str, Fault]:
        """Look up the key and return a digest of base URL and key."""
        if self._scope is None:
            match outcome(await self.connection.prepare()):
                case Failure(fault):
                    return Failure(fault)
                case Success():
                    self._scope = digest_scope(self.name, self.address, self.connection.secret)
        return Success(self._scope or "")

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T] | Split[T], Fault]:
        """Compile the request with the codec."""
        connection = self.connection
        codec = connection.codec
        if codec is None:
            match outcome(await connection.prepare()):
                case Failure(fault):
                    return Failure(fault)
                case Success(codec):
                    pass
        try:
            compiled = kind.compile(
                codec if codec.route is None else codec.for_model(model), connection.endpoint, spec, model, options
            )
        except Exception as error:  # values that cannot be encoded, in options that are passed through
            return Failure(describe_failure(error, provider=self.name, model=model))
        match outcome(compiled):
            case Success(exchange):
                if isinstance(exchange, KnownResult):
                    return Success(KnownRequest(exchange.value))
                if isinstance(exchange, Split):
                    return Success(exchange)
            case Failure(fault):
                return Failure(fault)
        if connection.needs_preparation and (unready := await prepare_model(connection.transport, model)) is not None:
            return Failure(with_context(exchange.context, unready))
        return Success(HttpBoundRequest(connection, exchange))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.connection.transport.aclose()


class HttpBoundRequest(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A compiled request and its connection."""

    connection: Connection
    exchange: PreparedExchange[T]

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """Start an attempt."""
        exchange = self.exchange
        if exchange.read is not None:
            return BodyAttempt(self.connection, exchange, limits.timeout)
        if exchange.read_lines is not None:
            return LinesAttempt(self.connection, exchange, limits)
        # Only the stream kind has no `read`, and its items are chunks.
        stream = StreamAttempt(self.connection, cast("PreparedExchange[StreamChunk]", exchange), limits)
        return cast("BackendAttempt[T]", stream)


class KnownRequest(Generic[T]):
    """A result that is known without a request; both request and attempt."""

    headers: Mapping[str, str] = {}
    records: tuple[AttemptRecord, ...] = ()

    def __init__(self, value: T) -> None:
        self._value = value

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:  # noqa: ARG002  no time is needed
        """Return the attempt, which has already succeeded."""
        return self

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the value."""
        return Success(Batch((self._value,), is_last=True))

    async def drain(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""


def digest_scope(name: str, address: str | None, secret: SecretStr | None) -> str:
    """Return a digest of base URL and key; a key has too much entropy to be recovered from it."""
    digest = sha256(f"{address}\0{'' if secret is None else secret.get_secret_value()}".encode()).hexdigest()
    return f"{name}:{digest[:16]}"

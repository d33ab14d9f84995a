"""What the families of batch APIs share: binding functions to an endpoint, refusing odd answers, and lines of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.reading import encode_body, find_error_code, iterate_lines
from victor_fp.core.batching.types import BatchItem, ItemResult
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols.batches import ResultPage
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

T = TypeVar("T")

NOT_STARTED: Mapping[str, Literal["expired", "cancelled"]] = {
    "batch_expired": "expired",
    "batch_cancelled": "cancelled",
    "batch_canceled": "cancelled",
}
"""Codes of requests that were not begun: OpenAI's guide to batches, "expiration"; Morph's page."""


class BatchEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its batch API, and the operation that the requests are for."""

    endpoint: Endpoint
    support: BatchSupport
    route: str

    def build_invalid(self, message: str, body: bytes) -> Fault:
        """The fault for an answer that is not what its operation promises."""
        evidence = body[:1000].decode("utf-8", "replace")
        return InvalidResponse(provider=self.endpoint.spec.name, message=message, evidence=evidence)

    def decode(self, decoder: WireDecoder[T], body: bytes, what: str) -> Result[T, Fault]:
        """The body as its model."""
        found = decoder.decode(body)
        if isinstance(found, Undecodable):
            return Failure(self.build_invalid(f"{what} cannot be read: {found.reason}", body))
        return Success(found)

    def compute_expiry(self, created: float | None) -> float | None:
        """When the results of a batch vanish that was created then."""
        hours = self.support.limits.results_hours
        return None if created is None or hours is None else created + hours * 3600.0


def read_lines(
    bound: BatchEndpoint, decoder: WireDecoder[T], read: Callable[[T], ItemResult | None], data: bytes
) -> Result[ResultPage, Fault]:
    """Results of whole lines; `read` gives None for a line without an id."""
    items: list[ItemResult] = []
    for text in iterate_lines(data):
        line = decoder.decode(text)
        item = None if isinstance(line, Undecodable) else read(line)
        if item is None:
            return Failure(bound.build_invalid("a line of results cannot be read", text))
        items.append(item)
    return Success(ResultPage(tuple(items)))


def read_answer(identifier: str, status: int | None, body: object, error: object, request_id: str | None) -> ItemResult:
    """A result in OpenAI's form: a response with a status, or an error whose code tells what was not begun."""
    if status is not None and status < 400:
        return ItemResult(id=identifier, end="answered", status=status, body=encode_body(body), request_id=request_id)
    refusal = error if body is None else body
    end: Literal["failed", "expired", "cancelled"] = NOT_STARTED.get(find_error_code(error), "failed")
    wrapped = refusal if isinstance(refusal, Mapping) and "error" in refusal else {"error": refusal}
    return ItemResult(id=identifier, end=end, status=status, body=encode_body(wrapped), request_id=request_id)


def list_raw_items(items: Sequence[BatchItem]) -> list[Any]:
    """Items that are encoded already, to stand in a body's list; a list of their model to the type checker."""
    return [msgspec.Raw(item.line) for item in items]

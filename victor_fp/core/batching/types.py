"""Types of batches: items, handles, states and results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import CompletionResponse

BatchState: TypeAlias = Literal[
    "pending", "running", "cancelling", "unknown", "completed", "failed", "expired", "cancelled"
]
"""States that all vendors' states are mapped to; `unknown` is one without a mapping. The last four are final; each of them
may have results."""
FINAL_STATES: frozenset[BatchState] = frozenset({"completed", "failed", "expired", "cancelled"})
RESULT_STATES: frozenset[BatchState] = frozenset({*FINAL_STATES, "unknown"})
"""States in which a batch may have results; those of an unknown state are read once the batch is overdue."""

_SAFE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Anthropic's rule for ids, the strictest of all vendors: message_batches_post in its API reference."""


class ItemContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Facts of an item's request that are needed to decode its response."""

    model: str = ""
    tool_names: Mapping[str, str] = {}
    """The caller's tool names by sent names, where they differ."""
    required_call: str | None = None
    """The tool that must be called; empty for any tool, None if no call is required."""
    adjustments: tuple[Adjustment, ...] = ()


NO_CONTEXT = ItemContext()


class BatchHandle(msgspec.Struct, frozen=True, kw_only=True):
    """Handle of a vendor's batch. Plain data without keys; store it with `encode_handle`."""

    provider: str
    id: str
    model: str = ""
    """Model of its requests; empty if there are several."""
    count: int = 0
    """Number of requests."""
    token: str = ""
    """Token that identifies the submission, stored by the vendor with the batch if supported."""
    input_id: str = ""
    """ID of the request file, if the vendor has one."""
    submitted_at: float | None = None
    """When it was submitted, in seconds since 1970; None for a batch of a list."""
    context: ItemContext = NO_CONTEXT
    """Context shared by the requests."""


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Numbers of requests of a batch; None if not reported."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Status of a batch. Times are in seconds since 1970."""

    handle: BatchHandle
    state: BatchState
    vendor_state: str = ""
    """The state as reported by the vendor."""
    counts: BatchCounts = BatchCounts()
    created_at: float | None = None
    ends_at: float | None = None
    """When the batch expires: unfinished requests are not processed after it."""
    expires_silently: bool = False
    """Whether the vendor does not report the end of a batch that has expired with pending requests."""
    results_expire_at: float | None = None
    """When the results are deleted."""
    sources: tuple[str, ...] = ()
    """IDs of files or other vendor identifiers of the results."""
    errors: tuple[str, ...] = ()
    """Errors of the batch itself, not of single requests."""
    error_code: str = ""
    """Vendor's code of the first error; empty if it has none."""

    @property
    def is_final(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL_STATES


class BatchItem(msgspec.Struct, frozen=True, gc=False):
    """One request of a batch, encoded for the vendor."""

    key: str
    """Key of the row."""
    id: str
    """ID sent to the vendor."""
    model: str
    route: str
    """Operation of the request; all requests of a batch have the same."""
    line: bytes
    context: ItemContext = NO_CONTEXT
    prompt_tokens: int = 0
    """Estimate of its prompt, for budgets."""
    answer_tokens: int = 0
    """Estimate of its response."""


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result, before its body is decoded by the protocol."""

    id: str
    end: Literal["answered", "failed", "expired", "cancelled", "unreadable"]
    """How the request ended: with a response, with an error, or without being started. An unreadable result has no id."""
    status: int | None = None
    """HTTP status of the response or error."""
    body: bytes = b""
    """Body of the response or error."""
    request_id: str | None = None


Problem: TypeAlias = Literal["unknown", "doubled", "missing", "unreadable"]


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one row of a batch."""

    key: str
    """Key of the row; the vendor's id if it belongs to no row, empty for an unreadable result."""
    result: Result[CompletionResponse, Fault]
    end: Literal["answered", "failed", "expired", "cancelled", "missing"]
    problem: Problem | None = None
    """Problem with the result: unknown id, duplicate, missing, or unreadable, so that its row is missing. A missing one is
    `failed` if the batch has failed."""


def merge_contexts(items: Iterable[BatchItem]) -> ItemContext:
    """Return the context shared by all items; ambiguous tool names are not restored."""
    contexts = [item.context for item in items]
    if not contexts:
        return NO_CONTEXT
    names: dict[str, set[str]] = {}
    for context in contexts:
        for sent, own in context.tool_names.items():
            names.setdefault(sent, set()).add(own)
    first = contexts[0]
    return ItemContext(
        model=first.model if all(context.model == first.model for context in contexts) else "",
        tool_names={sent: own.pop() for sent, own in names.items() if len(own) == 1},
        required_call=first.required_call
        if all(context.required_call == first.required_call for context in contexts)
        else None,
        adjustments=tuple(
            adjustment
            for adjustment in first.adjustments
            if all(adjustment in context.adjustments for context in contexts)
        ),
    )


def make_item_id(key: str) -> str:
    """Return a row's id in a batch: its key if all vendors accept it, else a digest.

    >>> make_item_id("row-7"), len(make_item_id("a key with spaces"))
    ('row-7', 34)
    """
    if _SAFE_KEY.fullmatch(key):
        return key
    return f"k-{blake2b(key.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def encode_handle(handle: BatchHandle) -> str:
    """Encode a handle as JSON."""
    return msgspec.json.encode(handle).decode()


def decode_handle(text: str | bytes | Mapping[str, object]) -> Result[BatchHandle, Fault]:
    """Decode a handle from the JSON of `encode_handle`, or from its decoded object."""
    try:
        if isinstance(text, str | bytes):
            return Success(msgspec.json.decode(text, type=BatchHandle))
        return Success(msgspec.convert(text, BatchHandle))
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        return Failure(InvalidRequest(message=f"a batch handle cannot be decoded: {error}"))

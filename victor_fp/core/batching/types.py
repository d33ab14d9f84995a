"""What a vendor's batch is to us: its items, its handle, its state and its results."""

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

BatchState: TypeAlias = Literal["pending", "running", "cancelling", "completed", "failed", "expired", "cancelled"]
"""Every vendor's states are mapped to these. The last four are final; results may be there in each of them."""
FINAL_STATES: frozenset[BatchState] = frozenset({"completed", "failed", "expired", "cancelled"})

_SAFE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Anthropic's rule for ids, which is the strictest: message_batches_post of its reference."""


class ItemContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What reading the answer to an item needs to know of its request."""

    model: str = ""
    tool_names: Mapping[str, str] = {}
    """The caller's names of tools by the names that were sent, where the two differ."""
    required_call: str | None = None
    """The tool that had to be called, any where it is empty; None where none had to."""
    adjustments: tuple[Adjustment, ...] = ()


NO_CONTEXT = ItemContext()


class BatchHandle(msgspec.Struct, frozen=True, kw_only=True):
    """Names a batch at its vendor. Plain data without keys: store it with `encode_handle`."""

    provider: str
    id: str
    model: str = ""
    """Of its requests; empty where they are for several."""
    count: int = 0
    """Requests in it."""
    token: str = ""
    """Our own mark, which the vendor keeps with the batch where it can."""
    input_id: str = ""
    """The file of requests, where the vendor keeps one."""
    context: ItemContext = NO_CONTEXT
    """What the requests have in common."""


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Requests of a batch; None is what the vendor does not tell."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch is. Times in seconds since 1970."""

    handle: BatchHandle
    state: BatchState
    vendor_state: str = ""
    """The vendor's own word."""
    counts: BatchCounts = BatchCounts()
    created_at: float | None = None
    ends_at: float | None = None
    """When the vendor gives up on what is not answered."""
    results_expire_at: float | None = None
    """When the results vanish."""
    sources: tuple[str, ...] = ()
    """Where the results are: ids of files or addresses, in the vendor's terms."""
    errors: tuple[str, ...] = ()
    """What is wrong with the batch as a whole."""

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES


class BatchItem(msgspec.Struct, frozen=True, gc=False):
    """One request of a batch, as it stands in the vendor's file."""

    key: str
    """The row's own."""
    id: str
    """As the vendor sees it."""
    model: str
    route: str
    """The operation that the request is for. A batch has one."""
    line: bytes
    context: ItemContext = NO_CONTEXT


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of results, before it is decoded by the protocol of its answer."""

    id: str
    end: Literal["answered", "failed", "expired", "cancelled"]
    """Whether the request was answered; else whether it was refused, or was not begun."""
    status: int | None = None
    """The HTTP status of the answer or of the refusal."""
    body: bytes = b""
    """The operation's response body, or the body of its error."""
    request_id: str | None = None


Problem: TypeAlias = Literal["unknown", "doubled", "missing"]


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one row of a batch."""

    key: str
    """The row's own; the vendor's id where that belongs to no row."""
    result: Result[CompletionResponse, Fault]
    end: Literal["answered", "failed", "expired", "cancelled", "missing"]
    problem: Problem | None = None
    """An id that was not submitted, one that came before, or one for which the vendor has no result."""


def merge_contexts(items: Iterable[BatchItem]) -> ItemContext:
    """What the requests of items have in common; a name of a tool that stands for two is left as it was sent."""
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
    """A row's id inside a batch: its key where every vendor accepts that, else a digest of it.

    >>> batch_id_for("row-7"), len(batch_id_for("a key with spaces"))
    ('row-7', 34)
    """
    if _SAFE_KEY.fullmatch(key):
        return key
    return f"k-{blake2b(key.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def encode_handle(handle: BatchHandle) -> str:
    """A handle as JSON."""
    return msgspec.json.encode(handle).decode()


def decode_handle(text: str | bytes | Mapping[str, object]) -> Result[BatchHandle, Fault]:
    """The handle that `encode_handle` wrote, also as the object that its JSON holds."""
    try:
        if isinstance(text, str | bytes):
            return Success(msgspec.json.decode(text, type=BatchHandle))
        return Success(msgspec.convert(text, BatchHandle))
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        return Failure(InvalidRequest(message=f"a batch handle cannot be decoded: {error}"))

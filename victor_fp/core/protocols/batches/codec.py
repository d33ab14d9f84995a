"""The functions of a batch API bound to one endpoint, and the steps of its submissions and results.

Submitting a batch, and reading its results, may take several exchanges: each is a step whose reader returns the next one.
Vendors that read and write an object store of the caller have steps for its objects as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from returns.result import Result

from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchStatus, ItemResult
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import HttpRequest


class SubmitStep(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange of a submission. `read` returns the next exchange, or the handle."""

    request: HttpRequest
    read: Callable[[bytes], Result[SubmitStep | BatchHandle, Fault]]
    delay: float = 0.0
    """Seconds to wait before it, for a vendor that is still processing an earlier step."""
    creates: bool = False
    """Whether it creates the batch: retrying it after a failure with an unknown outcome could create a second one."""
    adds: bool = False
    """Whether it adds requests to a batch that exists, which the vendor then processes."""

    @property
    def spends(self) -> bool:
        """Whether requests may be billed once it is sent."""
        return self.creates or self.adds


class StoreWrite(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is written before the step that follows."""

    url: str
    data: bytes
    following: SubmitStep


class ResultPage(msgspec.Struct, frozen=True):
    """Some results, and the step for the next ones."""

    items: tuple[ItemResult, ...]
    following: ResultStep | None = None


class ResultStep(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange that returns results."""

    request: HttpRequest
    read: Callable[[bytes], Result[ResultPage, Fault]]
    """Reads the complete body or, if `is_lines`, some complete lines of it."""
    is_lines: bool = False
    delay: float = 0.0
    """Seconds to wait before it."""
    following: ResultStep | None = None
    """The step after the last line."""


class StoreRead(msgspec.Struct, frozen=True, kw_only=True):
    """The objects with the results of a batch."""

    prefix: str
    """URL of the folder, with a slash at the end."""
    names: tuple[str, ...]
    """Patterns of the names of objects: those that match the first pattern are read, or the next one if there are none."""
    read: Callable[[bytes], Result[ResultPage, Fault]]
    """Reads some complete lines of an object."""


StatusPage: TypeAlias = tuple[tuple[BatchStatus, ...], str | None]
"""Some batches, and the cursor of the next page; None after the last."""


class BatchCodec(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's batch API, bound to one endpoint."""

    support: BatchSupport
    stores_token: bool = False
    """Whether the vendor stores the token with a batch, so that it can be found if its handle is lost."""
    codec: Codec
    """Builds the requests of items and decodes their responses."""
    encode_item: Callable[[str, str, HttpRequest], BatchItem]
    """From key, model and the request of a live call to a batch item."""
    submit: Callable[[Sequence[BatchItem], str], SubmitStep | StoreWrite]
    """From items and a token to the first step."""
    status: Callable[[BatchHandle], HttpRequest]
    read_status: Callable[[BatchHandle, bytes], Result[BatchStatus, Fault]]
    results: Callable[[BatchStatus], ResultStep | StoreRead | None]
    """None if there are no results."""
    cancel: Callable[[BatchHandle], HttpRequest] | None
    """None if a batch cannot be cancelled."""
    list_page: Callable[[str | None], HttpRequest]
    """From a cursor to the request for a page of batches, newest first."""
    read_list: Callable[[str | None, bytes], Result[StatusPage, Fault]]
    """From the cursor of a page and its body to its batches."""

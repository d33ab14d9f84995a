"""Rows as the items of one batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.batching.splitting import Splitter
from victor_fp.core.batching.types import BatchItem
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.rows import RejectedRow, RowInput, check_row
from victor_fp.core.protocols.batches.encoding import encode_row
from victor_fp.core.request_building.inputs import read_tools
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition
from victor_fp.shell.engine.batches import BatchClient


def encode_rows(
    client: BatchClient,
    provider: str,
    rows: Iterable[RowInput],
    model: str | None,
    tools: Iterable[ToolDefinition | Mapping[str, Any]],
    options: Mapping[str, Any],
) -> Result[tuple[BatchItem, ...], Fault]:
    """Return the item of each row, if they fit into one batch."""
    if not isinstance(rows, Iterable):
        message = f"rows: expected an iterable of rows, got {type(rows).__name__}"
        return Failure(InvalidRequest(provider=provider, message=message))
    match outcome(read_tools(tools)):
        case Failure(fault):
            return Failure(fault)
        case Success(given_tools):
            pass
    splitter = Splitter(client.batch.support.limits)
    seen: set[str] = set()
    for position, given in enumerate(rows):
        row = check_row(given, position, provider=provider, model=model, options=options, tools=given_tools)
        if isinstance(row, RejectedRow):
            return Failure(row.fault)
        match outcome(encode_row(client.batch, client.endpoint, row)):
            case Failure(fault):
                return Failure(fault)
            case Success(item):
                pass
        if item.id in seen:
            return Failure(InvalidRequest(provider=provider, message=f"key {row.key!r} occurs twice"))
        seen.add(item.id)
        match outcome(splitter.add(item)):
            case Failure(fault):
                return Failure(fault)
            case Success(full):
                if full:
                    return Failure(_build_too_many(provider, len(full)))
    batches = splitter.close()
    if len(batches) > 1:
        return Failure(_build_too_many(provider, len(batches[0])))
    if not batches:
        return Failure(InvalidRequest(provider=provider, message="no rows to submit"))
    return Success(batches[0])


def _build_too_many(provider: str, fitting: int) -> Fault:
    message = (
        f"the rows do not fit into one batch of {provider}: it accepts only the first {fitting}; "
        "submit fewer rows, of one model at a time, or run a job with route='batch'"
    )
    return InvalidRequest(provider=provider, message=message)

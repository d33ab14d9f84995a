"""Responses as plain values for snapshots, without values that differ between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, FaultBase
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

SnapshotInput: TypeAlias = "CompletionResponse | StreamChunk | Fault | Result[Any, Fault] | Sequence[CompletionResponse | StreamChunk | Result[Any, Fault]]"
"""What `snapshot_of` accepts; a sequence has the items of a stream."""

_TIMES = frozenset({"started", "seconds", "waited"})
"""Time fields of attempts."""


def snapshot_of(value: SnapshotInput) -> Any:
    """Convert responses, chunks, faults or Results to plain values: `assert snapshot_of(response) == snapshot`.

    Empty fields are omitted, and so are the vendor's raw body, which duplicates the normalised fields, and the times of
    attempts.
    """
    if isinstance(value, CompletionResponse | StreamChunk):
        return _drop_times(value.model_dump(mode="json", exclude={"raw_response"}, exclude_defaults=True))
    if isinstance(value, FaultBase):
        fields = {
            name: field for name, field in msgspec.to_builtins(value).items() if field not in (None, "", [], False)
        }
        return {"fault": type(value).__name__} | _drop_times(fields)
    if isinstance(value, Success | Failure):
        result: Result[Any, Fault] = value
        match outcome(result):
            case Success(inner):
                return snapshot_of(inner)
            case Failure(fault):
                return snapshot_of(fault)
    if isinstance(value, Sequence):
        return [snapshot_of(item) for item in value]
    raise TypeError(f"expected responses, chunks, faults or results, got {type(value).__name__}")


def _drop_times(fields: dict[str, Any]) -> dict[str, Any]:
    if "attempts" in fields:
        fields = {**fields, "attempts": [_drop_attempt_times(attempt) for attempt in fields["attempts"]]}
    metadata = fields.get("metadata")
    return {**fields, "metadata": _drop_times(metadata)} if metadata and "attempts" in metadata else fields


def _drop_attempt_times(attempt: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attempt.items() if name not in _TIMES}

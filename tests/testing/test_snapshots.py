"""Responses as plain values."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Success

from victor_fp.core.faults import Attempt, RateLimited
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.testing import snapshot_of

RESPONSE = CompletionResponse(
    content="Hi",
    usage={"prompt_tokens": 1},
    raw_response={"id": "x"},
    metadata={"attempts": [{"provider": "acme", "seconds": 1.5, "started": 0.0, "waited": 0.1, "outcome": "ok"}]},
)
SHOWN = {
    "content": "Hi",
    "usage": {"prompt_tokens": 1},
    "metadata": {"attempts": [{"provider": "acme", "outcome": "ok"}]},
}


def test_varying_and_empty_fields_are_omitted() -> None:
    assert snapshot_of(RESPONSE) == SHOWN
    assert snapshot_of(Success(RESPONSE)) == SHOWN
    assert snapshot_of([StreamChunk(content="a"), StreamChunk(is_final=True, response=RESPONSE)]) == [
        {"content": "a"},
        {"is_final": True},
    ]


def test_faults_are_shown_by_their_names() -> None:
    fault = RateLimited(provider="acme", retry_after=2.0, attempts=(Attempt(provider="acme", seconds=3.0),))
    shown = {
        "fault": "RateLimited",
        "provider": "acme",
        "retry_after": 2.0,
        "attempts": [{"provider": "acme", "model": None, "outcome": "ok", "status": None, "message": ""}],
    }
    assert snapshot_of(fault) == shown
    assert snapshot_of([Failure(fault)]) == [shown]


def test_other_values_are_refused() -> None:
    value: Any = 7
    with pytest.raises(TypeError, match="got int"):
        snapshot_of(value)

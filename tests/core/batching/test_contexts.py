"""Results of batches are decoded with the context of their requests: tool names, required calls, adjustments, models, prices."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from returns.result import Success

from tests.openai_shapes import build_body
from victor_fp.core.batching.matching import ResultMatching
from victor_fp.core.batching.types import (
    NO_CONTEXT,
    BatchHandle,
    BatchItem,
    ItemContext,
    ItemResult,
    decode_handle,
    encode_handle,
    merge_contexts,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.jobs.rows import CheckedRow, Row, check_row
from victor_fp.core.protocols.batches import build_batch_codec
from victor_fp.core.protocols.batches.codec import BatchCodec
from victor_fp.core.protocols.batches.encoding import encode_row
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.requests import Adjustment, Endpoint
from victor_fp.core.responses.batches import decode_item
from victor_fp.core.types import ToolDefinition
from victor_fp.core.usage.cost import PricedUsage

TOOL = ToolDefinition(name="city.find", description="", parameters={"type": "object", "properties": {}})


def build_codec() -> tuple[Endpoint, BatchCodec]:
    endpoint = build_endpoint(CATALOGUE.find("openai").unwrap()).unwrap()
    return endpoint, build_batch_codec(endpoint).unwrap()


def build_checked_row(key: str = "a", **options: Any) -> CheckedRow:
    row = check_row(Row(key, "Hi", options, tools=(TOOL,)), 0, provider="openai", model="gpt-5-mini", options={})
    assert isinstance(row, CheckedRow)
    return row


def encode_item(key: str = "a", **options: Any) -> BatchItem:
    endpoint, batch = build_codec()
    return encode_row(batch, endpoint, build_checked_row(key, **options)).unwrap()


def call(name: str) -> bytes:
    return msgspec.json.encode(
        {
            "id": "c-1",
            "object": "chat.completion",
            "model": "gpt-5-mini",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "call-1", "type": "function", "function": {"name": name, "arguments": "{}"}}
                        ],
                    },
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }
    )


def decode(handle: BatchHandle, answer: bytes, endpoint: Endpoint | None = None, **keywords: Any) -> Any:
    known, batch = build_codec()
    item = ItemResult(id="a", end="answered", status=200, body=answer)
    return decode_item(batch, endpoint or known, handle, ResultMatching(["a"]), item, **keywords).result


def handle_with(context: ItemContext) -> BatchHandle:
    made = BatchHandle(provider="openai", id="batch-1", model=context.model, context=context)
    return decode_handle(encode_handle(made)).unwrap()


def test_a_call_of_a_renamed_tool_has_its_original_name() -> None:
    item = encode_item()
    ((sent, own),) = item.context.tool_names.items()
    assert own == "city.find" != sent
    by_handle = decode(handle_with(merge_contexts([item])), call(sent))
    by_row = decode(handle_with(NO_CONTEXT), call(sent), find_context=lambda _: item.context)
    for result in (by_handle, by_row):
        assert [found["name"] for found in result.unwrap().tool_calls] == ["city.find"]


def test_a_missing_required_call_is_a_fault() -> None:
    item = encode_item(tool_choice="required")
    handle = handle_with(merge_contexts([item]))
    fault = decode(handle, msgspec.json.encode(build_body("no call"))).failure()
    assert isinstance(fault, InvalidResponse)
    assert "tool_choice requires" in fault.message
    assert isinstance(decode(handle, call("city_find")), Success)


def test_requests_share_what_all_of_them_have() -> None:
    adjusted = Adjustment(parameter="seed", reason="not accepted")
    first = ItemContext(model="m-1", tool_names={"x": "x.1", "y": "y.1"}, required_call="", adjustments=(adjusted,))
    second = ItemContext(model="m-2", tool_names={"x": "x.1", "y": "y.2", "z": "z.1"})
    items = [BatchItem(str(n), str(n), "", "", b"", context) for n, context in enumerate((first, second))]
    assert merge_contexts(items) == ItemContext(tool_names={"x": "x.1", "z": "z.1"})
    assert merge_contexts(items[:1]) == first
    assert merge_contexts([]) == NO_CONTEXT


def test_prices_of_a_provider_are_those_of_batches() -> None:
    def compute_price(sale: PricedUsage) -> float | None:
        return 0.01 * float(sale.usage["prompt_tokens"])

    endpoint = msgspec.structs.replace(build_codec()[0], price=compute_price)
    response = decode(handle_with(NO_CONTEXT), call("x"), endpoint).unwrap()
    assert response.metadata["cost"]["amount"] == pytest.approx(0.05)


def test_a_fault_names_the_model_of_its_row() -> None:
    handle = handle_with(ItemContext(model="m-1"))
    context = ItemContext(model="m-2")
    assert decode(handle, b"{}", find_context=lambda _: context).failure().model == "m-2"
    assert decode(handle, b"{}").failure().model == "m-1"


def test_a_handle_of_an_earlier_version_is_read() -> None:
    old = decode_handle('{"provider": "openai", "id": "batch-1", "model": "m", "count": 2}').unwrap()
    assert old.context == NO_CONTEXT

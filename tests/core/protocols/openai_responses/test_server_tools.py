"""Server tool calls are separate from calls for the caller, in bodies and streams."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.openai_responses.answers import (
    build_custom_call,
    build_message,
    build_search_call,
    call,
    encode_sse,
    events,
    read,
    read_message,
    read_stream,
    response,
)
from tests.core.protocols.openai_responses.requests import HI, build_items

OWN = build_custom_call("x_keyword_search", '{"query":"sky"}', id="9")
OFFERED = [{"type": "custom", "name": "paint"}, {"type": "x_search"}]
MCP = {"type": "mcp_call", "id": "mcp_1", "name": "lookup", "arguments": "{}", "output": "42", "error": None}


def read_both(whole: dict[str, Any], provider: str) -> dict[str, Any]:
    """What a body means, which its events mean too, wherever they are cut."""
    meant = read(whole, provider=provider)
    data = encode_sse(events(whole))
    assert read_stream(data, provider=provider) == read_stream(data, size=7, provider=provider) == meant
    return meant


def test_server_tool_calls_and_results_are_only_in_metadata() -> None:
    meant = read_both(response(build_search_call("sky"), MCP, build_message("Blue.")), "openai-responses")
    assert "tool_calls" not in meant
    assert meant["stop_reason"] == "stop"
    assert meant["metadata"]["server_tools"] == [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": build_search_call("sky")["action"]},
        {"type": "mcp_call", "id": "mcp_1", "name": "lookup", "arguments": "{}", "output": "42"},
    ]


def test_the_callers_calls_are_not_server_tool_calls() -> None:
    meant = read_both(response(build_search_call("sky"), call("weather", "{}")), "openai-responses")
    assert [made["name"] for made in meant["tool_calls"]] == ["weather"]
    assert [item["type"] for item in meant["metadata"]["server_tools"]] == ["web_search_call"]


@pytest.mark.parametrize("kind", ["shell_call", "computer_call", "mcp_approval_request", "compaction"])
def test_calls_that_need_a_result_are_not_server_tool_calls(kind: str) -> None:
    item = {"type": kind, "id": "x_1", "call_id": "call_1", "action": {}}
    assert "server_tools" not in read_both(response(item, build_message("Hm")), "openai-responses")["metadata"]


def test_custom_calls_of_undeclared_tools_are_server_tools_of_xai() -> None:
    meant = read_both(
        response(OWN, build_custom_call("paint", "sky"), build_message("Blue."), tools=OFFERED), "xai-responses"
    )
    assert [made["name"] for made in meant["tool_calls"]] == ["paint"]
    assert [item["name"] for item in meant["metadata"]["server_tools"]] == ["x_keyword_search"]


def test_custom_calls_of_other_vendors_are_for_the_caller() -> None:
    meant = read_both(response(OWN, tools=OFFERED), "openai-responses")
    assert [made["name"] for made in meant["tool_calls"]] == ["x_keyword_search"]


def test_without_tools_in_the_response_custom_calls_are_for_the_caller() -> None:
    assert [made["name"] for made in read_both(response(OWN), "xai-responses")["tool_calls"]] == ["x_keyword_search"]


def test_custom_calls_of_server_tools_are_sent_back_unmodified_and_need_no_result() -> None:
    answer = read_message(response(OWN, build_message("Blue."), tools=OFFERED), "xai-responses")
    assert build_items(HI, answer, HI, provider="xai-responses")[1] == OWN

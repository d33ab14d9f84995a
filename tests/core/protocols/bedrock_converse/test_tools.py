"""Tools, choices among them, and cache points."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.bedrock_converse.requests import (
    HI,
    LLAMA,
    NOVA,
    OLD,
    WEATHER,
    build_adjusted_body,
    build_body,
    build_body_and_adjustments,
    get_unsupported_parameter,
)
from victor_fp.core.types import Message, ToolDefinition


def test_tools_are_declared_with_their_schema() -> None:
    assert build_body(tools=[WEATHER])["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "weather",
                    "description": "Weather of a city",
                    "inputSchema": {"json": WEATHER.parameters},
                }
            }
        ]
    }


def test_a_tool_without_a_description_has_none_since_an_empty_one_is_refused() -> None:
    bare = ToolDefinition(name="now", parameters={})
    assert build_body(tools=[bare])["toolConfig"]["tools"] == [
        {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object"}}}}
    ]


@pytest.mark.parametrize(
    ("choice", "said"),
    [("auto", {"auto": {}}), ("required", {"any": {}}), ({"name": "weather"}, {"tool": {"name": "weather"}})],
)
def test_a_tool_choice_is_sent(choice: Any, said: dict[str, Any]) -> None:
    assert build_body(tools=[WEATHER], tool_choice=choice)["toolConfig"]["toolChoice"] == said


def test_no_calls_means_no_tools() -> None:
    assert "toolConfig" not in build_body(model=NOVA, tools=[WEATHER], tool_choice="none")


CALLED = [
    HI,
    Message(role="assistant", tool_calls=[{"id": "t-1", "name": "weather", "arguments": {"city": "Rome"}}]),
    Message(role="tool", tool_call_id="t-1", content="sunny"),
]


def test_tool_choice_none_after_calls_is_sent_to_claude_and_rejected_for_others() -> None:
    asked = build_body(CALLED, tools=[WEATHER], tool_choice="none")
    assert "toolChoice" not in asked["toolConfig"]
    assert asked["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
    assert get_unsupported_parameter(CALLED, model=NOVA, tools=[WEATHER], tool_choice="none") == "tool_choice"


def test_tools_of_earlier_calls_are_declared_by_name() -> None:
    asked, adjustments = build_body_and_adjustments(CALLED, model=NOVA)
    assert asked["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]
    }
    assert adjustments == [("tools", "changed")]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (None, {"type": "auto"}),
        ("required", {"type": "any"}),
        ({"name": "weather"}, {"type": "tool", "name": "weather"}),
    ],
)
def test_parallel_calls_are_disabled_in_the_claude_fields_together_with_the_choice(
    choice: Any, said: dict[str, Any]
) -> None:
    asked = build_body(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)
    assert "toolChoice" not in asked["toolConfig"]
    assert asked["additionalModelRequestFields"] == {"tool_choice": {**said, "disable_parallel_tool_use": True}}


def test_models_that_decide_themselves_refuse_to_call_one_tool_at_a_time() -> None:
    for model in (NOVA, OLD):
        assert (
            get_unsupported_parameter(model=model, tools=[WEATHER], parallel_tool_calls=False) == "parallel_tool_calls"
        )
        assert build_body(model=model, tools=[WEATHER], parallel_tool_calls=True) == build_body(
            model=model, tools=[WEATHER]
        )


def test_a_thinking_budget_allows_no_forced_call() -> None:
    options: dict[str, Any] = {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "low"}
    assert get_unsupported_parameter(**options) == "tool_choice"
    asked, adjustments = build_adjusted_body(**options)
    assert asked["toolConfig"]["toolChoice"] == {"auto": {}}
    assert adjustments == [("tool_choice", "changed")]


def test_a_strict_tool_has_a_closed_schema_if_the_model_supports_it() -> None:
    strict = WEATHER.model_copy(update={"strict": True})
    spec = build_body(tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["strict"] is True
    assert spec["inputSchema"]["json"]["additionalProperties"] is False
    assert get_unsupported_parameter(model=NOVA, tools=[strict]) == "tools.strict"


# Cache points


def test_a_cache_mark_is_a_cache_point_after_the_marked_content() -> None:
    messages = [Message(role="system", content="Be brief.", cache=True), HI.model_copy(update={"cache": True})]
    asked = build_body(messages, tools=[WEATHER.model_copy(update={"cache": True})])
    point = {"cachePoint": {"type": "default"}}
    assert asked["system"] == [{"text": "Be brief."}, point]
    assert asked["messages"][0]["content"] == [{"text": "Hi"}, point]
    assert asked["toolConfig"]["tools"][1:] == [point]


def test_cache_points_are_sent_only_where_the_model_accepts_them() -> None:
    messages = [Message(role="system", content="Be brief.", cache=True), HI]
    tools = [WEATHER.model_copy(update={"cache": True})]
    nova = build_body(messages, model=NOVA, tools=tools)
    assert (len(nova["system"]), len(nova["toolConfig"]["tools"])) == (2, 1)
    assert build_body(messages, model=LLAMA)["system"] == [{"text": "Be brief."}]


def test_more_than_four_cache_points_are_rejected_or_dropped_from_the_front() -> None:
    messages = [
        Message(role=role, content="x", cache=True) for role in ("user", "assistant", "user", "assistant", "user")
    ]
    assert get_unsupported_parameter(messages) == "cache"
    asked, adjustments = build_adjusted_body(messages)
    assert [len(turn["content"]) for turn in asked["messages"]] == [1, 2, 2, 2, 2]
    assert adjustments == [("cache", "changed")]

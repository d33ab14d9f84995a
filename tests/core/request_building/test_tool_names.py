"""Names of tools that a vendor does not accept are replaced."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.tool_names import ANY_NAMES, COHERE_NAMES, GEMINI_NAMES, OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.request_building.tool_names import map_tool_names
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

RULES = {spec.name: spec.dialect.tool_names for spec in CATALOGUE}
DISTINCT = {rules: name for name, rules in RULES.items()}


def request(provider: str, messages: Any = "Hi", **more: Any) -> HttpRequest:
    match outcome(replay.request(provider, messages, model="m", **more)):
        case Success(built):
            return built
        case Failure(fault):
            raise AssertionError(fault)


@pytest.mark.parametrize(
    ("rules", "name", "wanted"),
    [
        (OPENAI_NAMES, "math.factorial", "math_factorial"),
        (OPENAI_NAMES, "get weather", "get_weather"),
        (OPENAI_NAMES, "größe", "gr__e"),
        (GEMINI_NAMES, "2d.plot", "_2d.plot"),
        (COHERE_NAMES, "get-weather", "get_weather"),
    ],
)
def test_characters_that_are_not_accepted_are_replaced(rules: ToolNameRules, name: str, wanted: str) -> None:
    assert map_tool_names(rules, [name]) == {name: wanted}


@pytest.mark.parametrize(
    ("rules", "name"), [(OPENAI_NAMES, "get_weather-2"), (GEMINI_NAMES, "a.b:c"), (ANY_NAMES, "any thing. at all" * 99)]
)
def test_names_that_are_accepted_stay(rules: ToolNameRules, name: str) -> None:
    assert map_tool_names(rules, [name]) == {}


def test_a_long_name_is_cut_and_stays_apart_from_others() -> None:
    one, two = "a" * 70 + "1", "a" * 70 + "2"
    mapped = map_tool_names(OPENAI_NAMES, [one, two])
    assert {len(sent) for sent in mapped.values()} == {64}
    assert mapped[one] != mapped[two]


def test_names_that_would_become_the_same_stay_apart() -> None:
    mapped = map_tool_names(OPENAI_NAMES, ["a.b", "a_b", "a b"])
    assert len({"a_b", *mapped.values()}) == 3


@given(st.lists(st.text(min_size=1, max_size=140), unique=True, max_size=6), st.sampled_from(sorted(DISTINCT.values())))
def test_every_name_is_sent_in_an_accepted_and_unique_form(names: list[str], provider: str) -> None:
    rules = RULES[provider]
    mapped = map_tool_names(rules, names)
    sent = [mapped.get(name, name) for name in names]
    assert len(set(sent)) == len(sent)
    if rules.characters:
        pattern = f"[{rules.first or rules.characters}][{rules.characters}]{{0,{rules.max_length - 1}}}"
        assert all(re.fullmatch(pattern, name) for name in sent)


def test_the_same_name_is_sent_in_the_tools_the_choice_and_the_conversation() -> None:
    messages = [
        Message(role="user", content="Hi"),
        Message(role="assistant", tool_calls=[{"id": "c1", "name": "math.add", "arguments": {}}]),
        Message(role="tool", tool_call_id="c1", name="math.add", content="3"),
    ]
    tools = [ToolDefinition(name="math.add")]
    built = request("openai", messages, tools=tools, tool_choice={"name": "math.add"})
    body: Any = built.json()
    assert body["tools"][0]["function"]["name"] == "math_add"
    assert body["tool_choice"]["function"]["name"] == "math_add"
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "math_add"
    assert "math.add" not in built.body.decode()
    assert built.tool_names == {"math_add": "math.add"}
    assert [(one.parameter, one.action, one.reason) for one in built.adjustments] == [
        ("tools", "changed", "the name 'math.add' is sent as 'math_add'")
    ]


def test_a_name_in_the_conversation_alone_is_replaced_visibly() -> None:
    messages = [
        Message(role="user", content="Hi"),
        Message(role="assistant", tool_calls=[{"id": "c1", "name": "old tool", "arguments": {}}]),
        Message(role="tool", tool_call_id="c1", content="3"),
    ]
    built = request("anthropic", messages)
    assert '"name":"old_tool"' in built.body.decode()
    assert [one.parameter for one in built.adjustments] == ["messages.tool_calls"]


@pytest.mark.parametrize(
    "provider", [name for name, rules in RULES.items() if rules == ANY_NAMES and name != "replicate"]
)
def test_servers_that_accept_every_name_are_sent_it_unmodified(provider: str) -> None:
    built = request(provider, tools=[ToolDefinition(name="math.add")])
    assert ("math.add" in built.body.decode(), built.adjustments, built.tool_names) == (True, (), {})


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a", ""], "tools[1]: name is empty"), (["a", "b", "a"], "tools[2]: 'a' is also the name of tools[0]")],
)
def test_names_that_are_empty_or_not_unique_are_refused_before_sending(names: list[str], message: str) -> None:
    result = replay.request("openai", "Hi", model="m", tools=[ToolDefinition(name=name) for name in names])
    fault = result.failure()
    assert isinstance(fault, InvalidRequest)
    assert fault.message == message

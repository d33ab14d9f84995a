"""Tools described in the prompt, and turns with calls as text."""

from __future__ import annotations

import pytest

from tests.core.text_tools.strategies import TOOLS
from victor_fp.core.text_tools import FORMATS, TextCall, TextFormat, find_calls, find_formats
from victor_fp.core.text_tools.prompts import write_conversation, write_instructions
from victor_fp.core.types import Message, TextPart, ToolDefinition

SEARCH = ToolDefinition(name="search", description="Finds", parameters={"type": "object", "properties": {}})
(HERMES,) = find_formats("hermes")
TURNS = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="Look."),
    Message(
        role="assistant",
        content="Yes.",
        tool_calls=[
            {"id": "1", "name": "search", "arguments": {"query": "a"}},
            {"id": "2", "name": "search", "arguments": {"query": "b"}},
        ],
    ),
    Message(role="tool", tool_call_id="1", content="found"),
    Message(role="tool", tool_call_id="2", content="no net", is_error=True),
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: str(form.name))
def test_a_turn_already_made_is_written_as_the_model_would_write_it(form: TextFormat) -> None:
    assistant = write_conversation(TURNS, [SEARCH], form)[2]
    calls = [piece for piece in find_calls(assistant.text, TOOLS, [form]) if isinstance(piece, TextCall)]
    assert [call.arguments for call in calls] == [{"query": "a"}, {"query": "b"}]
    assert assistant.tool_calls is None


def test_tools_are_in_the_system_message_and_results_in_user_messages() -> None:
    instructed = write_conversation(TURNS, [SEARCH], HERMES)
    assert [message.role for message in instructed] == ["system", "user", "assistant", "user"]
    assert instructed[0].text.startswith("Be brief.\n\n")
    assert '{"name":"search","description":"Finds"' in instructed[0].text
    assert instructed[3].text == (
        "<tool_response>\nfound\n</tool_response>\n<tool_response>\nError: no net\n</tool_response>"
    )


def test_without_a_system_message_one_is_made_and_one_of_parts_keeps_its_parts() -> None:
    assert write_conversation(TURNS[1:2], [SEARCH], HERMES)[0].role == "system"
    parts = Message(role="developer", content=[TextPart(text="Be brief.")])
    first = write_conversation([parts], [SEARCH], HERMES)[0]
    assert [type(part) for part in first.content] == [TextPart, TextPart]
    assert first.text.startswith("Be brief.")


def test_without_tools_only_the_turns_change() -> None:
    assert [message.role for message in write_conversation(TURNS[1:], [], HERMES)] == ["user", "assistant", "user"]


def test_the_tool_choice_is_described() -> None:
    assert "Answer with a call of search." in write_instructions([SEARCH], HERMES, choice={"name": "search"})
    assert "Answer with a call." in write_instructions([SEARCH], HERMES, choice="required")
    assert "one tool at a time" in write_instructions([SEARCH], HERMES, parallel=False)
    assert "one tool at a time" not in write_instructions([SEARCH], HERMES)

"""The content of a turn is sent back with the next one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from returns.result import Success

from tests.core.protocols.ollama_chat.answers import build_line, call
from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message

VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
CALLS = st.lists(
    st.builds(call, st.sampled_from(["weather", "time"]), st.dictionaries(st.text(max_size=4), VALUES, max_size=3)),
    max_size=3,
)


def read_completion(message: dict[str, Any]) -> CompletionResponse:
    result = outcome(replay.response("ollama", 200, {}, json.dumps(build_line("stop", **message)).encode()))
    assert isinstance(result, Success)
    return result.unwrap()


@given(text=st.text(max_size=20), thinking=st.text(max_size=20), calls=CALLS)
def test_thinking_text_and_calls_are_sent_back_unmodified(
    text: str, thinking: str, calls: list[dict[str, Any]]
) -> None:
    # Tags are split from the text, which is the point of them and not of this law.
    text = text.replace("<", "").strip()
    answer = read_completion({"content": text, "thinking": thinking, "tool_calls": calls})
    results = [Message(role="tool", tool_call_id=made["id"], content="ok") for made in answer.tool_calls or ()]
    asked = outcome(
        replay.request("ollama", [Message(role="user", content="?"), answer.to_message(), *results], model="qwen3:4b")
    )
    assert isinstance(asked, Success)
    _, assistant, *reported = json.loads(asked.unwrap().body)["messages"]
    assert assistant["content"] == text
    assert assistant.get("thinking", "") == thinking
    sent = assistant.get("tool_calls", [])
    assert [made["function"] for made in sent] == [made["function"] for made in calls]
    assert len({made["id"] for made in sent}) == len(calls)
    assert [(one["tool_call_id"], one["tool_name"]) for one in reported] == [
        (made["id"], made["function"]["name"]) for made in sent
    ]

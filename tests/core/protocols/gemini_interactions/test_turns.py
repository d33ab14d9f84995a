"""Turns that are sent back: the model's own steps, unmodified, to the same provider, and results for calls."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.gemini_interactions.interactions import (
    FOUND,
    HI,
    PICTURE,
    SEARCH,
    STEPS,
    Json,
    build_body,
    build_interaction,
    build_output,
    build_thought,
    call,
    read_completion,
)
from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.types import ImagePart, Message, TextPart


def result(id_: str, content: Any, **more: Any) -> Message:
    return Message(role="tool", tool_call_id=id_, content=content, **more)


def build_replayed_steps(steps: list[Json]) -> list[Json]:
    """The model's steps when its response is sent back, with a result for every call."""
    message = read_completion(build_interaction(*steps)).to_message()
    results = [result(made["id"], "ok") for made in message.tool_calls or ()]
    sent: list[Json] = build_body([*HI, message, *results])["input"]
    return [step for step in sent if step["type"] not in ("user_input", "function_result")]


def merge_steps(steps: list[Json]) -> list[Json]:
    """The steps that are worth returning: each part of an output alone, texts that follow each other as one."""
    out: list[Json] = []
    for step in steps:
        last = out[-1] if out else {}
        match step["type"]:
            case "model_output":
                for part in step["content"]:
                    last = out[-1] if out else {}
                    if part["type"] == "text" and last.get("type") == "model_output" and "text" in last["content"][0]:
                        out[-1] = build_output(last["content"][0]["text"] + part["text"])
                    else:
                        out.append(build_output(part))
            case "thought" if "summary" not in step and "signature" not in step:
                pass
            case _:
                out.append(step)
    return out


@given(st.lists(STEPS, min_size=1, max_size=6))
@settings(max_examples=scale_examples(100), deadline=None)
def test_a_response_is_sent_back_step_by_step_unmodified(steps: list[Json]) -> None:
    steps = [{**step, "id": f"fc_{place}"} if "name" in step else step for place, step in enumerate(steps)]
    assert merge_steps(build_replayed_steps(steps)) == merge_steps(steps)


def test_results_name_their_call_and_whether_they_are_errors() -> None:
    message = read_completion(
        build_interaction(call("weather", {"city": "Rome"}), call("time", {}, id="fc_2"))
    ).to_message()
    picture = ImagePart(data=b"abc", media_type="image/png")
    results = [
        result("fc_2", "no clock", is_error=True),
        result("fc_1", [TextPart(text="A map:"), picture]),
    ]
    assert build_body([*HI, message, *results])["input"][-2:] == [
        {"type": "function_result", "call_id": "fc_2", "name": "time", "is_error": True, "result": "no clock"},
        {
            "type": "function_result",
            "call_id": "fc_1",
            "name": "weather",
            "result": [
                {"type": "text", "text": "A map:"},
                {"type": "image", "data": "YWJj", "mime_type": "image/png"},
            ],
        },
    ]


def test_steps_of_google_tools_need_no_result() -> None:
    response = read_completion(build_interaction(SEARCH, FOUND, build_output("Rome.")))
    assert response.tool_calls is None
    assert response.stop_reason == "stop"
    steps: Any = (response.metadata or {})["server_tools"]
    assert [step["type"] for step in steps] == ["google_search_call", "google_search_result"]
    assert "signature" not in str(steps)


def test_state_is_sent_only_to_the_provider_that_created_it() -> None:
    message = read_completion(
        build_interaction(build_thought("Hm"), SEARCH, FOUND, build_output("Rome.", PICTURE))
    ).to_message()
    sent = replay.request("google", [*HI, message, *HI], model="gemini-3.5-flash").unwrap()
    assert "U0lH" not in sent.body.decode()
    assert "google_search" not in sent.body.decode()
    foreign = message.model_copy(deep=True)
    assert foreign.metadata is not None
    foreign.metadata["provider_state"]["provider"] = "elsewhere"
    assert [step["type"] for step in build_body([*HI, foreign, *HI])["input"]] == [
        "user_input",
        "model_output",
        "user_input",
    ]


def test_arguments_that_are_not_an_object_are_sent_back_wrapped() -> None:
    turn = Message.model_validate(
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "weather", "arguments": '{"ci'}]}
    )
    sent = build_body([*HI, turn, result("c", "no JSON", is_error=True)])["input"]
    assert sent[1] == {"type": "function_call", "id": "c", "name": "weather", "arguments": {"arguments": '{"ci'}}

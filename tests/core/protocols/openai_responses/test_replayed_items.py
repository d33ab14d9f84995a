"""Items of a response are sent back unmodified, without those that the vendor would reject."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.openai_responses.answers import (
    build_custom_call,
    build_message,
    build_reasoning,
    build_refusal,
    build_search_call,
    build_text,
    build_thought,
    call,
    read_message,
    response,
)
from tests.core.protocols.openai_responses.requests import CLASSIC, HI, THINKER, build_items
from victor_fp.core.types import Message

CITED = {"type": "url_citation", "url": "https://sky.example", "title": "Sky", "start_index": 0, "end_index": 5}


def build_input_message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content, **more}


def build_replayed_items(
    *output: dict[str, Any], provider: str = "openai-responses", model: str = THINKER, **changes: Any
) -> Any:
    answer = read_message(response(*output), provider).model_copy(update=changes)
    results = [Message(role="tool", tool_call_id=made["id"], content="ok") for made in answer.tool_calls or ()]
    again = build_items(HI, answer, *results, HI, provider=provider, model=model)
    return [item for item in again[1:-1] if not item["type"].endswith("_output")]


def test_encrypted_reasoning_is_sent_back_unmodified_before_its_call() -> None:
    thinking = build_reasoning("Hm.", "So.", content=[], format="odd")
    calling = call("weather", '{"city":"X"}')
    del calling["status"]
    assert build_replayed_items(thinking, calling) == [thinking, calling]


def test_items_keep_their_order() -> None:
    kinds = build_replayed_items(
        build_reasoning(),
        build_search_call("sky"),
        build_reasoning(id="rs_2"),
        build_message("Hi"),
        call("now", "{}"),
        build_message("Bye", id="msg_2"),
    )
    assert [(item["type"], item.get("id")) for item in kinds] == [
        ("reasoning", "rs_1"),
        ("web_search_call", "ws_1"),
        ("reasoning", "rs_2"),
        ("message", "msg_1"),
        ("function_call", "fc_1"),
        ("message", "msg_2"),
    ]


def test_a_message_keeps_its_id_phase_parts_and_citations() -> None:
    made = build_message(build_text("Blue.", CITED), build_refusal("No more."), phase="final_answer")
    (back,) = build_replayed_items(made)
    assert back == build_input_message(
        "assistant",
        [{"type": "output_text", "text": "Blue.", "annotations": [CITED]}, {"type": "refusal", "refusal": "No more."}],
        id="msg_1",
        status="completed",
        phase="final_answer",
    )


def test_messages_of_different_phases_stay_apart() -> None:
    back = build_replayed_items(
        build_message("Looking.", phase="commentary"), build_message("Blue.", id="msg_2", phase="final_answer")
    )
    assert [(item["id"], item["phase"]) for item in back] == [("msg_1", "commentary"), ("msg_2", "final_answer")]


def test_items_of_server_tools_are_sent_back_unmodified() -> None:
    drawn = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"}
    assert build_replayed_items(drawn, build_message("Here."))[0] == drawn


def test_a_custom_tools_call_and_result_keep_their_kind() -> None:
    answer = read_message(response(build_custom_call("sql", "select 1")))
    assert build_items(HI, answer, Message(role="tool", tool_call_id="call_1", content="1"))[1:] == [
        build_custom_call("sql", "select 1"),
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
    ]


def test_the_caller_field_of_a_call_is_sent_back() -> None:
    made = call("weather", "{}", caller={"type": "program", "caller_id": "call_9"})
    assert build_replayed_items(made)[0]["caller"] == {"type": "program", "caller_id": "call_9"}


def test_text_edited_by_the_caller_overrides_the_state() -> None:
    assert build_replayed_items(build_reasoning(), build_message("Old"), content="New") == [
        build_reasoning(),
        build_input_message("assistant", "New"),
    ]


def test_reasoning_that_is_not_stored_is_dropped_with_the_ids_that_need_it() -> None:
    bare = build_reasoning()
    del bare["encrypted_content"]
    assert build_replayed_items(bare, build_message("Hi"), call("now", "{}")) == [
        build_input_message("assistant", "Hi"),
        {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"},
    ]


def test_reasoning_that_the_vendor_stores_is_sent_back_without_its_content() -> None:
    bare = build_reasoning()
    del bare["encrypted_content"]
    answer = read_message(response(bare, build_message("Hi")))
    kept = build_items(HI, answer, HI, model=THINKER, extra_body={"store": True})
    assert [item.get("id") for item in kept] == [None, "rs_1", "msg_1", None]


def test_reasoning_is_not_sent_to_a_model_without_reasoning() -> None:
    assert build_replayed_items(build_reasoning(), build_message("Hi"), model=CLASSIC) == [
        build_input_message("assistant", "Hi")
    ]


def test_another_vendor_is_sent_the_text_only() -> None:
    answer = read_message(
        response(
            build_reasoning(), build_search_call("x"), build_message("Hi", phase="final_answer"), call("now", "{}")
        )
    )
    result = Message(role="tool", tool_call_id="call_1", content="ok")
    assert build_items(HI, answer, result, provider="xai-responses")[1:3] == [
        build_input_message("assistant", "Hi"),
        {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"},
    ]


@pytest.mark.parametrize("provider", ["deepseek-responses", "llamacpp-responses"])
def test_plain_reasoning_is_sent_back_if_the_vendor_reads_it(provider: str) -> None:
    back = build_replayed_items(build_thought("Hm."), call("now", "{}"), provider=provider)
    assert back[0] == build_thought("Hm.")


def test_every_reasoning_item_is_sent_back_to_openrouter_with_unknown_fields() -> None:
    signed = {**build_thought("Hm."), "signature": "sig", "format": "anthropic-claude-v1"}
    assert build_replayed_items(signed, build_message("Hi"), provider="openrouter-responses")[0] == signed


def test_text_of_another_vendor_is_sent_in_the_form_of_the_server() -> None:
    turns = [HI, Message(role="assistant", content="Yes"), HI]
    assert build_items(*turns)[1] == build_input_message("assistant", "Yes")
    assert build_items(*turns, provider="llamacpp-responses")[1] == build_input_message(
        "assistant", [{"type": "output_text", "text": "Yes"}]
    )


def test_an_empty_assistant_message_is_omitted() -> None:
    assert build_items(HI, Message(role="assistant", content=""), HI) == [
        build_input_message("user", "Hi"),
        build_input_message("user", "Hi"),
    ]

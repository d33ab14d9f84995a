"""What users of similar libraries suffer from, where this protocol decides it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.protocols.openai_responses.answers import (
    USAGE,
    build_incomplete_response,
    build_message,
    build_reasoning,
    build_search_call,
    build_text,
    build_thought,
    call,
    encode_sse,
    events,
    read,
    read_message,
    read_stream,
    response,
)
from tests.core.protocols.openai_responses.requests import HI, THINKER, WEATHER, build_body, build_items, request
from victor_fp.core.types import ImagePart, Message, Part, TextPart

PARIS, OSLO = '{"city": "Paris"}', '{"city": "Oslo"}'


def test_a_stream_that_ends_without_a_finish_reason_is_not_reported_as_stop() -> None:
    end = read_stream(encode_sse(events(response(build_message("Half")))[:-1]))
    assert (end["fault"], end["partial"]["content"]) == ("StreamTruncated", "Half")


def test_two_parallel_calls_with_the_same_index_are_not_merged() -> None:
    reported = [
        {**event, "output_index": 0} if "output_index" in event else event
        for event in events(response(call("weather", PARIS, "1"), call("weather", OSLO, "2")))
    ]
    made = read_stream(encode_sse(reported))["tool_calls"]
    assert [one["arguments"] for one in made] == [{"city": "Paris"}, {"city": "Oslo"}]


def test_interleaved_calls_stay_apart() -> None:
    first, second, *reported, last = events(response(call("weather", PARIS, "1"), call("weather", OSLO, "2")))
    mine = [event for event in reported if event["output_index"] == 0]
    yours = [event for event in reported if event["output_index"] == 1]
    mixed = [event for pair in zip(mine, yours, strict=False) for event in pair]
    made = read_stream(encode_sse([first, second, *mixed, *mine[len(yours) :], *yours[len(mine) :], last]))[
        "tool_calls"
    ]
    assert {one["id"]: one["arguments"] for one in made} == {"call_1": {"city": "Paris"}, "call_2": {"city": "Oslo"}}


def test_finish_stop_although_tools_were_called_is_tool_use() -> None:
    answer = read(response(call("now", "{}")))
    assert (answer["stop_reason"], answer["metadata"]["stop_reason_raw"]) == ("tool_use", "completed")


def test_an_unknown_finish_reason_does_not_lose_the_response() -> None:
    answer = read(build_incomplete_response(build_message("Hi"), reason="yet_unknown"))
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "yet_unknown")


def test_an_overload_inside_a_200_stream_is_the_same_fault_as_status_503() -> None:
    error = {"error": {"code": "server_is_overloaded", "type": "service_unavailable", "message": "Busy"}}
    assert (
        read_stream(encode_sse([{"type": "error", **error}]))["fault"]
        == read(error, status=503)["fault"]
        == "Overloaded"
    )


def test_unreported_usage_is_absent_and_never_zero() -> None:
    assert "usage" not in read(response(build_message("Hi"), usage=None))
    bare = read(response(build_message("Hi"), usage={"input_tokens": 3, "output_tokens": 2}))["usage"]
    assert bare == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_cache_tokens_are_the_same_when_streaming() -> None:
    whole = response(
        build_message("Hi"), usage={**USAGE, "input_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 2}}
    )
    assert read_stream(encode_sse(events(whole)))["usage"] == read(whole)["usage"]
    assert read(whole)["usage"]["cache_read_input_tokens"] == 9


def test_encrypted_reasoning_is_not_lost_between_turns() -> None:
    first = read_message(response(build_reasoning(), call("now", "{}")))
    second = read_message(response(build_reasoning(id="rs_2"), call("now", "{}", "2")))
    history = [
        HI,
        first,
        Message(role="tool", tool_call_id="call_1", content="12:00"),
        second,
        Message(role="tool", tool_call_id="call_2", content="12:01"),
    ]
    sent = build_items(*history, model=THINKER)
    assert [item.get("id") or item["type"] for item in sent] == [
        "message",
        "rs_1",
        "fc_1",
        "function_call_output",
        "rs_2",
        "fc_2",
        "function_call_output",
    ]


def test_a_message_that_went_through_json_keeps_its_reasoning() -> None:
    answer = read_message(response(build_reasoning("Hm."), build_message("Hi")))
    again = Message.model_validate_json(json.dumps(answer.to_dict()))
    assert build_items(HI, again, HI, model=THINKER) == build_items(HI, answer, HI, model=THINKER)


def test_reasoning_that_ends_after_its_text_is_sent_back_before_it() -> None:
    """As OpenRouter and llama.cpp send it."""
    whole = response(build_thought("Hm."), build_message("Four"))
    first, second, *reported, last = events(whole)
    late = [event for event in reported if event["output_index"] == 0 and event["type"].endswith("item.done")]
    story = [first, second, *[event for event in reported if event not in late], *late, last]
    end = read_stream(encode_sse(story), provider="openrouter-responses")
    answer = Message(role="assistant", content=end["content"], metadata=end["metadata"])
    sent = build_items(HI, answer, HI, provider="openrouter-responses")
    assert [item["type"] for item in sent] == ["message", "reasoning", "message", "message"]
    assert sent[1] == build_thought("Hm.")


def test_events_with_changing_ids_are_decoded() -> None:
    whole = response(build_message("Hello"), call("weather", PARIS))
    reported = [{**event, "item_id": f"odd_{number}"} for number, event in enumerate(events(whole))]
    for number, event in enumerate(reported):
        if "item" in event:
            event["item"] = {**event["item"], "id": f"other_{number}"}
    end = read_stream(encode_sse(reported))
    assert (end["content"], end["tool_calls"]) == (read(whole)["content"], read(whole)["tool_calls"])


def test_a_last_event_that_leaves_items_out_repeats_none() -> None:
    whole = response(build_message("One"), build_search_call("x"), build_message("Two", id="msg_2"))
    *reported, last = events(whole)
    shortened = {**last, "response": {**whole, "output": [whole["output"][0], whole["output"][2]]}}
    without = [event for event in reported if event.get("output_index") != 1]
    assert read_stream(encode_sse([*without, shortened]))["content"] == "OneTwo"
    emptied = {**last, "response": {**whole, "output": []}}
    assert read_stream(encode_sse([*reported, emptied]))["content"] == "OneTwo"


def test_arguments_in_the_start_of_a_call_are_not_doubled() -> None:
    whole = response(call("weather", PARIS))
    reported = events(whole)
    for event in reported:
        if event["type"] == "response.output_item.added":
            event["item"] = whole["output"][0]
    assert read_stream(encode_sse(reported))["tool_calls"] == read(whole)["tool_calls"]


def test_a_call_whose_name_arrives_late_is_complete() -> None:
    whole = response(call("weather", PARIS))
    reported = events(whole)
    for event in reported:
        if event["type"] == "response.output_item.added":
            event["item"] = {**event["item"], "name": "", "call_id": ""}
    assert read_stream(encode_sse(reported))["tool_calls"] == read(whole)["tool_calls"]


def test_a_call_without_an_id_gets_a_stable_one() -> None:
    whole = response({**call("now", "{}"), "call_id": None}, {**call("now", "{}"), "call_id": None, "id": None})
    ids = [made["id"] for made in read(whole)["tool_calls"]]
    assert len(set(ids)) == 2
    bare = [event for event in events(response(call("now", "{}"))) if event["type"].startswith("response.c")]
    last = {**bare[-1], "response": whole}
    assert [made["id"] for made in read_stream(encode_sse([bare[0], last]))["tool_calls"]] == ids


def test_tools_are_not_dropped_when_streaming() -> None:
    assert build_body(tools=[WEATHER], stream=True)["tools"] == build_body(tools=[WEATHER])["tools"]


def test_keys_are_in_headers_only() -> None:
    sent = request()
    assert "secret" not in sent.url + sent.body.decode()
    assert sent.headers["authorization"] == "Bearer <secret>"


def test_a_refused_key_is_not_repeated() -> None:
    error = {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided: sk-abcdef123456. Get one."}}
    assert "abcdef" not in read(error, status=401)["message"]


@pytest.mark.parametrize("said", ["max 5000 tokens", "error 429 in your text", "500 words"])
def test_digits_in_prose_are_ignored(said: str) -> None:
    assert read({"error": {"message": said, "type": "invalid_request_error"}}, status=400)["fault"] == "InvalidRequest"


def test_a_tools_result_keeps_its_parts_and_its_id() -> None:
    shown: list[Part] = [TextPart(text="Here"), ImagePart(url="https://x.example/a.png")]
    calls: Any = [{"id": "call_1", "name": "draw", "arguments": {}}]
    history = [
        HI,
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", tool_call_id="call_1", content=shown),
    ]
    answered = build_items(*history)[-1]
    assert (answered["call_id"], [part["type"] for part in answered["output"]]) == (
        "call_1",
        ["input_text", "input_image"],
    )


def test_server_tool_calls_are_not_calls_for_the_caller() -> None:
    answer = read(response(build_search_call("sky"), build_message(build_text("Blue."))))
    assert (answer["stop_reason"], answer.get("tool_calls")) == ("stop", None)


def test_calls_identified_by_call_id_only_with_late_item_ends_are_decoded() -> None:
    """As llama.cpp streams: no indexes, no ids on calls, and every item done after all deltas."""
    first = {"type": "function_call", "call_id": "fc_1", "name": "weather", "arguments": PARIS}
    second = {**first, "call_id": "fc_2", "arguments": OSLO}
    message = build_message("Both.")
    output = [build_thought("Hm."), message, first, second]
    story: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.added", "item": {**build_thought(""), "content": []}},
        {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "Hm."},
        {"type": "response.output_item.added", "item": {**message, "content": []}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Both."},
        {"type": "response.output_item.added", "item": {**first, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": PARIS},
        {"type": "response.output_item.added", "item": {**second, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_2", "delta": OSLO},
        *({"type": "response.output_item.done", "item": item} for item in output),
        {"type": "response.completed", "response": response(*output)},
    ]
    end = read_stream(encode_sse(story), provider="llamacpp-responses")
    whole = read(response(*output), provider="llamacpp-responses")
    assert [end[name] for name in ("content", "tool_calls", "stop_reason")] == [
        whole[name] for name in ("content", "tool_calls", "stop_reason")
    ]
    assert end["metadata"]["reasoning_content"] == "Hm."
    calls = end["tool_calls"]
    answer = Message(role="assistant", content=end["content"], tool_calls=calls, metadata=end["metadata"])
    answered = [Message(role="tool", tool_call_id=made["id"], content="ok") for made in calls]
    sent = build_items(HI, answer, *answered, provider="llamacpp-responses")
    assert [item["type"] for item in sent[1:5]] == ["reasoning", "message", "function_call", "function_call"]

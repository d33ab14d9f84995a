"""Turns that are sent back: every signature on its own part, results with their functions' names and ids."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.gemini.answers import (
    Json,
    answer,
    build_text,
    build_thought,
    call,
    encode_sse,
    read_completion,
    read_final_chunk,
)
from tests.core.protocols.gemini.requests import HI, MIDDLE, NEW, build_body, result, turn
from tests.core.protocols.gemini.strategies import PARTS
from tests.example_counts import scale_examples
from victor_fp.core.types import Message

PLACEHOLDER_SIGNATURE = "skip_thought_signature_validator"


def build_replayed_parts(parts: list[Json], **more: Any) -> list[Json]:
    """The parts of the model's turn when its response is sent back, with a result for every call."""
    message = read_completion(answer(*parts)).to_message()
    results = [result(made["id"], "ok") for made in message.tool_calls or ()]
    contents = build_body([*HI, message, *results], **more)["contents"]
    return next((content["parts"] for content in contents if content["role"] == "model"), [])


def merge_texts(parts: list[Json]) -> list[Json]:
    """Unsigned texts of one kind that follow each other are one; empty ones say nothing."""
    out: list[Json] = []
    for part in parts:
        last = out[-1] if out else {}
        same = "text" in part and "text" in last and part.get("thought") == last.get("thought")
        if same and "thoughtSignature" not in part and "thoughtSignature" not in last:
            out[-1] = {**last, "text": last["text"] + part["text"]}
        else:
            out.append(part)
    return out


@given(st.lists(PARTS, min_size=1, max_size=6))
@settings(max_examples=scale_examples(100), deadline=None)
def test_a_response_is_sent_back_part_by_part_unmodified(parts: list[Json]) -> None:
    assert build_replayed_parts(parts) == merge_texts(parts)


@given(st.lists(PARTS, min_size=1, max_size=6))
@settings(max_examples=scale_examples(50), deadline=None)
def test_a_streamed_response_is_sent_back_like_a_body(parts: list[Json]) -> None:
    last = read_final_chunk(encode_sse([*(answer(part, finish=None) for part in parts), answer()]))
    content = read_completion(answer(*parts)).content
    message = Message(
        role="assistant",
        content=content,
        tool_calls=last.tool_calls,
        metadata={"provider_state": (last.metadata or {}).get("provider_state")},
    )
    results = [result(made["id"], "ok") for made in message.tool_calls or ()]
    contents = build_body([*HI, message, *results])["contents"]
    assert [c["parts"] for c in contents if c["role"] == "model"] == [merge_texts(parts)]


def test_a_signature_stays_on_its_part_when_the_text_is_edited() -> None:
    parts = [build_thought("Hm", thoughtSignature="U0k="), build_text("Rome"), call("weather", {}, signature="U0lH")]
    message = read_completion(answer(*parts)).to_message().model_copy(update={"content": "Oslo"})
    contents = build_body([*HI, message, result((message.tool_calls or [])[0]["id"], "ok")])["contents"]
    assert contents[1]["parts"] == [parts[0], build_text("Oslo"), parts[2]]


def test_results_are_sent_with_name_and_id_in_the_order_of_the_calls() -> None:
    message = read_completion(answer(call("weather", {"city": "Rome"}, id="a"), call("time", {}, id="b"))).to_message()
    contents = build_body([*HI, message, result("b", "noon"), result("a", "no such city", is_error=True)])["contents"]
    assert contents[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "weather", "response": {"error": "no such city"}}},
            {"functionResponse": {"id": "b", "name": "time", "response": {"output": "noon"}}},
        ],
    }


def test_ids_that_the_vendor_never_gave_are_not_sent_to_it() -> None:
    contents = build_body([*HI, turn(("call_1", "weather", {"city": "Rome"})), result("call_1", "sunny")])["contents"]
    assert contents[1]["parts"] == [{"functionCall": {"name": "weather", "args": {"city": "Rome"}}}]
    assert contents[2]["parts"] == [{"functionResponse": {"name": "weather", "response": {"output": "sunny"}}}]


def test_a_reused_id_names_the_newer_function() -> None:
    contents = build_body(
        [*HI, turn(("c", "weather", {})), result("c", "sunny"), turn(("c", "time", {})), result("c", "noon")]
    )["contents"]
    names = [
        part["functionResponse"]["name"]
        for content in contents
        for part in content["parts"]
        if "functionResponse" in part
    ]
    assert names == ["weather", "time"]


def test_generated_ids_are_stable_and_unique_within_a_conversation() -> None:
    first = answer(call("weather", {"city": "Rome"}), call("weather", {"city": "Rome"}))
    second = first | {"responseId": "resp-2"}
    ids = [[made["id"] for made in read_completion(body).tool_calls or ()] for body in (first, first, second)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4


def test_generated_ids_do_not_require_a_response_id() -> None:
    bare = [answer(call("weather", {"city": city})) for city in ("Rome", "Oslo")]
    for body_ in bare:
        del body_["responseId"]
    ids = {made["id"] for body_ in bare for made in read_completion(body_).tool_calls or ()}
    assert len(ids) == 2


def test_arguments_that_are_not_an_object_are_sent_back_wrapped() -> None:
    contents = build_body([*HI, turn(("c", "weather", '{"city": "Ro')), result("c", "no JSON", is_error=True)])[
        "contents"
    ]
    assert contents[1]["parts"][0]["functionCall"]["args"] == {"arguments": '{"city": "Ro'}


def test_a_turn_of_another_model_gets_a_signature_for_models_that_require_it() -> None:
    messages = [*HI, turn(("a", "weather", {}), ("b", "time", {})), result("a", "1"), result("b", "2")]
    signed = [part.get("thoughtSignature") for part in build_body(messages, model=NEW)["contents"][1]["parts"]]
    assert signed == [PLACEHOLDER_SIGNATURE, None]
    assert PLACEHOLDER_SIGNATURE not in str(build_body(messages, model=MIDDLE))


def test_a_real_signature_is_never_replaced() -> None:
    assert build_replayed_parts([call("weather", {}, signature="U0lH"), call("time", {})], model=NEW) == [
        call("weather", {}, signature="U0lH"),
        call("time", {}),
    ]


def test_state_of_another_protocol_is_ignored() -> None:
    state = {
        "protocol": "anthropic-messages",
        "blocks": [{"kind": "reasoning", "text": "Hm", "state": {"signature": "x"}}],
    }
    message = Message(role="assistant", content="Hello", metadata={"provider_state": state})
    assert build_body([*HI, message, *HI])["contents"][1]["parts"] == [{"text": "Hello"}]


def test_an_empty_turn_is_left_out() -> None:
    assert [c["role"] for c in build_body([*HI, Message(role="assistant", content=""), *HI])["contents"]] == [
        "user",
        "user",
    ]

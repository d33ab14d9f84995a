"""What Mistral does otherwise than those whose format it follows: typed content, references, ids, words of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.openai_chat.answers import body, chunk, read, sse, streamed
from tests.core.protocols.openai_chat.asked import HI, WEATHER, adjusted, beside, refusal, sent
from victor_fp import replay
from victor_fp.core.types import Message

TOOL_REFERENCE = {"type": "tool_reference", "tool": "web_search", "title": "Rome", "url": "https://rome.example"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thought(*pieces: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": list(pieces), **more}


def reference(*ids: int) -> dict[str, Any]:
    return {"type": "reference", "reference_ids": list(ids)}


def stream(*pieces: object, finish: str = "stop") -> bytes:
    """Each piece as the content of a delta."""
    return sse(*(chunk({"content": piece}) for piece in pieces), chunk({"content": ""}, finish))


def back(message: dict[str, Any]) -> Any:
    """The content of an answer on the next turn."""
    response = replay.response("mistral", 200, {}, body(message)).unwrap()
    return sent("mistral", [HI, response.to_message(), HI])["messages"][1]["content"]


def test_a_list_of_pieces_is_thinking_and_text() -> None:
    content = [thought(text("Let me "), text("see."), closed=True), text("Ye"), text("s.")]
    answer = read("mistral", body({"content": content}))
    assert (answer["content"], answer["metadata"]["reasoning_content"]) == ("Yes.", "Let me see.")
    told = streamed("mistral", stream([thought(text("Let me "))], [thought(text("see."))], "Ye", [text("s.")]))
    assert told == answer


def test_references_stand_in_metadata_and_go_back_in_their_place() -> None:
    content = [text("Rome"), reference(1, 2), text(" is old"), reference(3)]
    answer = read("mistral", body({"content": content}))
    assert answer["content"] == "Rome is old"
    assert answer["metadata"]["citations"] == [reference(1, 2), reference(3)]
    assert streamed("mistral", stream("Rome", [reference(1, 2)], " is", " old", [reference(3)])) == answer
    assert back({"content": content}) == content


def test_what_thinking_refers_to_goes_back_with_it() -> None:
    content = [thought(text("I looked."), TOOL_REFERENCE, reference(4)), text("Yes.")]
    answer = read("mistral", body({"content": content}))
    assert answer["metadata"]["citations"] == [TOOL_REFERENCE, reference(4)]
    assert answer["metadata"]["reasoning_content"] == "I looked."
    assert back({"content": content}) == [{**content[0], "closed": True}, content[1]]


def test_text_that_was_edited_keeps_the_references() -> None:
    response = replay.response("mistral", 200, {}, body({"content": [text("Rome"), reference(1)]})).unwrap()
    edited = response.to_message().model_copy(update={"content": "Oslo"})
    assert sent("mistral", [HI, edited, HI])["messages"][1]["content"] == [text("Oslo"), reference(1)]


def test_other_vendors_get_the_text_alone() -> None:
    response = replay.response("mistral", 200, {}, body({"content": [text("Rome"), reference(1)]})).unwrap()
    assert sent("openai", [HI, response.to_message(), HI])["messages"][1]["content"] == "Rome"


@pytest.mark.parametrize(("word", "reason"), [("model_length", "length"), ("length", "length"), ("tool_calls", "stop")])
def test_its_finish_reasons(word: str, reason: str) -> None:
    assert read("mistral", body({"content": "Hi"}, word))["stop_reason"] == reason
    assert streamed("mistral", stream("Hi", finish=word))["stop_reason"] == reason


def test_the_finish_reason_error_is_a_fault_that_keeps_what_had_come() -> None:
    assert read("mistral", body({"content": "Hi"}, "error"))["fault"] == "ServerFailed"
    told = streamed("mistral", stream("Hel", finish="error"))
    assert (told["fault"], told["partial"]["content"]) == ("ServerFailed", "Hel")


@pytest.mark.parametrize("arguments", [{"city": "Rome"}, '{"city": "Rome"}'])
def test_arguments_come_as_text_or_as_an_object(arguments: object) -> None:
    call = {"id": "abcDEF123", "function": {"name": "weather", "arguments": arguments}, "index": 0}
    called = [{"id": "abcDEF123", "name": "weather", "arguments": {"city": "Rome"}}]
    assert read("mistral", body({"content": "", "tool_calls": [call]}, "tool_calls"))["tool_calls"] == called
    data = sse(chunk({"tool_calls": [call]}, "tool_calls"))
    assert streamed("mistral", data)["tool_calls"] == called


def test_counts_in_either_spelling() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    for name in ("prompt_tokens_details", "prompt_token_details"):
        answer = read("mistral", body({"content": "Hi"}, usage={**usage, name: {"cached_tokens": 4}}))
        assert answer["usage"] == {**usage, "cache_read_input_tokens": 4}
    tiered = read("mistral", body({"content": "Hi"}, usage={**usage, "service_tier": "default"}))
    assert tiered["metadata"]["usage_raw"]["service_tier"] == "default"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"seed": 3}, {"random_seed": 3}),
        ({"safe_prompt": True}, {"safe_prompt": True}),
        ({"prompt_mode": "reasoning"}, {"prompt_mode": "reasoning"}),
        ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
        ({"extra_body": {"guardrails": []}}, {"guardrails": []}),
        ({"stop": list("abcdef")}, {"stop": list("abcdef")}),
        ({"presence_penalty": 1.0}, {"presence_penalty": 1.0}),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"tools": [WEATHER], "tool_choice": "required"}, {"tool_choice": "any"}),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"stream": True}, {"stream": True}),
    ],
)
def test_options_in_its_words(options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert beside("mistral", **options) == fields


@pytest.mark.parametrize("options", [{"top_k": 4}, {"logprobs": True}, {"service_tier": "flex"}, {"user": "me"}])
def test_its_document_closes_the_request_against_what_it_does_not_name(options: dict[str, Any]) -> None:
    (name,) = options
    assert refusal("mistral", **options) == ("UnsupportedParameter", name)


def test_a_temperature_beyond_its_bound_is_brought_to_it_visibly() -> None:
    assert refusal("mistral", temperature=1.8) == ("UnsupportedParameter", "temperature")
    assert adjusted("mistral", temperature=1.8) == {"temperature": "changed"}
    assert sent("mistral", temperature=1.8, on_unsupported="adjust")["temperature"] == 1.5
    assert sent("mistral", temperature=1.5)["temperature"] == 1.5


def test_a_turn_of_the_assistant_s_at_the_end_begins_the_answer() -> None:
    begun = Message(role="assistant", content="Dear")
    assert sent("mistral", [HI, begun])["messages"][1] == {"role": "assistant", "content": "Dear", "prefix": True}
    assert "prefix" not in sent("mistral", [HI, begun, HI])["messages"][1]
    assert "prefix" not in sent("openai", [HI, begun])["messages"][1]


IDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(st.lists(IDS, min_size=1, max_size=4, unique=True))
def test_ids_of_others_become_nine_characters_the_same_for_call_and_result(ids: list[str]) -> None:
    calls = [{"id": id_, "name": "weather", "arguments": {}} for id_ in ids]
    results = [Message(role="tool", tool_call_id=id_, content="ok") for id_ in ids]
    turns = [HI, Message.model_validate({"role": "assistant", "tool_calls": calls}), *results]
    first, again = sent("mistral", turns)["messages"], sent("mistral", turns)["messages"]
    named = [call["id"] for call in first[1]["tool_calls"]]
    assert named == [result["tool_call_id"] for result in first[2:]]
    assert len(set(named)) == len(ids)
    assert all(len(name) == 9 and name.isascii() and name.isalnum() for name in named)
    assert json.dumps(first) == json.dumps(again)


PIECES = st.one_of(
    st.builds(text, st.text(min_size=1, max_size=6)),
    st.builds(lambda words: thought(text(words)), st.text(min_size=1, max_size=6)),
    st.builds(lambda ids: reference(*ids), st.lists(st.integers(0, 9), min_size=1, max_size=3)),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=6))
def test_a_stream_of_pieces_folds_to_their_list(pieces: list[dict[str, Any]]) -> None:
    assert streamed("mistral", stream(*([piece] for piece in pieces))) == read("mistral", body({"content": pieces}))

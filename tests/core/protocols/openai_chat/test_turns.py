"""Conversations in requests: parts, calls and results, and what is sent back to each vendor."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Success

from tests.core.protocols.openai_chat.answers import (
    build_call_piece,
    build_chunk,
    build_text_chunk,
    encode_completion,
    encode_sse,
)
from tests.core.protocols.openai_chat.requests import HI, WEATHER, build_body, get_adjustments, get_refusal
from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PNG = ImagePart(data=b"\x89PNG", media_type="image/png")
CAT = ImagePart(url="https://a.example/cat.png", detail="low")
WAV = AudioPart(data=b"RIFF", media_type="audio/wav")
PDF = FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf")
CALLED = Message(role="assistant", tool_calls=[{"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}])
RESULT = Message(role="tool", tool_call_id="call_1", name="weather", content="rain")


def build_user_messages(*parts: Any) -> list[Message]:
    return [Message(role="user", content=list(parts))]


def build_content(provider: str, *parts: Any, **options: Any) -> Any:
    return build_body(provider, build_user_messages(*parts), **options)["messages"][0]["content"]


def build_messages(provider: str, *given: Message, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = build_body(provider, given, **options)["messages"]
    return found


def test_images_by_url_and_by_value() -> None:
    assert build_content("openai", TextPart(text="What?"), CAT, PNG) == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://a.example/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]


def test_images_are_rejected_without_vision_or_url_support() -> None:
    assert get_refusal("deepseek", build_user_messages(PNG)) == ("UnsupportedParameter", "image")
    assert get_refusal("lmstudio", build_user_messages(CAT)) == ("UnsupportedParameter", "image")
    assert build_content("lmstudio", PNG)[0]["type"] == "image_url"
    assert get_adjustments("deepseek", build_user_messages(TextPart(text="What?"), PNG)) == {"image": "dropped"}
    assert build_content("deepseek", TextPart(text="What?"), PNG, on_unsupported="adjust") == "What?"


@pytest.mark.parametrize(
    ("provider", "form"),
    [
        ("openai", {"data": "UklGRg==", "format": "wav"}),
        ("qwen", {"data": "data:audio/wav;base64,UklGRg==", "format": "wav"}),
    ],
)
def test_audio_in_the_vendor_format(provider: str, form: Any) -> None:
    assert build_content(provider, WAV) == [{"type": "input_audio", "input_audio": form}]


def test_audio_by_url_and_other_format_names() -> None:
    assert get_refusal("openai", build_user_messages(AudioPart(url="https://a.example/a.mp3"))) == (
        "UnsupportedParameter",
        "audio",
    )
    assert (
        build_content("qwen", AudioPart(url="https://a.example/a.mp3"))[0]["input_audio"]["data"]
        == "https://a.example/a.mp3"
    )
    assert build_content("openai", AudioPart(data=b"1", media_type="audio/mpeg"))[0]["input_audio"]["format"] == "mp3"
    assert get_refusal("groq", build_user_messages(WAV)) == ("UnsupportedParameter", "audio")


def test_files_in_the_vendor_format() -> None:
    by_value = "data:application/pdf;base64,JVBERg=="
    assert build_content("openai", PDF) == [{"type": "file", "file": {"filename": "a.pdf", "file_data": by_value}}]
    web = FilePart(url="https://a.example/a.pdf")
    assert get_refusal("openai", build_user_messages(web)) == ("UnsupportedParameter", "file")
    assert build_content("openrouter", web)[0]["file"]["file_data"] == "https://a.example/a.pdf"
    assert get_refusal("groq", build_user_messages(PDF)) == ("UnsupportedParameter", "file")


def test_text_parts_are_a_list_if_lists_are_accepted() -> None:
    two = (TextPart(text="a"), TextPart(text="b"))
    assert build_content("openai", TextPart(text="a")) == "a"
    assert build_content("openai", *two) == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert build_content("together", *two) == "ab"


def test_instructions_have_the_vendors_role() -> None:
    system, developer = Message(role="system", content="s"), Message(role="developer", content="d")
    assert [m["role"] for m in build_messages("openai", system, developer, HI)] == ["system", "developer", "user"]
    assert [m["role"] for m in build_messages("deepseek", system, developer, HI)] == ["system", "system", "user"]


def test_participant_names() -> None:
    named = Message(role="user", content="Hi", name="ann")
    assert build_messages("openai", named)[0]["name"] == "ann"
    assert get_refusal("zai", [named]) == ("UnsupportedParameter", "name")


def test_calls_and_their_results() -> None:
    assert build_messages("openai", HI, CALLED, RESULT)[1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
            ],
        },
        {"role": "tool", "content": "rain", "tool_call_id": "call_1"},
    ]


def test_a_turn_of_calls_alone_has_no_content_or_an_empty_one() -> None:
    assert "content" not in build_messages("openai", HI, CALLED, RESULT)[1]
    assert build_messages("moonshot", HI, CALLED, RESULT)[1]["content"] == ""


def test_unparsable_arguments_are_sent_back_unmodified() -> None:
    broken = Message(
        role="assistant", content="I", tool_calls=[{"id": "call_1", "name": "weather", "arguments": '{"city'}]
    )
    assert build_messages("openai", HI, broken, RESULT)[1]["tool_calls"][0]["function"]["arguments"] == '{"city'


def test_results_that_failed_or_are_empty() -> None:
    failed = Message(role="tool", tool_call_id="call_1", content="no such city", is_error=True)
    assert build_messages("openai", HI, CALLED, failed)[2]["content"] == "Error: no such city"
    reported = Message(role="tool", tool_call_id="call_1", content="ERROR: no", is_error=True)
    assert build_messages("openai", HI, CALLED, reported)[2]["content"] == "ERROR: no"
    empty = Message(role="tool", tool_call_id="call_1")
    assert build_messages("openai", HI, CALLED, empty)[2]["content"] == ""
    assert build_messages("deepseek", HI, CALLED, empty)[2]["content"] == "(no output)"


def test_ids_that_are_too_long_are_shortened_in_both_places() -> None:
    id_ = "toolu_" + "x" * 60
    long = CALLED.model_copy(update={"tool_calls": [{"id": id_, "name": "weather", "arguments": {}}]})
    _, called, result = build_messages("openai", HI, long, RESULT.model_copy(update={"tool_call_id": id_}))
    assert len(called["tool_calls"][0]["id"]) <= 40
    assert called["tool_calls"][0]["id"] == result["tool_call_id"]


def turn(provider: str, data: bytes) -> Message:
    """The answer as the message of the next turn."""
    match outcome(replay.response(provider, 200, {}, data)):
        case Success(response):
            return Message.model_validate_json(response.to_message().model_dump_json())
        case failure:
            raise AssertionError(failure)


def read_streamed_state(provider: str, data: bytes) -> dict[str, Any]:
    last = list(replay.stream(provider, 200, {}, [data]))[-1].unwrap()
    assert last.metadata is not None
    state: dict[str, Any] = last.metadata["provider_state"]
    return state


THOUGHT = {"reasoning_content": "rain?", "reasoning": "rain?", "content": "Well."}
CALL = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}


def build_replayed_message(provider: str, message: dict[str, Any]) -> dict[str, Any]:
    """A response of the provider as it is sent back."""
    given = turn(provider, encode_completion(message))
    return build_messages(provider, HI, given, *([RESULT] if given.tool_calls else []))[1]


@pytest.mark.parametrize("provider", ["zai", "moonshot", "fireworks", "llamacpp"])
def test_reasoning_content_is_sent_back(provider: str) -> None:
    assert build_replayed_message(provider, THOUGHT)["reasoning_content"] == "rain?"


@pytest.mark.parametrize("provider", ["groq", "cerebras", "vllm"])
def test_reasoning_is_sent_back(provider: str) -> None:
    assert build_replayed_message(provider, THOUGHT)["reasoning"] == "rain?"


@pytest.mark.parametrize("provider", ["openai", "xai", "together", "lmstudio", "mlx"])
def test_reasoning_is_not_sent_back_to_vendors_that_ignore_it(provider: str) -> None:
    assert build_replayed_message(provider, THOUGHT) == {"role": "assistant", "content": "Well."}


def test_deepseek_is_sent_thinking_of_turns_with_calls_only() -> None:
    assert "reasoning_content" not in build_replayed_message("deepseek", THOUGHT)
    assert build_replayed_message("deepseek", {**THOUGHT, "tool_calls": [CALL]})["reasoning_content"] == "rain?"


DETAILS = [
    {"type": "reasoning.summary", "index": 0, "summary": "rain?", "format": "openai-responses-v1"},
    {"type": "reasoning.encrypted", "index": 0, "data": "gAAA==", "id": "rs_1", "format": "openai-responses-v1"},
]


def test_openrouter_reasoning_details_are_sent_back_unmodified() -> None:
    back = build_replayed_message(
        "openrouter", {"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS}
    )
    assert back == {"role": "assistant", "content": "Well.", "reasoning_details": DETAILS}


def test_openrouter_reasoning_details_are_the_same_from_a_stream() -> None:
    first, second = DETAILS
    data = encode_sse(
        build_chunk({"reasoning": "ra", "reasoning_details": [first | {"summary": "ra"}]}),
        build_chunk({"reasoning": "in?", "reasoning_details": [first | {"summary": "in?"}]}),
        build_chunk({"reasoning_details": [second]}),
        build_text_chunk("Well."),
        build_chunk(build_call_piece("{}", id="call_1", name="weather")),
        build_chunk({}, "tool_calls"),
    )
    whole = {"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS, "tool_calls": [CALL]}
    state = turn("openrouter", encode_completion(whole, "tool_calls")).metadata
    assert state is not None
    assert read_streamed_state("openrouter", data) == state["provider_state"]


def test_reasoning_details_of_another_router_are_not_sent_to_openrouter() -> None:
    given = turn(
        "huggingface", encode_completion({"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS})
    )
    assert "reasoning_details" not in build_messages("openrouter", HI, given)[1]


def test_a_refusal_is_sent_back_in_its_field() -> None:
    assert build_replayed_message("openai", {"content": None, "refusal": "No."})["refusal"] == "No."
    assert build_replayed_message("groq", {"content": None, "refusal": "No."})["content"] == "No."


def test_a_signature_on_a_call_is_sent_back_with_it() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "sig"}}}
    back = build_replayed_message("openrouter", {"content": None, "tool_calls": [signed]})
    assert back["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}


def test_cache_marks() -> None:
    marked = Message(role="system", content="Long.", cache=True)
    assert build_messages("openrouter", marked, HI)[0]["content"] == [
        {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    ]
    assert build_messages("openai", marked, HI, model="gpt-5.6-sol")[0]["content"] == [
        {"type": "text", "text": "Long.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    ]
    assert build_messages("openai", marked, HI, model="gpt-4o")[0]["content"] == "Long."
    tool = WEATHER.model_copy(update={"cache": True})
    assert build_body("openrouter", tools=[tool])["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert build_messages("qwen", HI, CALLED, RESULT.model_copy(update={"cache": True}))[2]["content"][0][
        "cache_control"
    ] == {"type": "ephemeral"}


def test_reasoning_in_a_dict_is_sent_back_to_vendors_that_expect_it() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "reasoning_content": "rain?", "tool_calls": [call]}
    given: Any = [{"role": "user", "content": "Hi"}, turn, {"role": "tool", "tool_call_id": "call_1", "content": "x"}]
    assert build_body("deepseek", given)["messages"][1]["reasoning_content"] == "rain?"
    assert build_body("groq", given)["messages"][1]["reasoning"] == "rain?"


@pytest.mark.parametrize("provider", ["moonshot", "kimi-coding", "openrouter", "mistral", "cohere"])
@pytest.mark.parametrize("thought", ["", "hm"])
def test_empty_turns_are_omitted_where_they_are_rejected(provider: str, thought: str) -> None:
    blocks = [{"kind": "reasoning", "text": thought}] if thought else []
    state = {"protocol": "openai-chat", "provider": "deepseek", "model": "m", "blocks": blocks}
    empty = Message(role="assistant", content="", metadata={"provider_state": state})
    messages = [HI, empty, Message(role="assistant"), HI]
    assert [turn["role"] for turn in build_body(provider, messages, max_tokens=9)["messages"]] == ["user", "user"]
    assert [turn["role"] for turn in build_body(provider, messages, tools=[WEATHER])["messages"]] == ["user", "user"]


def test_empty_turns_are_kept_for_servers_whose_templates_require_alternating_roles() -> None:
    roles = [turn["role"] for turn in build_body("vllm", [HI, Message(role="assistant"), HI])["messages"]]
    assert roles == ["user", "assistant", "user"]

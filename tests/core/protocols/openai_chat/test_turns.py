"""Conversations in requests: parts, calls and results, and what is sent back to each vendor."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Success

from tests.core.protocols.openai_chat.answers import body, chunk, piece, said, sse
from tests.core.protocols.openai_chat.requests import HI, WEATHER, adjusted, refusal, sent
from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PNG = ImagePart(data=b"\x89PNG", media_type="image/png")
CAT = ImagePart(url="https://a.example/cat.png", detail="low")
WAV = AudioPart(data=b"RIFF", media_type="audio/wav")
PDF = FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf")
CALLED = Message(role="assistant", tool_calls=[{"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}])
RESULT = Message(role="tool", tool_call_id="call_1", name="weather", content="rain")


def user(*parts: Any) -> list[Message]:
    return [Message(role="user", content=list(parts))]


def content(provider: str, *parts: Any, **options: Any) -> Any:
    return sent(provider, user(*parts), **options)["messages"][0]["content"]


def messages(provider: str, *given: Message, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(provider, given, **options)["messages"]
    return found


def test_images_by_url_and_by_value() -> None:
    assert content("openai", TextPart(text="What?"), CAT, PNG) == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://a.example/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]


def test_images_are_rejected_without_vision_or_url_support() -> None:
    assert refusal("deepseek", user(PNG)) == ("UnsupportedParameter", "image")
    assert refusal("lmstudio", user(CAT)) == ("UnsupportedParameter", "image")
    assert content("lmstudio", PNG)[0]["type"] == "image_url"
    assert adjusted("deepseek", user(TextPart(text="What?"), PNG)) == {"image": "dropped"}
    assert content("deepseek", TextPart(text="What?"), PNG, on_unsupported="adjust") == "What?"


@pytest.mark.parametrize(
    ("provider", "form"),
    [
        ("openai", {"data": "UklGRg==", "format": "wav"}),
        ("qwen", {"data": "data:audio/wav;base64,UklGRg==", "format": "wav"}),
    ],
)
def test_audio_in_the_vendor_format(provider: str, form: Any) -> None:
    assert content(provider, WAV) == [{"type": "input_audio", "input_audio": form}]


def test_audio_by_url_and_other_format_names() -> None:
    assert refusal("openai", user(AudioPart(url="https://a.example/a.mp3"))) == ("UnsupportedParameter", "audio")
    assert (
        content("qwen", AudioPart(url="https://a.example/a.mp3"))[0]["input_audio"]["data"] == "https://a.example/a.mp3"
    )
    assert content("openai", AudioPart(data=b"1", media_type="audio/mpeg"))[0]["input_audio"]["format"] == "mp3"
    assert refusal("groq", user(WAV)) == ("UnsupportedParameter", "audio")


def test_files_in_the_vendor_format() -> None:
    by_value = "data:application/pdf;base64,JVBERg=="
    assert content("openai", PDF) == [{"type": "file", "file": {"filename": "a.pdf", "file_data": by_value}}]
    web = FilePart(url="https://a.example/a.pdf")
    assert refusal("openai", user(web)) == ("UnsupportedParameter", "file")
    assert content("openrouter", web)[0]["file"]["file_data"] == "https://a.example/a.pdf"
    assert refusal("groq", user(PDF)) == ("UnsupportedParameter", "file")


def test_text_parts_are_a_list_if_lists_are_accepted() -> None:
    two = (TextPart(text="a"), TextPart(text="b"))
    assert content("openai", TextPart(text="a")) == "a"
    assert content("openai", *two) == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert content("together", *two) == "ab"


def test_instructions_have_the_vendors_role() -> None:
    system, developer = Message(role="system", content="s"), Message(role="developer", content="d")
    assert [m["role"] for m in messages("openai", system, developer, HI)] == ["system", "developer", "user"]
    assert [m["role"] for m in messages("deepseek", system, developer, HI)] == ["system", "system", "user"]


def test_participant_names() -> None:
    named = Message(role="user", content="Hi", name="ann")
    assert messages("openai", named)[0]["name"] == "ann"
    assert refusal("zai", [named]) == ("UnsupportedParameter", "name")


def test_calls_and_their_results() -> None:
    assert messages("openai", HI, CALLED, RESULT)[1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
            ],
        },
        {"role": "tool", "content": "rain", "tool_call_id": "call_1"},
    ]


def test_a_turn_of_calls_alone_has_no_content_or_an_empty_one() -> None:
    assert "content" not in messages("openai", HI, CALLED, RESULT)[1]
    assert messages("moonshot", HI, CALLED, RESULT)[1]["content"] == ""


def test_unparsable_arguments_are_sent_back_unmodified() -> None:
    broken = Message(
        role="assistant", content="I", tool_calls=[{"id": "call_1", "name": "weather", "arguments": '{"city'}]
    )
    assert messages("openai", HI, broken, RESULT)[1]["tool_calls"][0]["function"]["arguments"] == '{"city'


def test_results_that_failed_or_are_empty() -> None:
    failed = Message(role="tool", tool_call_id="call_1", content="no such city", is_error=True)
    assert messages("openai", HI, CALLED, failed)[2]["content"] == "Error: no such city"
    told = Message(role="tool", tool_call_id="call_1", content="ERROR: no", is_error=True)
    assert messages("openai", HI, CALLED, told)[2]["content"] == "ERROR: no"
    empty = Message(role="tool", tool_call_id="call_1")
    assert messages("openai", HI, CALLED, empty)[2]["content"] == ""
    assert messages("deepseek", HI, CALLED, empty)[2]["content"] == "(no output)"


def test_ids_that_are_too_long_are_shortened_in_both_places() -> None:
    id_ = "toolu_" + "x" * 60
    long = CALLED.model_copy(update={"tool_calls": [{"id": id_, "name": "weather", "arguments": {}}]})
    _, called, result = messages("openai", HI, long, RESULT.model_copy(update={"tool_call_id": id_}))
    assert len(called["tool_calls"][0]["id"]) <= 40
    assert called["tool_calls"][0]["id"] == result["tool_call_id"]


def turn(provider: str, data: bytes) -> Message:
    """The answer as the message of the next turn."""
    match outcome(replay.response(provider, 200, {}, data)):
        case Success(response):
            return Message.model_validate_json(response.to_message().model_dump_json())
        case failure:
            raise AssertionError(failure)


def streamed_turn(provider: str, data: bytes) -> dict[str, Any]:
    last = list(replay.stream(provider, 200, {}, [data]))[-1].unwrap()
    assert last.metadata is not None
    state: dict[str, Any] = last.metadata["provider_state"]
    return state


THOUGHT = {"reasoning_content": "rain?", "reasoning": "rain?", "content": "Well."}
CALL = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}


def answered(provider: str, message: dict[str, Any]) -> dict[str, Any]:
    """A response of the provider as it is sent back."""
    given = turn(provider, body(message))
    return messages(provider, HI, given, *([RESULT] if given.tool_calls else []))[1]


@pytest.mark.parametrize("provider", ["zai", "moonshot", "fireworks", "llamacpp"])
def test_reasoning_content_is_sent_back(provider: str) -> None:
    assert answered(provider, THOUGHT)["reasoning_content"] == "rain?"


@pytest.mark.parametrize("provider", ["groq", "cerebras", "vllm"])
def test_reasoning_is_sent_back(provider: str) -> None:
    assert answered(provider, THOUGHT)["reasoning"] == "rain?"


@pytest.mark.parametrize("provider", ["openai", "xai", "together", "lmstudio", "mlx"])
def test_reasoning_is_not_sent_back_to_vendors_that_ignore_it(provider: str) -> None:
    assert answered(provider, THOUGHT) == {"role": "assistant", "content": "Well."}


def test_deepseek_is_sent_thinking_of_turns_with_calls_only() -> None:
    assert "reasoning_content" not in answered("deepseek", THOUGHT)
    assert answered("deepseek", {**THOUGHT, "tool_calls": [CALL]})["reasoning_content"] == "rain?"


DETAILS = [
    {"type": "reasoning.summary", "index": 0, "summary": "rain?", "format": "openai-responses-v1"},
    {"type": "reasoning.encrypted", "index": 0, "data": "gAAA==", "id": "rs_1", "format": "openai-responses-v1"},
]


def test_openrouter_reasoning_details_are_sent_back_unmodified() -> None:
    back = answered("openrouter", {"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS})
    assert back == {"role": "assistant", "content": "Well.", "reasoning_details": DETAILS}


def test_openrouter_reasoning_details_are_the_same_from_a_stream() -> None:
    first, second = DETAILS
    data = sse(
        chunk({"reasoning": "ra", "reasoning_details": [first | {"summary": "ra"}]}),
        chunk({"reasoning": "in?", "reasoning_details": [first | {"summary": "in?"}]}),
        chunk({"reasoning_details": [second]}),
        said("Well."),
        chunk(piece("{}", id="call_1", name="weather")),
        chunk({}, "tool_calls"),
    )
    whole = {"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS, "tool_calls": [CALL]}
    state = turn("openrouter", body(whole, "tool_calls")).metadata
    assert state is not None
    assert streamed_turn("openrouter", data) == state["provider_state"]


def test_reasoning_details_of_another_router_are_not_sent_to_openrouter() -> None:
    given = turn("huggingface", body({"content": "Well.", "reasoning": "rain?", "reasoning_details": DETAILS}))
    assert "reasoning_details" not in messages("openrouter", HI, given)[1]


def test_a_refusal_is_sent_back_in_its_field() -> None:
    assert answered("openai", {"content": None, "refusal": "No."})["refusal"] == "No."
    assert answered("groq", {"content": None, "refusal": "No."})["content"] == "No."


def test_a_signature_on_a_call_is_sent_back_with_it() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "sig"}}}
    back = answered("openrouter", {"content": None, "tool_calls": [signed]})
    assert back["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}


def test_cache_marks() -> None:
    marked = Message(role="system", content="Long.", cache=True)
    assert messages("openrouter", marked, HI)[0]["content"] == [
        {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    ]
    assert messages("openai", marked, HI, model="gpt-5.6-sol")[0]["content"] == [
        {"type": "text", "text": "Long.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    ]
    assert messages("openai", marked, HI, model="gpt-4o")[0]["content"] == "Long."
    tool = WEATHER.model_copy(update={"cache": True})
    assert sent("openrouter", tools=[tool])["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert messages("qwen", HI, CALLED, RESULT.model_copy(update={"cache": True}))[2]["content"][0][
        "cache_control"
    ] == {"type": "ephemeral"}


def test_reasoning_in_a_dict_is_sent_back_to_vendors_that_expect_it() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "reasoning_content": "rain?", "tool_calls": [call]}
    given: Any = [{"role": "user", "content": "Hi"}, turn, {"role": "tool", "tool_call_id": "call_1", "content": "x"}]
    assert sent("deepseek", given)["messages"][1]["reasoning_content"] == "rain?"
    assert sent("groq", given)["messages"][1]["reasoning"] == "rain?"


@pytest.mark.parametrize("provider", ["moonshot", "kimi-coding", "openrouter", "mistral", "cohere"])
@pytest.mark.parametrize("thought", ["", "hm"])
def test_empty_turns_are_omitted_where_they_are_rejected(provider: str, thought: str) -> None:
    blocks = [{"kind": "reasoning", "text": thought}] if thought else []
    state = {"protocol": "openai-chat", "provider": "deepseek", "model": "m", "blocks": blocks}
    empty = Message(role="assistant", content="", metadata={"provider_state": state})
    messages = [HI, empty, Message(role="assistant"), HI]
    assert [turn["role"] for turn in sent(provider, messages, max_tokens=9)["messages"]] == ["user", "user"]
    assert [turn["role"] for turn in sent(provider, messages, tools=[WEATHER])["messages"]] == ["user", "user"]


def test_empty_turns_are_kept_for_servers_whose_templates_require_alternating_roles() -> None:
    roles = [turn["role"] for turn in sent("vllm", [HI, Message(role="assistant"), HI])["messages"]]
    assert roles == ["user", "assistant", "user"]

"""A conversation as the vendor's turns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_search_blocks,
    build_text,
    build_thinking,
    call,
    read_completion,
)
from tests.core.protocols.anthropic_messages.requests import (
    HI,
    NEW,
    SONNET,
    build_adjusted_body,
    build_body,
    build_body_and_adjustments,
    build_turns,
    get_unsupported_parameter,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PNG = b"\x89PNG"
CALLS: list[Any] = [
    {"id": "toolu_1", "name": "weather", "arguments": {"city": "Paris"}},
    {"id": "toolu_2", "name": "weather", "arguments": {"city": "Oslo"}},
]


def build_user_message(*parts: Any) -> Message:
    return Message(role="user", content=list(parts))


def build_block(part: Any, **more: Any) -> dict[str, Any]:
    (turn,) = build_turns(build_user_message(TextPart(text="See"), part), **more)
    found: dict[str, Any] = turn["content"][1]
    return found


# Instructions


def test_system_and_developer_messages_become_the_system_field() -> None:
    asked = build_body([Message(role="system", content="A"), Message(role="developer", content="B"), HI])
    assert asked["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert build_body([Message(role="system", content="A"), HI])["system"] == "A"
    assert build_body([Message(role="system", content=[TextPart(text="A"), TextPart(text="B")]), HI])["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
    ]


def test_an_empty_system_message_is_omitted() -> None:
    assert "system" not in build_body([Message(role="system", content=""), HI])


LATE = [HI, Message(role="assistant", content="Yes?"), HI, Message(role="system", content="Be brief")]


def test_a_late_system_message_keeps_its_position_if_the_model_accepts_it() -> None:
    asked = build_body(LATE, model=NEW)
    assert "system" not in asked
    assert asked["messages"][-1] == {"role": "system", "content": "Be brief"}


def test_a_late_system_message_moves_to_the_front_visibly_if_the_model_does_not_accept_it() -> None:
    asked, adjustments = build_body_and_adjustments(LATE, model=SONNET)
    assert (asked["system"], len(asked["messages"])) == ("Be brief", 3)
    assert adjustments == [("messages.system", "changed")]


def test_a_late_system_message_before_a_user_turn_moves_to_the_front() -> None:
    asked = build_body([*LATE, HI], model=NEW)
    assert asked["system"] == "Be brief"
    assert [turn["role"] for turn in asked["messages"]] == ["user", "assistant", "user"]


# Alternation


def test_adjacent_messages_of_one_role_become_one_turn() -> None:
    said = build_turns(
        Message(role="user", content="A"),
        Message(role="user", content="B"),
        Message(role="assistant", content="C"),
        Message(role="assistant", content="D"),
        HI,
    )
    assert said == [
        {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "C"}, {"type": "text", "text": "D"}]},
        {"role": "user", "content": "Hi"},
    ]


def test_an_empty_assistant_message_is_omitted() -> None:
    assert build_turns(HI, Message(role="assistant", content=""), Message(role="user", content="Hello?")) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Hello?"}]}
    ]


def test_a_participant_name_is_dropped_visibly() -> None:
    asked, adjustments = build_body_and_adjustments([Message(role="user", name="Ann", content="Hi")])
    assert (asked, adjustments) == (build_body(), [("messages.name", "dropped")])


# Tools


def test_results_are_user_blocks_before_what_the_user_says_next() -> None:
    said = build_turns(
        HI,
        Message(role="assistant", content="Looking.", tool_calls=CALLS),
        Message(role="tool", tool_call_id="toolu_1", content="12C"),
        Message(role="tool", tool_call_id="toolu_2", content="no such city", is_error=True),
        Message(role="user", content="Thanks"),
    )
    assert said[1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12C"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such city", "is_error": True},
                {"type": "text", "text": "Thanks"},
            ],
        },
    ]


def result(**fields: Any) -> dict[str, Any]:
    said = build_turns(
        HI,
        Message(role="assistant", tool_calls=CALLS[:1]),
        Message(role="tool", tool_call_id="toolu_1", **fields),
    )
    found: dict[str, Any] = said[-1]["content"][0]
    return found


def test_a_result_may_be_empty() -> None:
    assert result(content="") == {"type": "tool_result", "tool_use_id": "toolu_1"}


def test_a_result_may_contain_images_and_documents() -> None:
    parts = [
        TextPart(text="Here"),
        ImagePart(data=PNG, media_type="image/png"),
        FilePart(url="https://x.example/a.pdf"),
    ]
    assert result(content=parts)["content"] == [
        {"type": "text", "text": "Here"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
    ]


def test_a_result_can_end_a_cached_prefix() -> None:
    assert result(content="ok", cache=True)["cache_control"] == {"type": "ephemeral"}


def test_invalid_ids_are_rewritten_in_call_and_result() -> None:
    odd: list[Any] = [{"id": "functions.weather:0", "name": "weather", "arguments": {}}]
    said = build_turns(
        HI, Message(role="assistant", tool_calls=odd), Message(role="tool", tool_call_id=odd[0]["id"], content="ok")
    )
    given, answered = said[1]["content"][0]["id"], said[2]["content"][0]["tool_use_id"]
    assert given == answered
    assert given.isalnum()


def test_arguments_that_are_not_an_object_are_wrapped_visibly() -> None:
    cut: list[Any] = [{"id": "toolu_1", "name": "weather", "arguments": '{"ci'}]
    asked, adjustments = build_body_and_adjustments(
        [HI, Message(role="assistant", tool_calls=cut), Message(role="tool", tool_call_id="toolu_1", content="what?")]
    )
    assert asked["messages"][1]["content"][0]["input"] == {"invalid_json": '{"ci'}
    assert adjustments == [("messages.tool_calls", "changed")]


# Attachments


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            ImagePart(url="https://x.example/a.png"),
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        ),
        (
            ImagePart(data=PNG, media_type="image/png"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        ),
        (
            ImagePart(url="data:image/png;base64,iVBORw=="),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        ),
        (
            FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                "title": "a.pdf",
            },
        ),
        (
            FilePart(url="https://x.example/a.pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
        ),
        (
            FilePart(data="é".encode(), media_type="text/plain", filename="a.txt"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "é"},
                "title": "a.txt",
            },
        ),
        (
            FilePart(url="data:text/csv,a%2Cb"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
        ),
        (
            FilePart(data=PNG, media_type="image/png"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        ),
    ],
)
def test_an_attachment_becomes_a_block(part: Any, block: dict[str, Any]) -> None:
    assert build_block(part) == block


@pytest.mark.parametrize(
    ("part", "parameter"),
    [
        (AudioPart(data=b"RIFF", media_type="audio/wav"), "messages.audio"),
        (FilePart(data=b"PK", media_type="application/zip"), "messages.file"),
        (FilePart(data=b"\xff\xfe", media_type="text/plain"), "messages.file"),
        (FilePart(url="https://x.example/a.txt", media_type="text/plain"), "messages.file"),
    ],
)
def test_an_unsupported_attachment_is_rejected_or_dropped_visibly(part: Any, parameter: str) -> None:
    asked = [build_user_message(TextPart(text="See"), part)]
    assert get_unsupported_parameter(asked) == parameter
    shown, adjustments = build_adjusted_body(asked)
    assert (shown["messages"], adjustments) == ([{"role": "user", "content": "See"}], [(parameter, "dropped")])


def test_image_detail_is_dropped_visibly() -> None:
    _, adjustments = build_body_and_adjustments(
        [build_user_message(ImagePart(url="https://x.example/a.png", detail="low"))]
    )
    assert adjustments == [("image.detail", "dropped")]


# The assistant's state


def build_replayed_content(whole: dict[str, Any], **changes: Any) -> Any:
    answer = read_completion(whole).to_message().model_copy(update=changes)
    results = [Message(role="tool", tool_call_id=made["id"], content="ok") for made in answer.tool_calls or ()]
    return build_turns(HI, answer, *results, HI)[1]["content"]


def test_thinking_is_sent_back_before_the_call_with_its_signature() -> None:
    blocks = [
        build_thinking("Hm.", "Sig+/="),
        {"type": "redacted_thinking", "data": "Enc"},
        call("toolu_1", "weather", city="X"),
    ]
    assert build_replayed_content(build_message(*blocks, stop="tool_use")) == blocks


def test_results_of_server_tools_are_sent_back_with_citations_in_place() -> None:
    cited = build_text("Blue.", citations=[{"type": "web_search_result_location", "url": "https://a.example/1"}])
    blocks = [build_text("Looking."), *build_search_blocks("sky", "https://a.example/1"), cited]
    returned = build_replayed_content(build_message(*blocks))
    assert [block["type"] for block in returned] == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert returned[-1] == cited


def test_a_call_made_by_server_side_code_is_sent_back_with_its_caller() -> None:
    made = {**call("toolu_1", "query", sql="1"), "caller": {"type": "code_execution_20260120", "tool_id": "srv_1"}}
    assert build_replayed_content(build_message(made, stop="tool_use")) == [made]


def test_a_direct_caller_is_the_default_and_is_not_repeated() -> None:
    made = call("toolu_1", "query", sql="1")
    assert build_replayed_content(build_message({**made, "caller": {"type": "direct"}}, stop="tool_use")) == [made]


def test_text_edited_by_the_caller_overrides_the_state() -> None:
    blocks = [build_thinking("Hm.", "Sig"), build_text("Old")]
    assert build_replayed_content(build_message(*blocks), content="New") == [blocks[0], build_text("New")]


def test_thinking_without_a_signature_is_not_sent_to_a_vendor_that_refuses_it() -> None:
    assert build_replayed_content(build_message({"type": "thinking", "thinking": "Hm."}, build_text("Yes"))) == "Yes"


def test_a_cache_mark_skips_blocks_that_do_not_support_it() -> None:
    marked = build_replayed_content(
        build_message(build_text("A"), {"type": "redacted_thinking", "data": "Enc"}), cache=True
    )
    assert marked == [
        build_text("A", cache_control={"type": "ephemeral"}),
        {"type": "redacted_thinking", "data": "Enc"},
    ]

"""Conversations as the vendor's turns: order, roles, parts, results and what is sent back unmodified."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.bedrock_converse.answers import (
    answer,
    build_cited_text,
    build_code_blocks,
    build_redacted_thought,
    build_text,
    build_thought,
    call,
    read_completion,
)
from tests.core.protocols.bedrock_converse.requests import (
    HI,
    NEW,
    NOVA,
    OLD,
    WEATHER,
    build_adjusted_body,
    build_body,
    build_body_and_adjustments,
    build_turns,
    get_unsupported_parameter,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

PNG = ImagePart(data=b"png", media_type="image/png")


def build_content(*parts: Part, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = build_turns(Message(role="user", content=list(parts)), **more)[0]["content"]
    return found


def test_instructions_are_separate_and_adjacent_messages_of_one_role_are_one_turn() -> None:
    asked = build_body(
        [
            Message(role="system", content="Be brief."),
            Message(role="developer", content="Be kind."),
            Message(role="user", content="One"),
            Message(role="user", content="Two"),
            Message(role="assistant", content="Three"),
            Message(role="user", content="Four"),
        ]
    )
    assert asked["system"] == [{"text": "Be brief."}, {"text": "Be kind."}]
    assert asked["messages"] == [
        {"role": "user", "content": [{"text": "One"}, {"text": "Two"}]},
        {"role": "assistant", "content": [{"text": "Three"}]},
        {"role": "user", "content": [{"text": "Four"}]},
    ]


def test_a_late_instruction_keeps_its_position_if_accepted_and_moves_visibly_if_not() -> None:
    late = [HI, Message(role="system", content="In French.")]
    assert [turn["role"] for turn in build_turns(*late, model=NEW)] == ["user", "system"]
    asked, adjustments = build_body_and_adjustments(late, model=NOVA)
    assert (asked["system"], len(asked["messages"])) == ([{"text": "In French."}], 1)
    assert adjustments == [("messages.system", "changed")]


def test_empty_texts_which_the_vendor_refuses_are_left_out() -> None:
    said = build_turns(
        HI, Message(role="assistant", content=""), Message(role="user", content=[TextPart(text=""), PNG])
    )
    assert len(said) == 1
    assert [list(block) for block in said[0]["content"]] == [["text"], ["image"]]


def test_a_participant_name_is_dropped_visibly() -> None:
    assert build_body_and_adjustments([Message(role="user", content="Hi", name="Ann")])[1] == [
        ("messages.name", "dropped")
    ]


# Parts


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (PNG, {"image": {"format": "png", "source": {"bytes": "cG5n"}}}),
        (
            ImagePart(url="data:image/jpeg;base64,anBn"),
            {"image": {"format": "jpeg", "source": {"bytes": "anBn"}}},
        ),
        (
            ImagePart(url="s3://bucket/a/cat.webp"),
            {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a/cat.webp"}}}},
        ),
        (
            FilePart(data=b"%PDF", media_type="application/pdf", filename="Report_2026 (final).pdf"),
            {"document": {"format": "pdf", "name": "Report 2026 (final)", "source": {"bytes": "JVBERg=="}}},
        ),
        (
            FilePart(data=b"{}", media_type="application/json"),
            {"document": {"format": "txt", "name": "document", "source": {"bytes": "e30="}}},
        ),
        (
            FilePart(url="s3://bucket/talk.mp4"),
            {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/talk.mp4"}}}},
        ),
        (
            FilePart(data=b"gif", media_type="image/gif"),
            {"image": {"format": "gif", "source": {"bytes": "Z2lm"}}},
        ),
        (
            AudioPart(data=b"snd", media_type="audio/mpeg"),
            {"audio": {"format": "mp3", "source": {"bytes": "c25k"}}},
        ),
        (
            AudioPart(url="s3://bucket/talk.mp4"),
            {"audio": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/talk.mp4"}}}},
        ),
        (
            FilePart(data=b"a", media_type="text/plain; charset=utf-8", filename="a.txt"),
            {"document": {"format": "txt", "name": "a", "source": {"bytes": "YQ=="}}},
        ),
    ],
)
def test_a_part_goes_by_value_or_by_an_address_in_s3(part: Part, block: dict[str, Any]) -> None:
    assert build_content(part) == [block]


@pytest.mark.parametrize(
    ("part", "parameter"),
    [
        (ImagePart(url="https://a.example/a.png"), "messages.image"),
        (ImagePart(data=b"x", media_type="image/tiff"), "messages.image"),
        (FilePart(url="https://a.example/a.pdf"), "messages.file"),
        (FilePart(data=b"x", media_type="application/zip"), "messages.file"),
        (FilePart(url="s3://bucket/nameless"), "messages.file"),
        (AudioPart(data=b"x", media_type="audio/midi"), "messages.audio"),
    ],
)
def test_an_unsupported_part_is_rejected_or_dropped_visibly(part: Part, parameter: str) -> None:
    message = Message(role="user", content=[TextPart(text="Look"), part])
    assert get_unsupported_parameter([message]) == parameter
    asked, adjustments = build_adjusted_body([message])
    assert asked["messages"][0]["content"] == [{"text": "Look"}]
    assert adjustments == [(parameter, "dropped")]


def test_documents_have_different_names_through_the_whole_conversation() -> None:
    file = FilePart(data=b"a", media_type="text/csv", filename="a.csv")
    asked = build_turns(
        Message(role="user", content=[file, file]),
        Message(role="assistant", content="ok"),
        Message(role="user", content=[file]),
    )
    names = [block["document"]["name"] for turn in asked for block in turn["content"] if "document" in block]
    assert names == ["a", "a 2", "a 3"]


def test_a_numbered_document_keeps_clear_of_names_that_end_in_numbers() -> None:
    stems = ["a", "a 3", "a", "a", "a 2", "a"]
    files = [FilePart(data=b"a", media_type="text/csv", filename=f"{stem}.csv") for stem in stems]
    calls: Any = [{"id": "c", "name": "weather", "arguments": {}}]
    question, _, results = build_turns(
        Message(role="user", content=files[:3]),
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", tool_call_id="c", content=files[3:]),
    )
    blocks = [*question["content"], *results["content"][0]["toolResult"]["content"]]
    assert [block["document"]["name"] for block in blocks] == ["a", "a 3", "a 2", "a 4", "a 2 2", "a 5"]


def test_image_detail_is_dropped_visibly() -> None:
    message = Message(role="user", content=[PNG.model_copy(update={"detail": "low"})])
    assert build_body_and_adjustments([message])[1] == [("image.detail", "dropped")]


# Calls and results


def build_conversation(result: Message, **more: Any) -> list[dict[str, Any]]:
    calls: Any = [{"id": "t-1", "name": "weather", "arguments": {"city": "Rome"}}]
    return build_turns(
        HI, Message(role="assistant", content="Well.", tool_calls=calls), result, tools=[WEATHER], **more
    )


def test_results_are_blocks_of_the_users_turn() -> None:
    said = build_conversation(Message(role="tool", tool_call_id="t-1", content="sunny"))
    assert said[1]["content"] == [
        {"text": "Well."},
        {"toolUse": {"toolUseId": "t-1", "name": "weather", "input": {"city": "Rome"}}},
    ]
    assert said[2] == {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": "t-1", "content": [{"text": "sunny"}]}}],
    }


def test_a_failed_tool_has_an_error_status_if_the_model_accepts_it() -> None:
    failed = Message(role="tool", tool_call_id="t-1", content="down", is_error=True)
    for model in (NOVA, OLD):
        assert build_conversation(failed, model=model)[2]["content"][0]["toolResult"]["status"] == "error"
    calls: Any = [{"id": "t-1", "name": "weather", "arguments": {}}]
    asked, adjustments = build_body_and_adjustments(
        [HI, Message(role="assistant", tool_calls=calls), failed],
        model="mistral.mistral-large-2407-v1:0",
        tools=[WEATHER],
    )
    assert "status" not in asked["messages"][2]["content"][0]["toolResult"]
    assert adjustments == [("messages.is_error", "dropped")]


def test_a_result_may_be_empty_or_contain_images() -> None:
    empty = build_conversation(Message(role="tool", tool_call_id="t-1", content=""))
    assert empty[2]["content"][0]["toolResult"]["content"] == []
    shown = build_conversation(Message(role="tool", tool_call_id="t-1", content=[TextPart(text="See"), PNG]))
    assert shown[2]["content"][0]["toolResult"]["content"] == [
        {"text": "See"},
        {"image": {"format": "png", "source": {"bytes": "cG5n"}}},
    ]


def test_audio_in_a_result_is_rejected() -> None:
    calls: Any = [{"id": "t-1", "name": "weather", "arguments": {}}]
    sound = Message(role="tool", tool_call_id="t-1", content=[AudioPart(data=b"x", media_type="audio/wav")])
    assert (
        get_unsupported_parameter([HI, Message(role="assistant", tool_calls=calls), sound], tools=[WEATHER])
        == "messages.audio"
    )


def test_ids_that_the_vendor_refuses_are_replaced_alike_in_call_and_result() -> None:
    calls: Any = [{"id": "call/1|x", "name": "weather", "arguments": {}}]
    said = build_turns(
        HI,
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", tool_call_id="call/1|x", content="ok"),
        tools=[WEATHER],
    )
    id_ = said[1]["content"][0]["toolUse"]["toolUseId"]
    assert id_ == said[2]["content"][0]["toolResult"]["toolUseId"]
    assert id_.isalnum()


def test_arguments_that_are_not_an_object_are_wrapped_visibly() -> None:
    calls: Any = [{"id": "t-1", "name": "weather", "arguments": '{"city": "Ro'}]
    messages = [HI, Message(role="assistant", tool_calls=calls), Message(role="tool", tool_call_id="t-1", content="?")]
    asked, adjustments = build_body_and_adjustments(messages, tools=[WEATHER])
    assert asked["messages"][1]["content"][0]["toolUse"]["input"] == {"invalid_json": '{"city": "Ro'}
    assert adjustments == [("messages.tool_calls", "changed")]


# What is sent back


def build_replayed_content(*blocks: dict[str, Any], model: str = OLD) -> list[dict[str, Any]]:
    """What the assistant's turn holds when an answer of these blocks is sent back."""
    message = read_completion(answer(*blocks)).to_message()
    results = [Message(role="tool", tool_call_id=call["id"], content="ok") for call in message.tool_calls or ()]
    found: list[dict[str, Any]] = build_turns(HI, message, *results, HI, model=model, tools=[WEATHER])[1]["content"]
    return found


def test_signed_and_redacted_reasoning_is_sent_back_unmodified_before_the_call() -> None:
    blocks = [build_thought("Hm.", "SigA=="), build_redacted_thought("RW5j"), call("tooluse_1", "weather", city="Rome")]
    assert build_replayed_content(*blocks) == blocks


def test_reasoning_without_a_signature_is_not_sent_back() -> None:
    assert build_replayed_content(build_thought("Hm."), build_text("Yes"), model=NOVA) == [build_text("Yes")]


def test_results_of_server_tools_are_sent_back() -> None:
    blocks = [*build_code_blocks("1 + 1", "2"), build_text("Two.")]
    assert build_replayed_content(*blocks) == blocks


def test_cited_text_is_sent_back_with_its_citations() -> None:
    blocks = [build_cited_text("It is blue.", {"title": "T"}), build_text(" Yes.")]
    assert build_replayed_content(*blocks) == blocks


def test_a_generated_image_is_not_sent_back() -> None:
    assert build_replayed_content(build_text("Here."), {"image": {"format": "png", "source": {"bytes": "aGk="}}}) == [
        build_text("Here.")
    ]

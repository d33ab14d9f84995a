"""Decoded responses: the same from a body and from its stream."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.openai_chat.answers import (
    USAGE,
    build_call_piece,
    build_chunk,
    build_text_chunk,
    encode_completion,
    encode_sse,
    read,
    read_stream,
)

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
OTHER = {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
CACHED = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
DETAIL = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}

WHOLE: dict[str, tuple[str, bytes]] = {
    "text": (
        "openai",
        encode_completion({"content": "Hello, you."}, usage=USAGE, system_fingerprint="fp_1", service_tier="default"),
    ),
    "tools": ("openai", encode_completion({"content": None, "tool_calls": [CALL]}, "tool_calls", USAGE)),
    "parallel tools": (
        "openai",
        encode_completion({"content": "Two.", "tool_calls": [CALL, OTHER]}, "tool_calls", USAGE),
    ),
    "reasoning": ("deepseek", encode_completion({"content": "42", "reasoning_content": "6 x 7"}, usage=USAGE)),
    "reasoning details": (
        "openrouter",
        encode_completion(
            {
                "content": "42",
                "reasoning": "6 x 7",
                "reasoning_details": [DETAIL | {"text": "6 x 7", "signature": "sig"}],
            }
        ),
    ),
    "thinking in parts": (
        "huggingface",
        encode_completion(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "6 x 7"}]},
                    {"type": "text", "text": "42"},
                ]
            }
        ),
    ),
    "thinking in tags": ("llamacpp", encode_completion({"content": "<think>\n6 x 7\n</think>\n\n42"})),
    "refusal": ("openai", encode_completion({"content": None, "refusal": "I will not."}, usage=USAGE)),
    "block": (
        "azure",
        encode_completion(
            {"content": "Half a"}, "content_filter", choice={"content_filter_results": {"hate": {"filtered": True}}}
        ),
    ),
    "length": ("openai", encode_completion({"content": "Once upon a"}, "length", USAGE)),
    "empty": ("openai", encode_completion({"content": ""})),
    "usage with cache": ("openai", encode_completion({"content": "Hi"}, usage=CACHED)),
    "an unknown reason": ("openai", encode_completion({"content": "Hi"}, "tired")),
}
STREAMS: dict[str, bytes] = {
    "text": encode_sse(
        build_chunk({"role": "assistant", "content": ""}, system_fingerprint="fp_1"),
        build_text_chunk("Hello, "),
        build_text_chunk("you."),
        build_chunk({}, "stop", service_tier="default"),
        {**build_chunk(), "choices": [], "usage": USAGE},
    ),
    "tools": encode_sse(
        build_chunk({"role": "assistant", "content": None, **build_call_piece("", id="call_1", name="weather")}),
        build_chunk(build_call_piece('{"city":')),
        build_chunk(build_call_piece(' "Oslo"}')),
        build_chunk({}, "tool_calls"),
        {**build_chunk(), "choices": [], "usage": USAGE},
    ),
    "parallel tools": encode_sse(
        build_text_chunk("Two."),
        build_chunk(build_call_piece("", id="call_1", name="weather")),
        build_chunk(build_call_piece("", index=1, id="call_2", name="weather")),
        build_chunk(build_call_piece('{"city": "Oslo"}')),
        build_chunk(build_call_piece('{"city": "Rome"}', index=1)),
        build_chunk({}, "tool_calls", usage=USAGE),
    ),
    "reasoning": encode_sse(
        build_chunk({"reasoning_content": "6 x"}),
        build_chunk({"reasoning_content": " 7"}),
        build_chunk({"content": "42"}),
        build_chunk({"content": ""}, "stop", usage=USAGE),
    ),
    "reasoning details": encode_sse(
        build_chunk({"reasoning": "6 x", "reasoning_details": [DETAIL | {"text": "6 x"}]}),
        build_chunk({"reasoning": " 7", "reasoning_details": [DETAIL | {"text": " 7"}]}),
        build_chunk({"reasoning_details": [DETAIL | {"signature": "sig"}]}),
        build_text_chunk("42"),
        build_chunk({}, "stop"),
    ),
    "thinking in parts": encode_sse(
        build_chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "6 x"}]}]}),
        build_chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": " 7"}]}]}),
        build_text_chunk("42"),
        build_chunk({"content": ""}, "stop"),
    ),
    "thinking in tags": encode_sse(
        build_chunk({"role": "assistant"}),
        build_text_chunk("<th"),
        build_text_chunk("ink>\n6 x 7\n</thi"),
        build_text_chunk("nk>\n\n4"),
        build_text_chunk("2"),
        build_chunk({}, "stop"),
    ),
    "refusal": encode_sse(
        build_chunk({"refusal": "I will"}), build_chunk({"refusal": " not."}), build_chunk({}, "stop", usage=USAGE)
    ),
    "block": encode_sse(
        {**build_chunk(), "choices": []},
        build_text_chunk("Half a"),
        {
            **build_chunk(),
            "choices": [
                {"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
            ],
        },
    ),
    "length": encode_sse(build_text_chunk("Once upon"), build_text_chunk(" a"), build_chunk({}, "length", usage=USAGE)),
    "empty": encode_sse(build_chunk({"role": "assistant", "content": ""}), build_chunk({}, "stop")),
    "usage with cache": encode_sse(
        build_text_chunk("Hi"), build_chunk({}, "stop"), {**build_chunk(), "choices": [], "usage": CACHED}
    ),
    "an unknown reason": encode_sse(build_text_chunk("Hi"), build_chunk({}, "tired")),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_body_is_normalised(kind: str, snapshot: SnapshotAssertion) -> None:
    provider, answer = WHOLE[kind]
    assert snapshot == read(provider, answer)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("size", [0, 7])
def test_a_stream_is_normalised_as_its_body_however_it_is_cut(kind: str, size: int) -> None:
    provider, answer = WHOLE[kind]
    assert read_stream(provider, STREAMS[kind], size) == read(provider, answer)


TRUNCATED: dict[str, bytes] = {
    "inside the text": encode_sse(build_text_chunk("Hello, "), build_text_chunk("you"), done=False),
    "inside a call": encode_sse(build_chunk(build_call_piece('{"ci', id="call_1", name="weather")), done=False),
    "inside the thinking": encode_sse(build_chunk({"reasoning_content": "6 x"}), done=False),
    "inside a frame": encode_sse(build_text_chunk("Hello, "), build_text_chunk("you"), done=False)[:-20],
    "before anything": b"",
    "with an end but no reason": encode_sse(build_text_chunk("Hello")),
}


@pytest.mark.parametrize("kind", TRUNCATED)
def test_a_truncated_stream_is_a_fault_with_partial_content(kind: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_stream("deepseek", TRUNCATED[kind])


BROKEN: dict[str, tuple[str, bytes]] = {
    "no JSON": ("openai", b"upstream connect error"),
    "a page": ("openai", b"<html><body>Bad gateway</body></html>"),
    "no choice": ("openai", encode_completion().replace(b'"choices": [', b'"picks": [')),
    "an error in a 200 body": (
        "azure",
        b'{"error": {"message": "The prompt was filtered.", "code": "content_filter", "status": 400, "param": "prompt"}}',
    ),
    "an error without a wrapper": (
        "vllm",
        b'{"object": "error", "message": "prompt is too long", "type": "BadRequestError", "code": 400}',
    ),
    "an error beside its choice": (
        "openrouter",
        encode_completion(
            {"content": "Hal"}, "error", choice={"error": {"code": 502, "message": "Upstream broke off"}}
        ),
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_body_that_is_not_a_response_is_a_fault(kind: str, snapshot: SnapshotAssertion) -> None:
    provider, answer = BROKEN[kind]
    assert snapshot == read(provider, answer)


def test_an_answer_with_several_choices_is_its_first_one() -> None:
    choices: list[Any] = [
        {"index": 1, "message": {"content": "second"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "first"}, "finish_reason": "stop"},
    ]
    answer = read("openai", encode_completion(choices=choices))
    assert (answer["content"], answer["stop_reason"]) == ("first", "stop")
    pieces = [
        {**build_chunk(), "choices": [{"index": n, "delta": {"content": t}}]}
        for n, t in ((1, "sec"), (0, "fir"), (0, "st"))
    ]
    reported = read_stream(
        "openai",
        encode_sse(
            *pieces, build_chunk({}, "stop"), {**build_chunk(), "choices": [{"index": 1, "finish_reason": "length"}]}
        ),
    )
    assert (reported["content"], reported["stop_reason"]) == ("first", "stop")

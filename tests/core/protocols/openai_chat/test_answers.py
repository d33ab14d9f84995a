"""Decoded responses: the same from a body and from its stream."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.openai_chat.answers import USAGE, body, chunk, piece, read, said, sse, streamed

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
        body({"content": "Hello, you."}, usage=USAGE, system_fingerprint="fp_1", service_tier="default"),
    ),
    "tools": ("openai", body({"content": None, "tool_calls": [CALL]}, "tool_calls", USAGE)),
    "parallel tools": ("openai", body({"content": "Two.", "tool_calls": [CALL, OTHER]}, "tool_calls", USAGE)),
    "reasoning": ("deepseek", body({"content": "42", "reasoning_content": "6 x 7"}, usage=USAGE)),
    "reasoning details": (
        "openrouter",
        body(
            {
                "content": "42",
                "reasoning": "6 x 7",
                "reasoning_details": [DETAIL | {"text": "6 x 7", "signature": "sig"}],
            }
        ),
    ),
    "thinking in parts": (
        "huggingface",
        body(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "6 x 7"}]},
                    {"type": "text", "text": "42"},
                ]
            }
        ),
    ),
    "thinking in tags": ("llamacpp", body({"content": "<think>\n6 x 7\n</think>\n\n42"})),
    "refusal": ("openai", body({"content": None, "refusal": "I will not."}, usage=USAGE)),
    "block": (
        "azure",
        body({"content": "Half a"}, "content_filter", choice={"content_filter_results": {"hate": {"filtered": True}}}),
    ),
    "length": ("openai", body({"content": "Once upon a"}, "length", USAGE)),
    "empty": ("openai", body({"content": ""})),
    "usage with cache": ("openai", body({"content": "Hi"}, usage=CACHED)),
    "an unknown reason": ("openai", body({"content": "Hi"}, "tired")),
}
STREAMS: dict[str, bytes] = {
    "text": sse(
        chunk({"role": "assistant", "content": ""}, system_fingerprint="fp_1"),
        said("Hello, "),
        said("you."),
        chunk({}, "stop", service_tier="default"),
        {**chunk(), "choices": [], "usage": USAGE},
    ),
    "tools": sse(
        chunk({"role": "assistant", "content": None, **piece("", id="call_1", name="weather")}),
        chunk(piece('{"city":')),
        chunk(piece(' "Oslo"}')),
        chunk({}, "tool_calls"),
        {**chunk(), "choices": [], "usage": USAGE},
    ),
    "parallel tools": sse(
        said("Two."),
        chunk(piece("", id="call_1", name="weather")),
        chunk(piece("", index=1, id="call_2", name="weather")),
        chunk(piece('{"city": "Oslo"}')),
        chunk(piece('{"city": "Rome"}', index=1)),
        chunk({}, "tool_calls", usage=USAGE),
    ),
    "reasoning": sse(
        chunk({"reasoning_content": "6 x"}),
        chunk({"reasoning_content": " 7"}),
        chunk({"content": "42"}),
        chunk({"content": ""}, "stop", usage=USAGE),
    ),
    "reasoning details": sse(
        chunk({"reasoning": "6 x", "reasoning_details": [DETAIL | {"text": "6 x"}]}),
        chunk({"reasoning": " 7", "reasoning_details": [DETAIL | {"text": " 7"}]}),
        chunk({"reasoning_details": [DETAIL | {"signature": "sig"}]}),
        said("42"),
        chunk({}, "stop"),
    ),
    "thinking in parts": sse(
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "6 x"}]}]}),
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": " 7"}]}]}),
        said("42"),
        chunk({"content": ""}, "stop"),
    ),
    "thinking in tags": sse(
        chunk({"role": "assistant"}),
        said("<th"),
        said("ink>\n6 x 7\n</thi"),
        said("nk>\n\n4"),
        said("2"),
        chunk({}, "stop"),
    ),
    "refusal": sse(chunk({"refusal": "I will"}), chunk({"refusal": " not."}), chunk({}, "stop", usage=USAGE)),
    "block": sse(
        {**chunk(), "choices": []},
        said("Half a"),
        {
            **chunk(),
            "choices": [
                {"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
            ],
        },
    ),
    "length": sse(said("Once upon"), said(" a"), chunk({}, "length", usage=USAGE)),
    "empty": sse(chunk({"role": "assistant", "content": ""}), chunk({}, "stop")),
    "usage with cache": sse(said("Hi"), chunk({}, "stop"), {**chunk(), "choices": [], "usage": CACHED}),
    "an unknown reason": sse(said("Hi"), chunk({}, "tired")),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_body_is_normalised(kind: str, snapshot: SnapshotAssertion) -> None:
    provider, answer = WHOLE[kind]
    assert snapshot == read(provider, answer)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("size", [0, 7])
def test_a_stream_is_normalised_as_its_body_however_it_is_cut(kind: str, size: int) -> None:
    provider, answer = WHOLE[kind]
    assert streamed(provider, STREAMS[kind], size) == read(provider, answer)


TRUNCATED: dict[str, bytes] = {
    "inside the text": sse(said("Hello, "), said("you"), done=False),
    "inside a call": sse(chunk(piece('{"ci', id="call_1", name="weather")), done=False),
    "inside the thinking": sse(chunk({"reasoning_content": "6 x"}), done=False),
    "inside a frame": sse(said("Hello, "), said("you"), done=False)[:-20],
    "before anything": b"",
    "with an end but no reason": sse(said("Hello")),
}


@pytest.mark.parametrize("kind", TRUNCATED)
def test_a_truncated_stream_is_a_fault_with_partial_content(kind: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == streamed("deepseek", TRUNCATED[kind])


BROKEN: dict[str, tuple[str, bytes]] = {
    "no JSON": ("openai", b"upstream connect error"),
    "a page": ("openai", b"<html><body>Bad gateway</body></html>"),
    "no choice": ("openai", body().replace(b'"choices": [', b'"picks": [')),
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
        body({"content": "Hal"}, "error", choice={"error": {"code": 502, "message": "Upstream broke off"}}),
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
    answer = read("openai", body(choices=choices))
    assert (answer["content"], answer["stop_reason"]) == ("first", "stop")
    pieces = [
        {**chunk(), "choices": [{"index": n, "delta": {"content": t}}]} for n, t in ((1, "sec"), (0, "fir"), (0, "st"))
    ]
    told = streamed(
        "openai", sse(*pieces, chunk({}, "stop"), {**chunk(), "choices": [{"index": 1, "finish_reason": "length"}]})
    )
    assert (told["content"], told["stop_reason"]) == ("first", "stop")

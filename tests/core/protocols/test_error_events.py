"""Errors in the middle of a stream, in every format of servers, gateways and proxies."""

from __future__ import annotations

import pytest
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core import faults

BEGINNINGS = {
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    "mistral": b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    "anthropic": (
        b'data: {"type":"message_start","message":{"id":"m","role":"assistant","content":[],"model":"m"}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
    ),
    "google": b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}\n\n',
    "openai-responses": (
        b'data: {"type":"response.created","response":{"id":"r","output":[]}}\n\n'
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"i","delta":"hi"}\n\n'
    ),
    "cohere": b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"hi"}}}}\n\n',
}


@pytest.mark.parametrize("provider", BEGINNINGS)
@pytest.mark.parametrize(
    "error",
    [
        b'{"error":{"message":"no memory left","type":"server_error"}}\n',
        b'{\n  "error": {\n    "message": "no memory left"\n  }\n}\n',
        b'data: {"error":{"message":"no memory left"}}\n\n',
        b'data: {"error":"no memory left"}\n\n',
        b'data: {"detail":"no memory left"}\n\n',
        b'data: {"detail":[{"loc":["body"],"msg":"no memory left"}]}\n\n',
        b'data: {"object":"error","message":"no memory left","code":500}\n\n',
        b'data: {"message":"no memory left","code":500}\n\n',
        b'event: error\ndata: {"message":"no memory left"}\n\n',
        b"event: error\ndata: no memory left\n\n",
    ],
)
def test_an_error_in_another_format_in_a_stream_keeps_its_message(provider: str, error: bytes) -> None:
    results = list(replay.stream(provider, 200, {"content-type": "text/event-stream"}, [BEGINNINGS[provider], error]))
    last = results[-1]
    assert isinstance(last, Failure)
    fault = last.failure()
    assert not isinstance(fault, faults.StreamTruncated | faults.InvalidResponse)
    assert "no memory left" in fault.message
    assert fault.partial is not None
    assert fault.partial.content == "hi"


@pytest.mark.parametrize("provider", BEGINNINGS)
def test_a_context_overflow_in_a_stream_is_recognised_in_any_format(provider: str) -> None:
    error = b'data: {"detail":"This model\'s maximum context length is 4096 tokens"}\n\n'
    *_, last = replay.stream(provider, 200, {}, [BEGINNINGS[provider], error])
    assert isinstance(last.failure(), faults.ContextLengthExceeded)


@pytest.mark.parametrize(
    ("provider", "event"),
    [
        ("openai", b'data: {"choices":[],"usage":{"prompt_tokens":1},"message":"hello"}\n\n'),
        ("anthropic", b'data: {"type":"ping","message":"alive"}\n\n'),
        ("google", b'data: {"usageMetadata":{"promptTokenCount":1}}\n\n'),
        ("openai-responses", b'data: {"type":"keepalive","sequence_number":3,"message":"alive"}\n\n'),
    ],
)
def test_other_events_without_content_are_not_errors(provider: str, event: bytes) -> None:
    first, *rest = replay.stream(provider, 200, {}, [BEGINNINGS[provider], event])
    assert isinstance(first, Success)
    assert [type(one.failure()) for one in rest if isinstance(one, Failure)] == [faults.StreamTruncated]


@pytest.mark.parametrize("number", ['"NaN"', '"Infinity"', '"-inf"', '"1e999"', "NaN", "1e999", '"nan"'])
@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", '{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%s}}'),
        ("mistral", '{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%s}}'),
        (
            "cohere",
            ('{"message":{"content":[{"type":"text","text":"hi"}]},"finish_reason":"COMPLETE",'
            '"usage":{"tokens":{"input_tokens":%s}}}'),
        ),
        ("google", ('{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],'
                   '"usageMetadata":{"promptTokenCount":%s}}')),
        ("anthropic", '{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":%s}}'),
        ("ollama", '{"message":{"content":"hi"},"done":true,"done_reason":"stop","prompt_eval_count":%s}'),
        ("openai-responses", ('{"created_at":%s,"status":"completed","output":[{"type":"message","content":'
                             '[{"type":"output_text","text":"hi"}]}]}')),
        ("openai", '{"created":%s,"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'),
    ],
)  # fmt: skip
def test_counts_that_are_not_finite_are_absent_and_the_answer_is_kept(provider: str, body: str, number: str) -> None:
    response = replay.response(provider, 200, {}, (body % number).encode()).unwrap()
    assert response.content == "hi"
    assert "prompt_tokens" not in (response.usage or {})


@pytest.mark.parametrize("is_stream", [False, True])
def test_half_of_a_surrogate_pair_in_a_response_id_does_not_fail_the_response(is_stream: bool) -> None:
    body = b'{"responseId":"\\ud83d","candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}]}'
    if is_stream:
        *_, last = replay.stream("google", 200, {}, [b"data: " + body + b"\n\n"])
        calls = last.unwrap().tool_calls
    else:
        calls = replay.response("google", 200, {}, body).unwrap().tool_calls
    assert [call["name"] for call in calls or ()] == ["f"]

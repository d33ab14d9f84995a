"""Errors in the middle of a stream, in every format of servers, gateways and proxies."""

from __future__ import annotations

import pytest
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core import faults

SETTINGS = {"bedrock": {"region": "eu-west-1"}}
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
    "google-interactions": (
        b'data: {"event_type":"interaction.created","interaction":{"id":"i","status":"in_progress"}}\n\n'
        b'data: {"event_type":"step.start","index":0,"step":{"type":"model_output"}}\n\n'
        b'data: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":"hi"}}\n\n'
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
        b'data: {"message":"no memory left"}\n\n',
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


ENDINGS = {
    "openai": b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    "mistral": b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    "anthropic": (
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata: {"type":"message_stop"}\n\n'
    ),
    "google": b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
    "openai-responses": b'data: {"type":"response.completed","response":{"id":"r","status":"completed"}}\n\n',
    "google-interactions": (
        b'data: {"event_type":"interaction.completed","interaction":{"id":"i","status":"completed"}}\n\n'
    ),
    "cohere": b'data: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}\n\n',
}


@pytest.mark.parametrize("provider", BEGINNINGS)
@pytest.mark.parametrize("event", [b"data:\n\n", b"data: \n\n", b"event: ping\ndata:\n\n", b"data\n\n"])
def test_events_with_empty_data_are_skipped(provider: str, event: bytes) -> None:
    data = (event + BEGINNINGS[provider] + ENDINGS[provider]).replace(b"\n\n", b"\n\n" + event)
    for chunks in ([data], [data[i : i + 1] for i in range(len(data))]):
        parts = [result.unwrap() for result in replay.stream(provider, 200, {}, chunks)]
        assert "".join(part.content for part in parts) == "hi"
        assert parts[-1].stop_reason == "stop"


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


@pytest.mark.parametrize("provider", [*BEGINNINGS, "bedrock", "ollama"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"no memory left"}',
        b'{"detail":"no memory left"}',
        b'{"status":"error","message":"no memory left"}',
        b'{"object":"error","message":"no memory left","code":500}',
        b'{"success":false,"errors":[{"code":3040,"message":"no memory left"}]}',
        b'{"base_resp":{"status_code":1013,"status_msg":"no memory left"}}',
    ],
)
def test_an_error_of_another_form_with_status_200_keeps_its_words(provider: str, body: bytes) -> None:
    fault = replay.response(provider, 200, {}, body, settings=SETTINGS.get(provider)).failure()
    assert isinstance(fault, faults.ServerFailed)
    assert "no memory left" in fault.message


@pytest.mark.parametrize(
    "provider", ["openai", "mistral", "anthropic", "openai-responses", "cohere", "bedrock", "replicate"]
)
def test_a_body_with_nothing_but_a_message_keeps_it(provider: str) -> None:
    body = b'{"message":"no memory left"}'
    fault = replay.response(provider, 200, {}, body, settings=SETTINGS.get(provider)).failure()
    assert not isinstance(fault, faults.InvalidResponse)
    assert fault.message == "no memory left"


@pytest.mark.parametrize(
    "line", [b'{"detail":"no memory left"}', b'{"object":"error","message":"no memory left","code":500}']
)
def test_an_error_of_another_form_in_a_stream_of_lines_keeps_its_words(line: bytes) -> None:
    first = b'{"message":{"content":"hi"},"done":false}\n'
    *_, last = replay.stream("ollama", 200, {}, [first, line + b"\n"])
    fault = last.failure()
    assert isinstance(fault, faults.ServerFailed)
    assert fault.message == "no memory left"
    assert fault.partial is not None
    assert fault.partial.content == "hi"


def test_an_unknown_path_of_bedrock_is_an_invalid_request() -> None:
    body = b'{"Output":{"__type":"com.example#UnknownOperationException"},"Version":"1.0"}'
    fault = replay.response("bedrock", 200, {}, body, settings=SETTINGS["bedrock"]).failure()
    assert isinstance(fault, faults.InvalidRequest)
    assert fault.code == "UnknownOperationException"


@pytest.mark.parametrize("provider", [*BEGINNINGS, "ollama", "replicate"])
def test_a_response_with_an_unknown_status_is_a_fault(provider: str) -> None:
    assert isinstance(replay.response(provider, 200, {}, b'{"status":"error"}'), Failure)


@pytest.mark.parametrize(
    ("code", "fault_type"),
    [
        (1002, faults.RateLimited),
        (1004, faults.AuthRejected),
        (1008, faults.QuotaExhausted),
        (1026, faults.ContentRefused),
    ],
)
def test_the_errors_of_minimax_come_with_status_200(code: int, fault_type: type[faults.Fault]) -> None:
    body = b'{"id":"x","choices":null,"base_resp":{"status_code":%d,"status_msg":"no"}}' % code
    fault = replay.response("minimax", 200, {}, body).failure()
    assert isinstance(fault, fault_type)
    assert (fault.code, fault.message) == (str(code), "no")
    *_, last = replay.stream("minimax", 200, {}, [b"data: " + body + b"\n\n"])
    assert isinstance(last.failure(), fault_type)
    well = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"base_resp":{"status_code":0}}'
    assert replay.response("minimax", 200, {}, well).unwrap().content == "ok"


def test_a_byte_order_mark_before_a_body_is_skipped() -> None:
    mark = b"\xef\xbb\xbf"
    body = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'
    response = replay.response("openai", 200, {}, mark + body).unwrap()
    assert response.content == "ok"
    assert response.raw_response is not None
    refused = replay.response("openai", 400, {}, mark + b'{"error":{"message":"no","code":"model_not_found"}}')
    assert isinstance(refused.failure(), faults.ModelNotFound)
    vectors = mark + b'{"data":[{"index":0,"embedding":[1.0]}]}'
    assert isinstance(replay.embed_response("openai", 200, {}, vectors), Success)
    ranking = mark + b'{"results":[{"index":0,"relevance_score":0.5}]}'
    assert isinstance(replay.rerank_response("cohere", 200, {}, ranking), Success)


@pytest.mark.parametrize("error", ['{"error":{"message":"no memory left"}}', '{"error":"no memory left"}'])
def test_an_error_with_status_200_to_embeddings_or_ranking_is_the_server_s(error: str) -> None:
    embedded = replay.embed_response("openai", 200, {}, error.encode()).failure()
    ranked = replay.rerank_response("cohere", 200, {}, error.encode()).failure()
    assert isinstance(embedded, faults.ServerFailed)
    assert isinstance(ranked, faults.ServerFailed)

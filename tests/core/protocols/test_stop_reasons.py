"""Stop reasons: every protocol reads the words of all vendors, in bodies and in streams."""

from __future__ import annotations

import json

import pytest

from victor_fp import replay
from victor_fp.core.protocols.stop_reasons import STOP_REASONS

BODIES = {
    "openai": '{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":%s}]}',
    "mistral": '{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":%s}]}',
    "openai-responses": (
        '{"id":"r","status":"incomplete","incomplete_details":{"reason":%s},'
        '"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}'
    ),
    "anthropic": '{"id":"m","type":"message","content":[{"type":"text","text":"hi"}],"stop_reason":%s}',
    "google": '{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":%s}]}',
    "bedrock": '{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":%s}',
    "cohere": '{"id":"c","message":{"content":[{"type":"text","text":"hi"}]},"finish_reason":%s}',
    "ollama": '{"message":{"content":"hi"},"done":true,"done_reason":%s}',
}
STREAMS = {
    "openai": ('{"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":%s}]}',),
    "mistral": ('{"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":%s}]}',),
    "openai-responses": (
        '{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"i","delta":"hi"}',
        '{"type":"response.incomplete","response":{"id":"r","incomplete_details":{"reason":%s},"output":[]}}',
    ),
    "anthropic": (
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"hi"}}',
        '{"type":"message_delta","delta":{"stop_reason":%s}}',
        '{"type":"message_stop"}',
    ),
    "google": ('{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":%s}]}',),
    "cohere": (
        '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"hi"}}}}',
        '{"type":"message-end","delta":{"finish_reason":%s}}',
    ),
}


def find_reason(word: str) -> str:
    """Return the standard reason of a response without calls, which is never tool_use."""
    reason = STOP_REASONS.get(word, word)
    return "stop" if reason == "tool_use" else reason


@pytest.mark.parametrize("provider", BODIES)
@pytest.mark.parametrize("word", [*STOP_REASONS, "a_new_word"])
def test_a_word_of_any_vendor_has_its_standard_reason_in_a_body(provider: str, word: str) -> None:
    body = BODIES[provider] % json.dumps(word)
    response = replay.response(provider, 200, {}, body.encode(), settings={"region": "eu-west-1"}).unwrap()
    assert (response.content, response.stop_reason) == ("hi", find_reason(word))
    assert (response.metadata or {})["stop_reason_raw"] == word


@pytest.mark.parametrize("provider", STREAMS)
@pytest.mark.parametrize("word", [*STOP_REASONS, "a_new_word"])
def test_a_word_of_any_vendor_has_its_standard_reason_in_a_stream(provider: str, word: str) -> None:
    payloads = [payload.replace("%s", json.dumps(word)) for payload in STREAMS[provider]]
    data = "".join(f"data: {payload}\n\n" for payload in payloads).encode()
    *_, last = (result.unwrap() for result in replay.stream(provider, 200, {}, [data]))
    assert last.is_final
    assert last.stop_reason == find_reason(word)


@pytest.mark.parametrize("word", ["MAX_TOKENS", "max_output_tokens", "SAFETY", "content_filtered"])
def test_calls_of_a_truncated_or_filtered_answer_are_not_reported_as_complete(word: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"n": '}}
    body = {"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": word}]}
    assert replay.response("openai", 200, {}, json.dumps(body).encode()).unwrap().stop_reason == STOP_REASONS[word]

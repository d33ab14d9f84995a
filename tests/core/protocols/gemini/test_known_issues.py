"""What users of similar libraries suffer from, as far as this protocol decides it; each test is named after the pain."""

from __future__ import annotations

import pytest
from returns.result import Failure

from tests.core.protocols.gemini.answers import (
    answer,
    build_text,
    call,
    dump_stream,
    encode_sse,
    read_chunks,
    read_completion,
    read_final_chunk,
    read_stream_fault,
    to_dict,
)
from tests.core.protocols.gemini.requests import HI, WEATHER, build_body, build_request, result
from victor_fp import replay
from victor_fp.core.types import StreamChunk


def test_a_stream_that_ends_without_a_finish_reason_is_truncated_and_not_stop() -> None:
    fault = read_stream_fault(encode_sse([answer(build_text("Half an ans"), finish=None)]))
    assert (type(fault).__name__, fault.partial.content) == ("StreamTruncated", "Half an ans")


def test_parallel_calls_of_one_function_are_not_merged() -> None:
    pieces = [answer(call("weather", {"city": "Rome"}), finish=None), answer(call("weather", {"city": "Oslo"}))]
    calls = read_final_chunk(encode_sse(pieces)).tool_calls or []
    assert [made["arguments"] for made in calls] == [{"city": "Rome"}, {"city": "Oslo"}]


def test_even_calls_with_the_same_id_are_not_merged() -> None:
    body_ = answer(call("weather", {"city": "Rome"}, id="x"), call("weather", {"city": "Oslo"}, id="x"))
    assert len(read_completion(body_).tool_calls or []) == 2


def test_finish_stop_with_calls_is_tool_use_and_the_raw_reason_is_kept() -> None:
    response = read_completion(answer(call("weather", {"city": "Rome"})))
    assert (response.stop_reason, (response.metadata or {})["stop_reason_raw"]) == ("tool_use", "STOP")


def test_an_unknown_finish_reason_keeps_the_response() -> None:
    response = read_completion(answer(build_text("Hm"), finish="BORED"))
    assert (response.content, response.stop_reason) == ("Hm", "BORED")


def test_an_overloaded_error_inside_a_200_stream_is_the_same_fault_as_by_status() -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    by_status = replay.response("google", 503, {}, str(error).replace("'", '"').encode()).failure()
    assert type(read_stream_fault(encode_sse([error]))) is type(by_status)
    assert type(by_status).__name__ == "Overloaded"


def test_unreported_usage_is_absent_and_never_zero() -> None:
    assert read_completion(answer(build_text("Hi"))).usage is None
    assert read_completion(answer(build_text("Hi"), usage={"promptTokenCount": 3})).usage == {"prompt_tokens": 3}


def test_cached_tokens_of_a_stream_are_those_of_the_whole() -> None:
    usage = {"promptTokenCount": 90, "cachedContentTokenCount": 80, "candidatesTokenCount": 2, "totalTokenCount": 92}
    piece = answer(build_text("Hi"), finish=None, usage={"promptTokenCount": 90})
    assert dump_stream(encode_sse([piece, answer(usage=usage)])) == to_dict(
        read_completion(answer(build_text("Hi"), usage=usage))
    )


def test_usage_after_the_finish_piece_is_not_missed() -> None:
    pieces = [answer(build_text("Hi")), {"usageMetadata": {"promptTokenCount": 5}}]
    assert read_final_chunk(encode_sse(pieces)).usage == {"prompt_tokens": 5}


def test_retry_after_in_the_body_is_honoured() -> None:
    body_ = b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "1.25s"}]}}'
    assert replay.response("google", 429, {}, body_).failure().retry_after == 1.25


def test_signatures_survive_the_turn() -> None:
    part = call("weather", {"city": "Rome"}, signature="U0lH")
    message = read_completion(answer(part)).to_message()
    sent = build_body([*HI, message, result((message.tool_calls or [])[0]["id"], "sunny")])
    assert sent["contents"][1]["parts"] == [part]


def test_tools_are_not_dropped_when_streaming() -> None:
    assert build_request(tools=[WEATHER], stream=True).body == build_request(tools=[WEATHER]).body


def test_keys_are_not_in_the_url() -> None:
    request = build_request()
    assert "?" not in request.url
    assert request.headers["x-goog-api-key"] == "<secret>"


@pytest.mark.parametrize("number", [429, 500, 503])
def test_numbers_in_prose_are_ignored(number: int) -> None:
    body_ = f'{{"error": {{"code": 400, "status": "INVALID_ARGUMENT", "message": "at most {number} tools"}}}}'
    assert type(replay.response("google", 400, {}, body_.encode()).failure()).__name__ == "InvalidRequest"


def test_tool_results_keep_their_ids() -> None:
    message = read_completion(answer(call("weather", {}, id="fc_7"))).to_message()
    sent = build_body([*HI, message, result("fc_7", "sunny")])
    assert sent["contents"][2]["parts"][0]["functionResponse"]["id"] == "fc_7"


def test_exactly_one_chunk_is_final_and_it_is_the_last() -> None:
    seen = read_chunks(encode_sse([answer(build_text("Hi"), finish="STOP"), answer(build_text("!"), finish="STOP")]))
    assert not any(isinstance(chunk, Failure) for chunk in seen)
    assert [chunk.is_final for chunk in seen if isinstance(chunk, StreamChunk)] == [False, False, True]

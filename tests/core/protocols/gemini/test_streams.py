"""Laws of Gemini's streams: chunk boundaries and framing do not change the response."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.gemini.answers import (
    ARRAY,
    SSE,
    Json,
    answer,
    build_text,
    dump_stream,
    encode_array,
    encode_sse,
    read_chunks,
    read_completion,
    read_final_chunk,
    read_stream_fault,
    to_dict,
)
from tests.core.protocols.gemini.strategies import PARTS
from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.types import StreamChunk

REASONS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "BORED"])
COUNTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(0, 99)
        for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")
    },
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Json, list[Json]]:
    """One answer as a whole, and the same in pieces; numbers and ratings grow as the pieces come."""
    parts, usage, reason = draw(st.lists(PARTS, max_size=5)), draw(COUNTS), draw(REASONS)
    pieces: list[Json] = []
    for part in parts:
        words = part.get("text", "")
        at = draw(st.integers(0, len(words)))
        split = [{**part, "text": words[:at]}, {**part, "text": words[at:]}]
        for piece in split if words and "thoughtSignature" not in part else [part]:
            partial = {name: draw(st.integers(0, 9)) for name in usage}
            pieces.append(answer(piece, finish=None, usage=partial or None, safetyRatings=[{"category": "EARLY"}]))
    ratings = [{"category": "HARM", "probability": "LOW"}]
    pieces.append(answer(finish=reason, usage=usage or None, safetyRatings=ratings))
    return answer(*parts, finish=reason, usage=usage or None, safetyRatings=ratings), pieces


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@given(answers())
@settings(max_examples=scale_examples(100), deadline=None)
def test_a_stream_folds_to_the_same_response_as_its_body(both: tuple[Json, list[Json]]) -> None:
    body, pieces = both
    assert dump_stream(encode_sse(pieces)) == to_dict(read_completion(body))


@given(answers(), st.lists(st.integers(0), max_size=12), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=scale_examples(60), deadline=None)
def test_chunk_boundaries_do_not_change_the_response(
    both: tuple[Json, list[Json]], places: list[int], newline: str
) -> None:
    data = encode_sse(both[1], newline)
    assert dump_stream(cut(data, places)) == dump_stream(encode_sse(both[1]))


@given(answers(), st.lists(st.integers(0), max_size=12))
@settings(max_examples=scale_examples(60), deadline=None)
def test_an_array_gives_the_same_response_as_events_for_any_chunk_boundaries(
    both: tuple[Json, list[Json]], places: list[int]
) -> None:
    assert dump_stream(cut(encode_array(both[1]), places), ARRAY) == dump_stream(encode_sse(both[1]))


@given(answers(), st.integers(0))
@settings(max_examples=scale_examples(60), deadline=None)
def test_a_truncated_stream_is_never_a_completion(both: tuple[Json, list[Json]], place: int) -> None:
    data = encode_sse(both[1][:-1])
    kept = data[: place % (len(data) + 1)]
    last = read_chunks(kept)[-1:]
    assert not any(isinstance(chunk, StreamChunk) and chunk.is_final for chunk in last)


def test_an_array_is_read_as_it_grows() -> None:
    data = encode_array([answer(build_text("one"), finish=None), answer(build_text("two"))])
    middle, sent = data.index(b"two"), list[str]()

    def yield_halves() -> Iterator[bytes]:
        sent.append("first")
        yield data[:middle]
        sent.append("second")
        yield data[middle:]

    first = next(replay.stream("google", 200, ARRAY, yield_halves())).unwrap()
    assert (first.content, sent) == ("one", ["first"])


def test_an_incomplete_array_is_a_truncated_stream() -> None:
    data = encode_array([answer(build_text("one"), finish=None), answer(build_text("two"))])
    fault = read_stream_fault(data[: data.index(b"two")], ARRAY)
    assert (type(fault).__name__, fault.partial.content) == ("StreamTruncated", "one")


def test_the_last_of_many_reasons_counts() -> None:
    pieces = [
        answer(build_text("Once "), finish="STOP"),
        answer(build_text("upon"), finish="STOP"),
        answer(finish="RECITATION"),
    ]
    last = read_final_chunk(encode_sse(pieces))
    assert (last.stop_reason, (last.metadata or {})["stop_reason_raw"]) == ("content_filter", "RECITATION")


def test_usage_behind_the_finish_reason_is_counted() -> None:
    late = {"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10}}
    assert read_final_chunk(encode_sse([answer(build_text("Hi")), late])).usage == {
        "prompt_tokens": 8,
        "completion_tokens": 2,
        "total_tokens": 10,
    }


def test_counts_of_earlier_chunks_are_kept_if_a_later_one_has_none() -> None:
    pieces = [
        answer(build_text("Hi"), finish=None, usage={"promptTokenCount": 8, "thoughtsTokenCount": 5}),
        answer(usage={"candidatesTokenCount": 2}),
    ]
    assert read_final_chunk(encode_sse(pieces)).usage == {
        "prompt_tokens": 8,
        "completion_tokens": 7,
        "reasoning_tokens": 5,
        "total_tokens": 15,
    }


def test_a_stream_may_end_without_a_blank_line_or_with_done() -> None:
    data = encode_sse([answer(build_text("Hi"))], "\n")
    assert dump_stream(data.rstrip()) == dump_stream(data) == dump_stream(data + b"data: [DONE]\n\n")


def test_an_error_in_an_array_ends_the_stream() -> None:
    error = {"error": {"code": 500, "message": "Internal.", "status": "INTERNAL"}}
    fault = read_stream_fault(encode_array([answer(build_text("Hi"), finish=None), error]), ARRAY)
    assert (type(fault).__name__, fault.partial.content) == ("ServerFailed", "Hi")


def test_an_event_that_is_not_json_is_an_invalid_response() -> None:
    assert type(read_stream_fault(b"data: {oops\r\n\r\n", SSE)).__name__ == "InvalidResponse"


def test_an_unknown_event_is_ignored() -> None:
    assert dump_stream(encode_sse([{"weather": "fine"}, answer(build_text("Hi"))])) == dump_stream(
        encode_sse([answer(build_text("Hi"))])
    )

"""Laws of streamed interactions: chunk boundaries do not change the response, and a truncated stream is not a completion."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.gemini_interactions.interactions import (
    Json,
    build_interaction,
    build_output,
    dump_stream,
    encode_sse,
    events,
    interactions,
    read_chunks,
    read_completion,
    read_stream_fault,
    to_dict,
)
from tests.example_counts import scale_examples
from victor_fp.core.types import StreamChunk


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@given(interactions())
@settings(max_examples=scale_examples(100), deadline=None)
def test_a_stream_folds_to_the_same_response_as_its_body(answer: Json) -> None:
    assert dump_stream(encode_sse(events(answer))) == to_dict(read_completion(answer))


@given(interactions(), st.lists(st.integers(0), max_size=12), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=scale_examples(60), deadline=None)
def test_chunk_boundaries_do_not_change_the_response(answer: Json, places: list[int], newline: str) -> None:
    assert dump_stream(cut(encode_sse(events(answer), newline), places)) == dump_stream(encode_sse(events(answer)))


@given(interactions(), st.integers(0))
@settings(max_examples=scale_examples(60), deadline=None)
def test_a_truncated_stream_is_never_a_completion(answer: Json, place: int) -> None:
    data = encode_sse(events(answer)[:-1]).removesuffix(b"event: done\ndata: [DONE]\n\n")
    last = read_chunks(data[: place % (len(data) + 1)])[-1:]
    assert not any(isinstance(chunk, StreamChunk) and chunk.is_final for chunk in last)


def test_a_stream_that_ends_early_keeps_partial_content() -> None:
    fault = read_stream_fault(encode_sse(events(build_interaction(build_output("Hello")))[:-1]))
    assert (type(fault).__name__, fault.partial.content) == ("StreamTruncated", "Hello")


def test_unknown_events_and_steps_are_ignored() -> None:
    known = events(build_interaction(build_output("Hello")))
    news: list[Json] = [
        {"event_type": "interaction.news", "news": [1]},
        {"event_type": "step.delta", "index": 9, "delta": {"type": "text", "text": "lost"}},
        {"event_type": "step.start", "index": 8},
        {"event_type": "step.stop", "index": 9},
    ]
    assert dump_stream(encode_sse([*known[:3], *news, *known[3:]])) == dump_stream(encode_sse(known))


def test_an_event_that_is_damaged_is_a_fault() -> None:
    assert type(read_stream_fault(b'data: {"event_type": \n\n')).__name__ == "InvalidResponse"

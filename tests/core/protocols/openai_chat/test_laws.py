"""The laws of a stream, for any answer: chunk boundaries do not change it, and a stream gives the same response as its body."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.openai_chat.answers import HEAD, build_chunk, encode_completion, encode_sse, read, read_stream
from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.result import outcome

WORDS = st.text(max_size=10)
COUNT = st.none() | st.integers(0, 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
REASONS = ["stop", "length", "tool_calls", "content_filter", "yet_unknown"]
PROVIDERS = st.sampled_from(["openai", "groq", "deepseek", "openrouter", "moonshot", "xai", "huggingface"])
USAGES = st.fixed_dictionaries(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT},
    optional={
        "total_tokens": COUNT,
        "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": COUNT}),
        "completion_tokens_details": st.fixed_dictionaries({"reasoning_tokens": COUNT}),
        "cost": st.floats(0, 1),
    },
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """A message, its stop reason, its usage and further fields."""
    calls = draw(st.lists(st.dictionaries(WORDS, JSON, max_size=2), max_size=3))
    with_ids = draw(st.booleans())
    message: dict[str, Any] = {
        "content": draw(st.none() | WORDS),
        "tool_calls": [
            {
                **({"id": f"call_{place}"} if with_ids else {}),
                "function": {"name": f"f{place}", "arguments": json.dumps(arguments)},
            }
            for place, arguments in enumerate(calls)
        ],
    }
    if draw(st.booleans()):
        message[draw(st.sampled_from(["reasoning", "reasoning_content"]))] = draw(WORDS)
    if draw(st.booleans()):
        message["refusal"] = draw(WORDS)
    return {
        "message": message,
        "finish": draw(st.sampled_from(REASONS)),
        "usage": draw(st.none() | USAGES),
        "head": draw(st.sampled_from([HEAD, {"id": "", "model": "m"}, {"created": 1700000000.0}])),
        "beside": draw(st.dictionaries(st.sampled_from(["system_fingerprint", "service_tier", "yet_unknown"]), WORDS)),
    }


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """A text in any pieces."""
    edges = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=3))})
    return [text[start:end] for start, end in pairwise(edges)]


@st.composite
def draw_bodies_and_streams(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """A provider, a body, and one of its streams."""
    answer = draw(answers())
    message, head = answer["message"], answer["head"]
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    for key in ("reasoning", "reasoning_content", "content", "refusal"):
        deltas += [{key: piece} for piece in cut(draw, message.get(key) or "")]
    heads, pieces = [], []
    for place, call in enumerate(message["tool_calls"]):
        function = call["function"]
        heads.append({"tool_calls": [{**call, "index": place, "function": {"name": function["name"]}}]})
        pieces.append(
            [
                {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}
                for piece in cut(draw, function["arguments"])
            ]
        )
    deltas += heads
    while any(pieces):
        deltas.append(draw(st.sampled_from([queue for queue in pieces if queue])).pop(0))
    payloads = [{**build_chunk(delta), **_build_empty_head(), **head} for delta in deltas]
    last = {**build_chunk({}, answer["finish"]), **_build_empty_head(), **head, **answer["beside"]}
    usage = {"usage": answer["usage"]} if answer["usage"] else {}
    apart = [{**_build_empty_head(), **head, "choices": [], **usage}] if draw(st.booleans()) else []
    stream = encode_sse(*payloads, last | ({} if apart else usage), *apart, done=draw(st.booleans()))
    given = encode_completion(
        message, answer["finish"], answer["usage"], **{**_build_empty_head(), **head, **answer["beside"]}
    )
    return draw(PROVIDERS), given, stream


def _build_empty_head() -> dict[str, Any]:
    return dict.fromkeys(HEAD)


@settings(max_examples=scale_examples(100), deadline=None)
@given(draw_bodies_and_streams())
def test_a_stream_folds_to_the_same_response_as_its_body(reported: tuple[str, bytes, bytes]) -> None:
    provider, whole, stream = reported
    assert read_stream(provider, stream) == read(provider, whole)


@settings(max_examples=scale_examples(60), deadline=None)
@given(draw_bodies_and_streams(), st.integers(1, 40), st.booleans())
def test_chunk_boundaries_do_not_change_the_response(
    reported: tuple[str, bytes, bytes], size: int, carriage: bool
) -> None:
    provider, _, stream = reported
    stream = stream.replace(b"\n", b"\r\n") if carriage else stream
    assert read_stream(provider, stream, size) == read_stream(provider, stream)


@settings(max_examples=scale_examples(60), deadline=None)
@given(draw_bodies_and_streams(), st.data())
def test_a_stream_that_ends_anywhere_before_its_reason_is_truncated(
    reported: tuple[str, bytes, bytes], data: st.DataObject
) -> None:
    provider, _, stream = reported
    frames = stream.split(b"\n\n")
    reason = next(place for place, frame in enumerate(frames) if b'"finish_reason": "' in frame)
    end = len(b"\n\n".join(frames[:reason])) + 2
    kept = data.draw(st.integers(0, end))
    assert read_stream(provider, stream[:kept])["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers(), JSON)
def test_unknown_fields_never_fail_a_response(answer: dict[str, Any], odd: Any) -> None:
    known = encode_completion(answer["message"], answer["finish"], answer["usage"])
    extended = json.loads(known) | {"yet_unknown": odd, "object": odd}
    extended["choices"][0] |= {"yet_unknown": odd}
    extended["choices"][0]["message"] |= {"yet_unknown": odd, "role": odd}
    assert read("openai", json.dumps(extended).encode()) == read("openai", known)


@settings(max_examples=scale_examples(60), deadline=None)
@given(st.sampled_from(["id", "created", "usage", "system_fingerprint", "citations"]), JSON)
def test_an_extra_field_of_any_type_never_fails_a_response(field: str, odd: Any) -> None:
    given_ = json.loads(encode_completion({"content": "Hi"})) | {field: odd}
    assert read("openai", json.dumps(given_).encode())["content"] == "Hi"


@settings(max_examples=scale_examples(100), deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), st.integers(400, 599))
def test_any_body_of_any_error_is_a_fault(data: bytes, status: int) -> None:
    for provider in ("openai", "zai", "mlx"):
        assert read(provider, data, status)["status"] == status


@settings(max_examples=scale_examples(100), deadline=None)
@given(
    st.lists(
        st.binary(max_size=40) | JSON.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"), max_size=5
    )
)
def test_any_bytes_end_in_one_final_chunk_or_one_fault(pieces: list[bytes]) -> None:
    results = [outcome(result) for result in replay.stream("openrouter", 200, {}, pieces)]
    shapes = [
        type(result).__name__ if type(result).__name__ == "Failure" else result.unwrap().is_final for result in results
    ]
    assert shapes[-1] in ("Failure", True)
    assert not any(shapes[:-1])

"""No response raises: every field of every body, event and error is tested with every hostile value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from tests.aws_frames import encode_message
from tests.catalogue_samples import PROVIDERS
from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.classification.classifier import MESSAGE_LIMIT
from victor_fp.core.faults import Fault
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.errors import error_from
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.writers import Event, load_writer

MARK = "\ue000mark"
"""Placeholder in JSON for a hostile token."""
TURN = Turn(
    text="Hello there",
    reasoning="I think",
    calls=(Call(id="call_1", name="f", arguments={"x": 1, "y": {"z": ["a"]}}),),
)
HISTORY = [Message(role="user", content="Hi")]


_VALUES = re.compile(r'"[^"]*"(?!:)|[0-9]+')


def _nest(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + b"1" + closing * depth


TOKENS: Mapping[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "negative": b"-1",
    "fraction": b"1.5",
    "whole float": b"3.0",
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "1e308": b"1e308",
    "NaN": b"NaN",
    "-Infinity": b"-Infinity",
    "hex": b"0x1F",
    "400 digits": b"9" * 400,
    "4300 digits": b"9" * 4300,
    "5000 digits": b"9" * 5000,
    "empty text": b'""',
    "text": b'"text"',
    "digits as text": b'"' + b"9" * 5000 + b'"',
    "date": b'"9999-99-99T99:99:99Z"',
    "early date": b'"0000-00-00"',
    "half pair": b'"\\ud83d"',
    "other half": b'"a\\ude00\\ud83d"',
    "null character": b'"\\u0000"',
    "control characters": b'"a\n\x00\x1f"',
    "not UTF-8": b'"\xff\xfe"',
    "bidi": '"\u202e\u2066"'.encode(),
    "empty object": b"{}",
    "empty list": b"[]",
    "list of null": b"[null]",
    "list of texts": b'["a", 1, {}]',
    "object": b'{"type": "text", "text": 1, "message": [], "code": {}}',
    "object with a half pair": b'{"\\ud83d": "\\ude00"}',
    "300 lists": _nest(300, b"[", b"]"),
    "300 objects": _nest(300, b'{"a":', b"}"),
    "900 lists": _nest(900, b"[", b"]"),
    "930 objects": _nest(930, b'{"a":', b"}"),
    "950 lists": _nest(950, b"[", b"]"),
    "960 objects": _nest(960, b'{"a":', b"}"),
    "970 lists": _nest(970, b"[", b"]"),
    "985 objects": _nest(985, b'{"a":', b"}"),
    "10000 lists": _nest(10_000, b"[", b"]"),
    "10000 objects": _nest(10_000, b'{"a":', b"}"),
    "open lists": b"[" * 10_000,
    "nothing": b"",
}


USUAL = {
    "null", "fraction", "NaN", "4300 digits", "text", "half pair", "not UTF-8", "empty object", "list of texts", "object with a half pair",
    "900 lists", "nothing",
}  # fmt: skip
"""Tokens of the default suite, one of each kind; the slow suite has all."""
PARTS = 5
"""An ordinary token is tested at every fifth node in the default suite; each token begins at another one."""
ALL_TOKENS = [
    *(pytest.param(name, range(number % PARTS, 10**6, PARTS), id=name) for number, name in enumerate(sorted(USUAL))),
    *(pytest.param(name, range(10**6), id=f"{name}, everywhere", marks=pytest.mark.slow) for name in TOKENS),
]


def _mark_nodes(value: Any, chosen: range) -> list[Any]:
    """The JSON once for each of its chosen nodes, with the mark in that node's place."""
    return [changed for number, changed in enumerate(_mark_every_node(value)) if number in chosen]


def _mark_every_node(value: Any) -> Iterator[Any]:
    yield MARK
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in _mark_every_node(inner):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for changed in _mark_every_node(inner):
                yield [*value[:index], changed, *value[index + 1 :]]


def _with_token(marked: bytes, token: bytes) -> bytes:
    return marked.replace(json.dumps(MARK).encode(), token).replace(f'"{MARK}"'.encode(), token)


def _encode_frame(protocol: str, event: Event, token: bytes) -> bytes:
    name, payload = event
    if protocol == "bedrock-converse":
        data = _with_token(encode_json(payload), token)
        return encode_message(data, event_type=name, content_type="application/json", message_type="event")
    if protocol == "replicate" and not isinstance(payload, dict):
        return f"event: {name}\ndata: ".encode() + token + b"\n\n"
    return _with_token(load_writer(protocol).frame(event), token)


def check_response(provider: str, found: Result[CompletionResponse, Fault] | Result[StreamChunk, Fault]) -> None:
    """Whatever was read can be written, shown, and sent back."""
    match outcome(found):
        case Success(CompletionResponse() as response):
            check_completion(provider, response)
        case Success(StreamChunk() as chunk):
            encode_json([chunk.content, chunk.metadata, chunk.tool_calls, chunk.usage])
            if chunk.response is not None:
                check_completion(provider, chunk.response)
        case Failure(fault):
            str(error_from(fault)).encode()
            repr(fault).encode()
            encode_json(fault)
            assert len(fault.message) <= MESSAGE_LIMIT
            assert fault.retry_after is None or 0 <= fault.retry_after < 10**7


def check_completion(provider: str, response: CompletionResponse) -> None:
    for name in type(response).model_fields:
        try:
            encode_json(getattr(response, name))
        except RecursionError:
            assert name in ("metadata", "raw_response"), name
    for count in (response.usage or {}).values():
        assert isinstance(count, int)
        assert 0 <= count < 2**63
    turns = [*HISTORY, response.to_message()]
    turns += [Message(role="tool", tool_call_id=call["id"], content="r") for call in response.tool_calls or ()]
    outcome(replay.request(provider, turns, model="owner/m"))


@pytest.mark.parametrize(("token", "chosen"), ALL_TOKENS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_body_raises(protocol: str, token: str, chosen: range) -> None:
    provider = PROVIDERS[protocol]
    body = json.loads(b"".join(load_writer(protocol).build_answer(TURN).pieces))
    for changed in _mark_nodes(body, chosen):
        data = _with_token(json.dumps(changed).encode(), TOKENS[token])
        check_response(provider, replay.response(provider, 200, {}, data))


@pytest.mark.parametrize(("token", "chosen"), ALL_TOKENS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_stream_raises(protocol: str, token: str, chosen: range) -> None:
    provider, form = PROVIDERS[protocol], load_writer(protocol)
    telling = form.events(TURN)
    events = [*telling.before, *telling.end]
    seen: set[str] = set()
    for number, (name, payload) in enumerate(events):
        shape = name + _VALUES.sub("", json.dumps(payload))
        if shape in seen:
            continue
        seen.add(shape)
        before = [_encode_frame(protocol, event, b"") for event in events[:number]]
        after = [*(_encode_frame(protocol, event, b"") for event in events[number + 1 :]), form.ending]
        for changed in _mark_nodes(payload, chosen):
            frames = [*before, _encode_frame(protocol, (name, changed), TOKENS[token]), *after]
            for step in replay.stream(provider, 200, {}, [b"".join(frames)]):
                check_response(provider, step)


@pytest.mark.parametrize(("token", "chosen"), ALL_TOKENS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_error_raises(protocol: str, token: str, chosen: range) -> None:
    provider, form = PROVIDERS[protocol], load_writer(protocol)
    error = json.loads(b"".join(form.error(500, "it broke").pieces))
    rich = {
        "error": {"message": "m", "type": "t", "code": "c", "param": "p", "details": [{"retryDelay": "1s"}], "metadata": {"raw": "r"}},
        "message": "m", "detail": [{"msg": "m"}], "retry_after": 1, "request_id": "r",
    }  # fmt: skip
    for value in (error, rich):
        for changed in _mark_nodes(value, chosen):
            data = _with_token(json.dumps(changed).encode(), TOKENS[token])
            for status in (400, 429, 500):
                check_response(provider, replay.response(provider, status, {}, data))
            check_response(provider, replay.response(provider, 200, {}, data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value", ["9" * 5000, "1e999", "-1", "nan", "inf", "\u0661", "9999-99-99T99:99:99Z", "Wed, 99 Foo"]
)
def test_no_header_raises(protocol: str, value: str) -> None:
    names = ("retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-amzn-errortype")
    headers: dict[str, str] = dict.fromkeys(names, value)
    check_response(PROVIDERS[protocol], replay.response(PROVIDERS[protocol], 429, headers, b"{}"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=scale_examples(30), deadline=None)
@given(data=st.data())
def test_no_bytes_raise(protocol: str, data: st.DataObject) -> None:
    """Bodies and streams that are cut, doubled and mixed up."""
    provider, form = PROVIDERS[protocol], load_writer(protocol)
    whole = b"".join(form.build_answer(TURN).pieces)
    stream = b"".join(form.stream(TURN).pieces)
    pieces = data.draw(
        st.lists(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([whole, stream]).flatmap(
                    lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(
                        lambda ends: text[min(ends) : max(ends)]
                    )
                ),
                st.sampled_from(list(TOKENS.values())).filter(lambda token: len(token) < 500),
            ),
            max_size=6,
        )
    )
    joined = b"".join(pieces)
    for status in (200, 400):
        check_response(provider, replay.response(provider, status, {}, joined))
        for step in replay.stream(provider, status, {}, pieces):
            check_response(provider, step)

"""Files of recordings: readable, exact, and rejected by name if damaged."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success
from syrupy.assertion import SnapshotAssertion

from victor_fp.core.faults import Fault, StreamInterrupted, TimedOut
from victor_fp.shell.recording.cache import Cache
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse
from victor_fp.shell.recording.recording import Recording, decode_recording
from victor_fp.shell.recording.yaml_format import encode_exchanges

REQUEST = RecordedRequest(
    method="POST",
    url="https://api.acme.test/v1/chat/completions",
    headers={"authorization": "Bearer <secret>", "content-type": "application/json"},
    body=b'{"model":"m-1","messages":[{"role":"user","content":"Hello\\nyou: - #1"}],"stream":true}',
)
TEXTS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=3)
FAULTS: st.SearchStrategy[Fault] = st.sampled_from(
    [TimedOut(phase="read", seconds=3.0, message="no"), StreamInterrupted(message="\x00\ud7ff"), TimedOut()]
)
SECONDS = st.integers(0, 10_000).map(lambda milliseconds: milliseconds / 1000)
RESPONSES = st.builds(
    RecordedResponse,
    status=st.integers(100, 599),
    headers=TEXTS,
    pieces=st.lists(
        st.builds(Piece, st.binary(max_size=40) | st.text(max_size=40).map(str.encode), SECONDS), max_size=4
    ).map(tuple),
    is_stream=st.just(value=True),
    after=SECONDS,
    ending=st.sampled_from(["whole", "left"]),
    fault=st.none() | FAULTS,
)
EXCHANGES = st.builds(
    Exchange,
    request=st.builds(
        RecordedRequest, method=st.just("POST"), url=st.text(max_size=20), headers=TEXTS, body=st.binary(max_size=60)
    ),
    response=RESPONSES | FAULTS,
)


def test_a_file_is_readable(snapshot: SnapshotAssertion) -> None:
    streamed = RecordedResponse(
        status=200,
        headers={"content-type": "text/event-stream", "x-request-id": "req_1"},
        pieces=(
            Piece(b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n', 0.213),
            Piece(b'data: {"choices":[{"delta":{"content":"lo"}}]}\n\ndata: [DONE]\n\n', 0.01),
        ),
        is_stream=True,
        after=0.35,
    )
    whole = RecordedResponse(status=429, pieces=(Piece(b'{\n  "error": {\n    "message": "slow down"\n  }\n}'),))
    broken = RecordedResponse(
        status=200, pieces=(Piece(b"\xff\x00" * 60),), is_stream=True, fault=StreamInterrupted(message="cut")
    )
    file = encode_exchanges(
        [
            Exchange(request=REQUEST, response=streamed),
            Exchange(request=RecordedRequest(method="GET", url="https://api.acme.test/v1/models"), response=whole),
            Exchange(request=REQUEST, response=broken),
            Exchange(request=REQUEST, response=TimedOut(phase="connect", seconds=5.0, message="no answer")),
        ]
    )
    assert file == snapshot


@given(st.lists(EXCHANGES, max_size=3))
def test_exchanges_round_trip(exchanges: list[Exchange]) -> None:
    assert decode_recording(encode_exchanges(exchanges)) == Success(tuple(exchanges))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the first document is not"),
        ("a: [", "not YAML"),
        ("victor_fp_recording: 7", "the first document is not `victor_fp_recording: 1`"),
        ("victor_fp_recording: 1\n---\nrequest: {method: GET}", "exchange 1: KeyError: 'response'"),
        ("victor_fp_recording: 1\n---\n7", "exchange 1: TypeError"),
        (
            "victor_fp_recording: 1\n---\nrequest: {method: GET, url: u}\nfault: {type: Strange}",
            "exchange 1: ValueError: unknown fault 'Strange'",
        ),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        ("interactions: [7]", "interaction 1: TypeError"),
    ],
)
def test_damaged_files_are_refused_by_name(text: str, problem: str) -> None:
    result = decode_recording(text)
    assert isinstance(result, Failure)
    assert problem in str(result.failure())


def test_recordings_name_the_extra_that_they_require(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    recording, cache = partial(Recording, tmp_path / "a.yaml"), partial(Cache, tmp_path, lifetime=1)
    for make in (recording, cache):
        with pytest.raises(ImportError, match=r"victor-fp\[yaml\]"):
            make()
    assert Recording().exchanges == ()

"""No secret is recorded, in any spelling and for any chunk boundaries."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acme import KEY
from victor_fp.core.faults import ServerFailed
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse
from victor_fp.shell.recording.redacting import collect_secrets, make_cleaner, redact_exchange, redact_request

OTHER = "hunter2-hunter2"
CLEAN = make_cleaner([KEY, OTHER])
ASKED = RecordedRequest(method="POST", url="https://x.test")


def response(*pieces: bytes, headers: dict[str, str] | None = None) -> RecordedResponse:
    given = RecordedResponse(
        status=200, headers=headers or {}, pieces=tuple(Piece(piece, 0.5) for piece in pieces), is_stream=True
    )
    redacted = redact_exchange(Exchange(request=ASKED, response=given), CLEAN).response
    assert isinstance(redacted, RecordedResponse)
    return redacted


def test_a_request_keeps_the_placeholder_and_no_secret() -> None:
    request = HttpRequest(
        url=f"https://u:{OTHER}@x.test/v1?key={OTHER}&alt=sse",
        headers={
            "authorization": "Bearer <secret>",
            "x-amz-security-token": "session-abcdef",
            "content-type": "text/plain",
        },
        body=json.dumps(
            {"messages": [f"my key is {KEY}"], "api_key": "abc", "password": "pw", "max_tokens": 5}
        ).encode(),
    )
    redacted = redact_request(request, make_cleaner(collect_secrets(request, OTHER)))
    assert redacted.url == "https://...@x.test/v1?key=...&alt=sse"
    assert redacted.headers == {
        "authorization": "Bearer <secret>",
        "content-type": "text/plain",
        "x-amz-security-token": "[redacted]",
    }
    assert json.loads(redacted.body) == {
        "messages": ["my key is [redacted]"],
        "api_key": "[redacted]",
        "password": "[redacted]",
        "max_tokens": 5,
    }


def test_headers_of_a_signer_are_redacted() -> None:
    request = HttpRequest(url="https://x.test", headers={"authorization": "AWS4 Signature=abcdef0123456789"})
    assert collect_secrets(request, None) == ("Signature=abcdef0123456789",)


def test_transfer_headers_are_dropped_and_rate_limit_headers_kept() -> None:
    given = {
        "Content-Encoding": "gzip", "Set-Cookie": "a=b", "CF-Ray": "1", "X-RateLimit-Reset-Token": "6s", "X-Request-Id": "r",
        "X-Api-Key": "k",
    }  # fmt: skip
    assert response(headers=given).headers == {
        "x-api-key": "[redacted]",
        "x-ratelimit-reset-token": "6s",
        "x-request-id": "r",
    }


def test_field_names_in_responses_that_only_look_secret_are_kept() -> None:
    body = b'{"logprobs":[{"token":"Hi","bytes":[72]}],"key":"value","tokens":7}'
    assert response(body).body == body


def test_pieces_of_a_stream_are_kept_where_nothing_is_removed() -> None:
    assert [piece.data for piece in response(b"data: a\n", b"\ndata: b\n\n").pieces] == [b"data: a\n", b"\ndata: b\n\n"]


@given(st.lists(st.integers(0, 120), max_size=6))
def test_a_secret_is_removed_wherever_a_stream_is_cut(cuts: list[int]) -> None:
    body = f'data: {{"text":"before"}}\n\ndata: {{"text":"it is {KEY}, yes"}}\n\ndata: [DONE]\n\n'.encode()
    places = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces = [body[start:end] for start, end in zip(places, places[1:], strict=False)]
    redacted = response(*pieces)
    assert redacted.body == body.replace(KEY.encode(), b"[redacted]")
    assert len(redacted.pieces) == len(pieces)
    assert all(piece.after == 0.5 for piece in redacted.pieces)
    # lines in which nothing was found are cut where they were
    first_event = body.index(b"\n\n")
    assert [len(one.data) for one in redacted.pieces][: sum(place <= first_event for place in places) - 1] == [
        end - start for start, end in zip(places, places[1:], strict=False) if end <= first_event
    ]


def test_binary_bodies_lose_secrets_too() -> None:
    assert response(b"\xff\xfe" + OTHER.encode() + b"\x00").body == b"\xff\xfe[redacted]\x00"


def test_credentials_are_removed_by_their_form() -> None:
    assert b"sk-" not in response(b'{"error":{"message":"Incorrect API key provided: sk-abcdefghijklmnop."}}').body
    assert b"AKIA" not in response(b"data: AKIAABCDEFGHIJKLMNOP\n\n").body


def test_faults_are_redacted() -> None:
    fault = ServerFailed(message=f"no: {KEY}", evidence=OTHER, url=f"https://x.test/{OTHER}")
    redacted = redact_exchange(Exchange(request=ASKED, response=fault), CLEAN).response
    assert KEY not in repr(redacted)
    assert OTHER not in repr(redacted)


def test_scrub_is_applied_to_every_text() -> None:
    clean = make_cleaner((), lambda text: text.replace("Alice", "NAME"))
    request = HttpRequest(url="https://x.test/Alice", headers={"x-user": "Alice"}, body=b'{"Alice":["Alice"]}')
    assert redact_request(request, clean) == RecordedRequest(
        method="POST", url="https://x.test/NAME", headers={"x-user": "NAME"}, body=b'{"NAME":["NAME"]}'
    )


@pytest.mark.parametrize("line", [b'{"a": 1}\r\n', b"data: x\r\n\r\n", b'[{"a":1}\n,{"b":2}]', b'{"a":"\xc3\xa9"}'])
def test_data_without_secrets_is_unchanged(line: bytes) -> None:
    assert response(line).body == line

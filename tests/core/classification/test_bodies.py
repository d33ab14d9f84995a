"""Message and Retry-After of an error, read the same way for every vendor."""

from __future__ import annotations

import pytest

from tests.catalogue_samples import name_params
from victor_fp import replay
from victor_fp.core.classification.details import read_text
from victor_fp.core.classification.headers import read_retry_after

SETTINGS = {"endpoint": "https://x.test", "region": "r", "project": "p", "location": "l"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"upstream connect error\n", "upstream connect error"),
        (b"<html><head><title>\n 502 Bad Gateway </title></head></html>", "502 Bad Gateway"),
        (b"<!doctype HTML>\n<html lang=en><body>Bad gateway</body></html>", "an HTML page"),
        (b"<html><title></title></html>", "an HTML page"),
        (b"<Error><Code>AccessDenied</Code></Error>", "<Error><Code>AccessDenied</Code></Error>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 100_000, "x" * 65_536),
        (b" \r\n", ""),
    ],
)
def test_a_body_that_is_not_json_is_described_by_its_title_or_beginning(body: bytes, words: str) -> None:
    assert read_text(body) == words


@pytest.mark.parametrize("provider", name_params())
def test_every_provider_error_has_a_message(provider: str) -> None:
    for body, words in (
        (b"", {"HTTP 403"}),
        (b"{}", {"HTTP 403", "{}"}),
        (b"<html>Forbidden</html>", {"an HTML page"}),
        (b"Forbidden", {"Forbidden"}),
    ):
        assert replay.response(provider, 403, {}, body, settings=SETTINGS).failure().message in words


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "7s"}, 7.0),
        ({"retry-after-ms": "250ms"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:00 GMT", "date": "Sun, 22 Nov 2026 10:00:30 GMT"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        (
            {"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"},
            None,
        ),
    ],
)
def test_retry_after_is_read_in_every_format(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds

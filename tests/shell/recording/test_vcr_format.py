"""Cassettes that vcrpy and pytest-recording wrote."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.acme import build_acme
from victor_fp.recording import Recording, read_recording

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4096, "temperature": 0.7}
ANSWER = {"choices": [{"message": {"content": "Hello!"}, "finish_reason": "stop"}]}
EVENTS = 'data: {"choices":[{"delta":{"content":"Hello!"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
URL = "https://api.acme.test"

HTTPX = f"""
interactions:
- request:
    body: '{json.dumps(ASKED)}'
    headers:
      authorization:
      - Bearer sk-canary-0123456789
      content-type:
      - application/json
    method: POST
    uri: {URL}/v1/chat/completions
  response:
    body:
      string: !!binary |
        {b64encode(gzip.compress(json.dumps(ANSWER).encode())).decode()}
    headers:
      Content-Encoding:
      - gzip
      Content-Type:
      - application/json
    status:
      code: 200
      message: OK
- request:
    body: '{json.dumps({**ASKED, "stream": True, "stream_options": {"include_usage": True}})}'
    headers: {{}}
    method: POST
    uri: {URL}/v1/chat/completions
  response:
    body:
      string: {json.dumps(EVENTS)}
    headers:
      content-type: [text/event-stream]
    status: {{code: 200, message: OK}}
version: 1
"""
AIOHTTP = json.dumps(
    {
        "version": 1,
        "interactions": [
            {
                "request": {"method": "POST", "uri": f"{URL}/v1/chat/completions", "headers": {}, "body": ASKED},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Content-Encoding": ["gzip"]},
                    "body": {"string": json.dumps(ANSWER)},
                },
            }
        ],
    }
)


@pytest.mark.parametrize("cassette", [HTTPX, AIOHTTP], ids=["httpx in yaml", "aiohttp in json"])
async def test_a_cassette_is_replayed(cassette: str, tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    path.write_text(cassette)
    provider = build_acme(URL, transport=Recording(path).transport())
    assert (await provider.chat("Hi", model="m")).content == "Hello!"
    if cassette is HTTPX:
        assert (await provider.stream("Hi", model="m").response()).content == "Hello!"


def test_responses_of_older_versions_are_read(tmp_path: Path) -> None:
    cassette = json.loads(AIOHTTP)
    response = cassette["interactions"][0]["response"]
    cassette["interactions"][0]["response"] = {
        "status_code": 200, "http_version": "HTTP/1.1", "headers": response["headers"], "content": response["body"]["string"],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(cassette))
    (exchange,) = read_recording(tmp_path / "c.json")
    assert exchange.response == read_recording(_write_text(tmp_path / "d.json", AIOHTTP))[0].response


def test_keys_in_a_cassette_are_removed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(HTTPX)
    assert "canary" not in repr(read_recording(tmp_path / "c.yaml"))


def _write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path

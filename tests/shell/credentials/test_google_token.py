"""Google Cloud: tokens from google-auth, keys of express mode, and Claude with the same credentials."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.fake_runtime import FakeRuntime
from tests.loopback import Loopback, Received, Talk, serving
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import AuthRejected, ConnectionFailed, CredentialMissing, InvalidRequest
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import apply_key_auth, build_endpoint
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.classes import make_provider_class
from victor_fp.shell.credentials.google_token import GoogleSigner

google_auth = pytest.importorskip("google.auth", reason="the extra `vertex` is not installed")
pytest.importorskip("requests", reason="the extra `vertex` is not installed")

HI = [Message(role="user", content="Hi")]
PLACE = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
CLAUDE = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


class Credentials:
    """Google's credentials as far as they matter: a token that has to be fetched once, which blocks."""

    def __init__(self, error: Exception | None = None) -> None:
        self.token: str | None = None
        self.error = error
        self.fetched = 0
        self.threads: set[int] = set()

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        if self.token is None:
            time.sleep(0.2)
            self.fetched += 1
            self.token = "ya29.token"
        headers["authorization"] = f"Bearer {self.token}"
        headers["X-Goog-User-Project"] = "billing"


def make_vertex(
    url: str | None,
    credentials: Any = None,
    *,
    name: str = "vertex",
    variables: dict[str, str] | None = None,
    **more: Any,
) -> BaseProvider:
    spec = CATALOGUE.find(name).unwrap()
    if credentials is not None:
        more["sign"] = GoogleSigner(spec, credentials)
    runtime = FakeRuntime(variables=PLACE if variables is None else variables)
    made: BaseProvider = make_provider_class(spec)(base_url=url, runtime=runtime, max_retries=0, **more)
    return made


async def answer_as_gemini(talk: Talk, received: Received) -> None:
    await talk.answer(GEMINI)


async def answer_as_claude(talk: Talk, received: Received) -> None:
    if not received.path.endswith(":streamRawPredict"):
        await talk.answer(CLAUDE)
        return
    await talk.send_events(
        {"type": "message_start", "message": {**CLAUDE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
        done=False,
    )


def get_last_request(loopback: Loopback) -> Received:
    return loopback.received[-1]


def get_failure(result: Any) -> Any:
    match result:
        case Failure(fault):
            return fault
        case other:
            raise AssertionError(other)


# Tokens


async def test_a_token_is_fetched_once_and_sent_in_place_of_a_key() -> None:
    credentials = Credentials()
    async with serving(answer_as_gemini) as loopback, make_vertex(f"{loopback.url}/v1", credentials) as provider:
        for _ in range(2):
            assert (await provider.chat(HI, model="gemini-2.5-flash")).content == "Hello"
        assert get_last_request(loopback).path == "/v1/models/gemini-2.5-flash:generateContent"
        assert get_last_request(loopback).headers["authorization"] == "Bearer ya29.token"
        assert get_last_request(loopback).headers["x-goog-user-project"] == "billing"
        assert "x-goog-api-key" not in get_last_request(loopback).headers
    assert credentials.fetched == 1


async def test_fetching_a_token_does_not_block_the_loop_and_serves_all_waiting_calls() -> None:
    credentials = Credentials()
    signer = GoogleSigner(CATALOGUE.find("vertex").unwrap(), credentials)
    ticks = 0

    async def count_ticks() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(count_ticks())
    request = HttpRequest(url="https://x.test", headers={"authorization": "Bearer <secret>", "accept": "a"})
    results = await asyncio.gather(*(signer(request) for _ in range(3)))
    ticking.cancel()
    for result in results:
        match outcome(result):
            case Success(signed):
                assert signed.headers == {
                    "accept": "a",
                    "authorization": "Bearer ya29.token",
                    "x-goog-user-project": "billing",
                }
            case Failure(fault):
                raise AssertionError(fault)
    assert ticks >= 5
    assert (credentials.fetched, threading.get_ident() in credentials.threads) == (1, False)


def build_refresh_error(*, retryable: bool) -> Exception:
    from google.auth import exceptions

    untyped: Any = exceptions
    error: Exception = untyped.RefreshError("invalid_grant: Token has been expired.\nsecret body", retryable=retryable)
    return error


async def test_refused_credentials_are_rejected_and_network_failures_are_not() -> None:
    for retryable, kind in ((False, AuthRejected), (True, ConnectionFailed)):
        async with serving(answer_as_gemini) as loopback:
            credentials = Credentials(build_refresh_error(retryable=retryable))
            async with make_vertex(f"{loopback.url}/v1", credentials) as provider:
                fault = get_failure(await provider.chat_result(HI, model="gemini-2.5-flash"))
                assert isinstance(fault, kind)
                assert "invalid_grant" in fault.message
                assert "secret body" not in fault.message
                assert loopback.received == []


async def test_without_credentials_the_fault_has_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import exceptions

    untyped: Any = exceptions

    def find_no_credentials(**_: Any) -> Any:
        raise untyped.DefaultCredentialsError("no default credentials")

    monkeypatch.setattr(google_auth, "default", find_no_credentials)
    async with serving(answer_as_gemini) as loopback, make_vertex(f"{loopback.url}/v1") as provider:
        fault = get_failure(await provider.chat_result(HI, model="gemini-2.5-flash"))
        assert isinstance(fault, CredentialMissing)
        assert "gcloud auth application-default login" in fault.message
        assert "environment VERTEX_API_KEY" in fault.looked_in
        assert loopback.received == []


async def test_default_credentials_are_asked_for_the_clouds_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def find_default(**options: Any) -> Any:
        asked.append(options)
        return Credentials(), "p"

    monkeypatch.setattr(google_auth, "default", find_default)
    async with serving(answer_as_gemini) as loopback, make_vertex(f"{loopback.url}/v1") as provider:
        await provider.chat(HI, model="gemini-2.5-flash")
        await provider.chat(HI, model="gemini-2.5-flash")
    assert asked == [{"scopes": ["https://www.googleapis.com/auth/cloud-platform"]}]


@pytest.fixture
def without_google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("google.auth")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google.auth", None)


async def test_without_key_and_extra_the_fault_has_advice(without_google: None) -> None:
    async with serving(answer_as_gemini) as loopback, make_vertex(f"{loopback.url}/v1") as provider:
        fault = get_failure(await provider.chat_result(HI, model="gemini-2.5-flash"))
        assert isinstance(fault, CredentialMissing)
        assert "victor-fp[vertex]" in fault.message
        assert loopback.received == []


# Keys


async def test_a_key_goes_in_its_own_header_and_needs_no_extra(without_google: None) -> None:
    variables = {"VERTEX_API_KEY": "AQ.key", **PLACE}
    async with (
        serving(answer_as_gemini) as loopback,
        make_vertex(f"{loopback.url}/v1", variables=variables) as provider,
    ):
        await provider.chat(HI, model="gemini-2.5-flash")
        assert get_last_request(loopback).headers["x-goog-api-key"] == "AQ.key"
        assert "authorization" not in get_last_request(loopback).headers


def build_url(name: str, *, keyed: bool, **settings: str) -> str:
    match outcome(build_endpoint(CATALOGUE.find(name).unwrap(), settings=settings)):
        case Success(endpoint):
            at = apply_key_auth(endpoint) if keyed else endpoint
        case Failure(fault):
            raise AssertionError(fault)
    match outcome(codec_for(at).request(ChatRequest(messages=tuple(HI), model="m-1"))):
        case Success(request):
            return request.url
        case Failure(InvalidRequest(message=message)):
            return message
        case Failure(fault):
            raise AssertionError(fault)


def test_express_mode_has_a_url_without_a_project_and_a_project_keeps_its_url() -> None:
    assert build_url("vertex", keyed=True) == (
        "https://aiplatform.googleapis.com/v1/publishers/google/models/m-1:generateContent"
    )
    assert build_url("vertex", keyed=True, project="p", location="us-east5").startswith(
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/"
    )
    assert "project" in build_url("vertex", keyed=False)
    assert "project" in build_url("vertex-anthropic", keyed=True)


@pytest.mark.parametrize(
    ("location", "start"),
    [
        ("global", "https://aiplatform.googleapis.com/v1/projects/p/locations/global/"),
        ("us-east5", "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/"),
    ],
)
@pytest.mark.parametrize("name", ["vertex", "vertex-anthropic"])
def test_a_location_has_its_host(name: str, location: str, start: str) -> None:
    assert build_url(name, keyed=False, project="p", location=location).startswith(start)


def test_a_setting_is_escaped_in_the_url() -> None:
    assert "/projects/p%2F..%2Fq/" in build_url("vertex", keyed=False, project="p/../q")


# Claude


async def test_claude_is_called_by_raw_prediction_with_the_same_token() -> None:
    async with serving(answer_as_claude) as loopback:
        provider = make_vertex(f"{loopback.url}/v1", Credentials(), name="vertex-anthropic")
        async with provider:
            response = await provider.chat(HI, model="claude-sonnet-4-5@20250929")
            assert (response.content, response.stop_reason) == ("Hello", "stop")
            received = get_last_request(loopback)
            assert received.path == "/v1/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"
            assert received.headers["authorization"] == "Bearer ya29.token"
            assert received.json()["anthropic_version"] == "vertex-2023-10-16"
            assert "model" not in received.json()
            chunks = [chunk async for chunk in provider.stream(HI, model="claude-sonnet-4-5@20250929")]
            assert "".join(chunk.content for chunk in chunks) == "Hello"
            assert get_last_request(loopback).path.endswith(":streamRawPredict")

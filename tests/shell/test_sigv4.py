"""Signature Version 4: the same as botocore's own client makes, over real HTTP, without blocking the loop."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest
from returns.result import Failure, Success

from tests import aws_frames
from tests.loopback import Loopback, Received, Talk, serving
from tests.paper import PaperRuntime
from victor_fp.core.asking import endpoint_for
from victor_fp.core.catalogue import built_in
from victor_fp.core.faults import CredentialMissing, InvalidRequest, RateLimited
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import provider_class
from victor_fp.shell.sigv4 import AwsSigner

pytest.importorskip("botocore", reason="the extra `bedrock` is not installed")

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEY, SECRET_KEY, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-1"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
REGION = {"AWS_REGION": "eu-west-1"}
HI = [Message(role="user", content="Hi")]
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", str(tmp_path))


def endpoint(base_url: str | None = None, **settings: str) -> Endpoint:
    match outcome(endpoint_for(built_in()["bedrock"], base_url=base_url, settings=settings)):
        case Success(found):
            return found
        case Failure(fault):
            raise AssertionError(fault)


def bedrock(url: str, variables: dict[str, str] | None = None, **options: Any) -> BaseProvider:
    runtime = PaperRuntime(variables={**KEYS, **REGION} if variables is None else variables)
    made: BaseProvider = provider_class(built_in()["bedrock"])(base_url=url, runtime=runtime, max_retries=0, **options)
    return made


async def answering(talk: Talk, received: Received) -> None:
    await talk.answer(ANSWER)


async def streaming(talk: Talk, received: Received) -> None:
    await talk.head(content_type="application/vnd.amazon.eventstream")
    story = [
        aws_frames.event("messageStart", {"role": "assistant"}),
        aws_frames.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        aws_frames.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
        aws_frames.event("contentBlockStop", {"contentBlockIndex": 0}),
        aws_frames.event("messageStop", {"stopReason": "end_turn"}),
        aws_frames.event("metadata", {"usage": ANSWER["usage"], "metrics": {"latencyMs": 9}}),
    ]
    data = b"".join(story)
    for start in range(0, len(data), 50):
        await talk.piece(data[start : start + 50])
    await talk.end()


def signature(received: Received, region: str = "eu-west-1") -> str:
    """What the server makes of the request it got, by the rules alone (AWS, "Create a signed API request")."""
    authorization = received.headers["authorization"]
    fields = dict(part.split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    names = fields["SignedHeaders"].split(";")
    path, _, query = received.path.partition("?")
    canonical = "\n".join(
        [
            received.method,
            # The path that is sent is encoded once more, but for its slashes.
            quote(path, safe="/-_.~"),
            query,
            *(f"{name}:{' '.join(received.headers[name].split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(received.body).hexdigest(),
        ]
    )
    moment = received.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    key = f"AWS4{SECRET_KEY}".encode()
    for word in (moment[:8], region, "bedrock", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={fields['SignedHeaders']}, Signature=" + (
        hmac.new(key, text.encode(), "sha256").hexdigest()
    )


def arrived(loopback: Loopback, place: int = 0) -> Received:
    return loopback.received[place]


# The signature


@pytest.mark.parametrize(
    ("model", "segment"),
    [(MODEL, MODEL), ("arn:aws:bedrock:eu-west-1:123456789012:a/b", "arn:aws:bedrock:eu-west-1:123456789012:a%2Fb")],
)
async def test_a_call_is_signed_as_the_server_checks_it_whatever_signs_the_model_has(model: str, segment: str) -> None:
    async with serving(answering) as loopback, bedrock(loopback.url) as provider:
        response = await provider.chat(HI, model=model)
        received = arrived(loopback)
        assert response.content == "Hello"
        assert received.path == f"/model/{segment}/converse"
        assert received.headers["authorization"] == signature(received)
        assert {"host", "x-amz-date", "content-type"} <= set(signed_names(received))


def signed_names(received: Received) -> list[str]:
    found = received.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    return found.split(";")


async def test_a_stream_is_signed_and_read_frame_by_frame() -> None:
    async with serving(streaming) as loopback, bedrock(loopback.url) as provider:
        chunks = [chunk async for chunk in provider.stream(HI, model=MODEL)]
        assert "".join(chunk.content for chunk in chunks) == "Hello"
        assert (chunks[-1].is_final, chunks[-1].stop_reason) == (True, "stop")
        received = arrived(loopback)
        assert received.path.endswith("/converse-stream")
        assert received.headers["authorization"] == signature(received)


async def test_every_try_has_a_signature_of_its_own() -> None:
    async def busy(talk: Talk, received: Received) -> None:
        await talk.answer({"message": "slow"}, 503, **{"x-amzn-errortype": "ServiceUnavailableException"})

    runtime = PaperRuntime(variables={**KEYS, **REGION})
    make = provider_class(built_in()["bedrock"])
    async with serving(busy, answering) as loopback:
        async with make(base_url=loopback.url, runtime=runtime, max_retries=1) as provider:
            await provider.chat(HI, model=MODEL)
        assert len(loopback.received) == 2
        assert all(received.headers["authorization"] == signature(received) for received in loopback.received)


async def test_temporary_credentials_send_their_token_and_sign_it() -> None:
    variables = {**KEYS, **REGION, "AWS_SESSION_TOKEN": SESSION}
    async with serving(answering) as loopback, bedrock(loopback.url, variables) as provider:
        await provider.chat(HI, model=MODEL)
        received = arrived(loopback)
        assert received.headers["x-amz-security-token"] == SESSION
        assert "x-amz-security-token" in signed_names(received)
        assert received.headers["authorization"] == signature(received)


async def test_the_list_of_models_is_signed_too() -> None:
    async def listing(talk: Talk, received: Received) -> None:
        await talk.answer({"modelSummaries": [{"modelId": MODEL, "outputModalities": ["TEXT"]}]})

    async with serving(listing) as loopback, bedrock(loopback.url) as provider:
        listed = await provider.list_models()
        assert [info.id for info in listed] == [MODEL]
        assert arrived(loopback).headers["authorization"] == signature(arrived(loopback))


async def test_botocores_own_client_signs_the_same_request_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth
    from botocore.session import Session

    moment = "20261122T110000Z"
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: _moment(), raising=False)
    session = Session()
    session.set_credentials(KEY, SECRET_KEY)
    client = session.create_client("bedrock-runtime", region_name="eu-west-1")
    theirs: dict[str, str] = {}

    def taken(request: Any, **_: Any) -> Any:
        theirs.update({name.lower(): _text(value) for name, value in request.headers.items()})
        theirs.update({"url": request.url, "body": _text(request.body)})
        raise ConnectionRefusedError

    client.meta.events.register("before-send.bedrock-runtime.Converse", taken)
    with pytest.raises(ConnectionRefusedError):
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    request = HttpRequest(
        url=theirs["url"], headers={"content-type": theirs["content-type"]}, body=theirs["body"].encode()
    )
    match outcome(await AwsSigner(endpoint(region="eu-west-1"), KEYS)(request)):
        case Success(ours):
            assert ours.headers["x-amz-date"] == theirs["x-amz-date"] == moment
            assert ours.headers["authorization"] == theirs["authorization"]
        case Failure(fault):
            raise AssertionError(fault)


def _moment() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 22, 11, tzinfo=UTC)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# Credentials


class Slow:
    """Credentials that have to be fetched, which takes a moment and blocks."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def get_frozen_credentials(self) -> Any:
        from botocore.credentials import ReadOnlyCredentials

        self.threads.append(threading.get_ident())
        time.sleep(0.2)
        return ReadOnlyCredentials(KEY, SECRET_KEY, None)


async def test_fetching_credentials_does_not_hold_the_loop() -> None:
    credentials = Slow()
    at = endpoint(region="eu-west-1")
    signer = AwsSigner(at, {}, credentials)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    result = outcome(await signer(HttpRequest(url=f"{at.base_url}/model/x/converse")))
    ticking.cancel()
    assert isinstance(result, Success)
    assert ticks >= 5
    assert credentials.threads != [threading.get_ident()]


async def test_a_lookup_that_hangs_ends_with_the_calls_timeout() -> None:
    async def hanging(request: HttpRequest) -> Any:
        await asyncio.sleep(60)

    async with serving(answering) as loopback, bedrock(loopback.url, sign=hanging, timeout=0.05) as provider:
        match outcome(await provider.chat_result(HI, model=MODEL)):
            case Failure(fault):
                assert type(fault).__name__ in ("TimedOut", "DeadlineExceeded")
            case Success(response):
                raise AssertionError(response)
        assert loopback.received == []


async def test_a_bearer_key_needs_neither_botocore_nor_a_signature(without_botocore: None) -> None:
    variables = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-1", **REGION}
    async with serving(answering) as loopback, bedrock(loopback.url, variables) as provider:
        assert (await provider.chat(HI, model=MODEL)).content == "Hello"
        headers = arrived(loopback).headers
        assert headers["authorization"] == "Bearer bedrock-api-key-1"
        assert "x-amz-date" not in headers


async def test_without_key_and_extra_the_fault_says_what_to_do(without_botocore: None) -> None:
    async with serving(answering) as loopback, bedrock(loopback.url) as provider:
        fault = failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "victor-fp[bedrock]" in fault.message
        assert "AWS_BEARER_TOKEN_BEDROCK" in fault.message
        assert loopback.received == []


async def test_without_any_credentials_the_fault_names_the_places() -> None:
    async with serving(answering) as loopback, bedrock(loopback.url, REGION) as provider:
        fault = failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "environment AWS_BEARER_TOKEN_BEDROCK" in fault.looked_in
        assert loopback.received == []


async def test_a_profile_that_is_not_there_is_a_missing_credential() -> None:
    async with serving(answering) as loopback, bedrock(loopback.url, profile="nobody") as provider:
        fault = failure(await provider.chat_result(HI, model=MODEL))
        assert isinstance(fault, CredentialMissing)
        assert "nobody" in fault.message


async def test_a_chosen_profile_wins_over_the_environments_keys(tmp_path: Any) -> None:
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = s\n")
    async with serving(answering) as loopback, bedrock(loopback.url, profile="other") as provider:
        await provider.chat(HI, model=MODEL)
        assert "Credential=AKIDOTHER/" in arrived(loopback).headers["authorization"]


async def test_the_region_is_read_from_the_host_where_no_setting_gives_it() -> None:
    at = endpoint("https://vpce-1.bedrock-runtime.us-gov-west-1.vpce.amazonaws.com")
    match outcome(await AwsSigner(at, KEYS)(HttpRequest(url=f"{at.base_url}/model/x/converse"))):
        case Success(signed):
            assert "/us-gov-west-1/bedrock/aws4_request" in signed.headers["authorization"]
        case Failure(fault):
            raise AssertionError(fault)


async def test_a_place_without_a_region_cannot_be_signed_for() -> None:
    fault = failure(await AwsSigner(endpoint("http://localhost:1"), KEYS)(HttpRequest(url="http://localhost:1/x")))
    assert isinstance(fault, InvalidRequest)
    assert "region" in fault.message


async def test_an_error_of_the_service_is_a_fault_like_any_other() -> None:
    async def refusing(talk: Talk, received: Received) -> None:
        await talk.answer(json.dumps({"message": "slow"}), 429, **{"x-amzn-errortype": "ThrottlingException:http://x/"})

    async with serving(refusing) as loopback, bedrock(loopback.url) as provider:
        assert isinstance(failure(await provider.chat_result(HI, model=MODEL)), RateLimited)


def failure(result: Any) -> Any:
    match result:
        case Failure(fault):
            return fault
        case other:
            raise AssertionError(other)


@pytest.fixture
def without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
